"""Convolution on the ring in torch, with a backward pass of its own.

Channels stand last, so that the neighbours of a site lie side by side in memory and both passes are one copy and one or
two matrix products. On one core this takes half to three quarters of the time of ``conv1d`` with circular padding.
"""

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def ring_convolution() -> Callable[[Any, Any, Any], Any]:
    """The function of x (batch, site, input), kernel (output, input, width), bias (output,): (batch, site, output).

    The class is made at first use: importing this file must not import torch.
    """
    import torch

    class RingConvolution(torch.autograd.Function):
        """y_io = b_o + sum over channels c and places j of W_ocj x_(i+j-r)c."""

        @staticmethod
        def forward(ctx: Any, x: Any, kernel: Any, bias: Any) -> Any:
            outputs, inputs, width = kernel.shape
            columns = neighbours(x, width)
            ctx.save_for_backward(columns, kernel)
            matrix = kernel.permute(2, 1, 0).reshape(width * inputs, outputs)
            return torch.addmm(bias, columns, matrix).view(*x.shape[:2], outputs)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> tuple[Any, Any, Any]:
            columns, kernel = ctx.saved_tensors
            outputs, inputs, width = kernel.shape
            gradient = gradient.contiguous()
            rows = gradient.view(-1, outputs)
            of_kernel = (rows.T @ columns).view(outputs, width, inputs).transpose(1, 2)
            of_x = None
            if ctx.needs_input_grad[0]:  # the transposed convolution is the convolution with the mirrored kernel
                mirrored = kernel.flip(2).permute(2, 0, 1).reshape(width * outputs, inputs)
                of_x = (neighbours(gradient, width) @ mirrored).view(*gradient.shape[:2], inputs)
            return of_x, of_kernel, rows.sum(0)

    return RingConvolution.apply


def neighbours(x: Any, width: int) -> Any:
    """Rows (batch x site, width x channel) of the neighbours of every site of ``x (batch, site, channel)``."""
    import torch

    batch, size, channels = x.shape
    if width == 1:
        return x.reshape(batch * size, channels)
    radius = width // 2
    padded = torch.cat([x[:, size - radius :], x, x[:, :radius]], dim=1)
    windows = padded.as_strided((batch, size, width * channels), (padded.stride(0), channels, 1))
    return windows.reshape(batch * size, width * channels)
