"""Building blocks of networks on any grid, in the forms that export well and run fast from ONNX.

States on a grid are tensors (row, channel, y, x); a line or ring has one point along y. Convolutions are
two-dimensional and pad by concatenation: once exported they cost half of what Conv1d or ``padding_mode="circular"``
do.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from assimilearn.models.geometry import Geometry

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "linear": nn.Identity,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "softplus": nn.Softplus,
    "swish": nn.SiLU,
}


def padded(h: torch.Tensor, reach: int, periodic: Sequence[bool]) -> torch.Tensor:
    """More points at both ends of the last axes: from round a periodic one, or the end of a bounded one again.

    Parameters
    ----------
    h : tensor (..., *grid)
    reach : points at either end
    periodic : of each of the last axes
    """
    if reach == 0:
        return h
    for place, wraps in zip(range(-len(periodic), 0), periodic, strict=True):
        rest: Any = [slice(None)] * (-1 - place)
        if wraps:
            before, after = [h[(..., slice(-reach, None), *rest)]], [h[(..., slice(0, reach), *rest)]]
        else:
            before, after = [h[(..., slice(0, 1), *rest)]] * reach, [h[(..., slice(-1, None), *rest)]] * reach
        h = torch.cat([*before, h, *after], dim=place)
    return h


class Convolution(nn.Module):
    """A convolution that keeps the grid: the same linear function of its neighbourhood at every point.

    Parameters
    ----------
    inputs, outputs : channels
    kernel : points along each axis, odd
    periodic : of each axis of the grid, one or two
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, periodic: Sequence[bool]) -> None:
        super().__init__()
        self.reach, self.periodic = kernel // 2, tuple(periodic)
        self.weights = nn.Conv2d(inputs, outputs, (kernel if len(self.periodic) == 2 else 1, kernel))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """``h (row, input, y, x)`` -> (row, output, y, x)."""
        return self.weights(padded(h, self.reach, self.periodic))


class LayerNorm(nn.Module):
    """Layer normalisation (Ba, Kiros & Hinton 2016, arXiv:1607.06450) over the channels of each grid point."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """``h (row, channel, y, x)``, normalised."""
        centred = h - h.mean(dim=1, keepdim=True)
        return self.scale * centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt() + self.shift


class Residual(nn.Module):
    """What goes in, plus a function of it (He et al. 2016, CVPR, 770-778)."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """Of any shape that the parts keep."""
        return h + self.parts(h)


class OnGrid(nn.Module):
    """A module of tensors (row, channel, y, x) as one of states (row, field, *grid), on one axis or two."""

    def __init__(self, geometry: Geometry, body: nn.Module) -> None:
        super().__init__()
        self.line = len(geometry.axes) == 1
        self.body: Any = body

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """``states (row, field, *grid)`` -> the same shape."""
        return self.body(states[:, :, None])[:, :, 0] if self.line else self.body(states)


def normalisation(name: str, channels: int, grid: bool = True) -> list[nn.Module]:
    """``batch`` (Ioffe & Szegedy 2015, ICML, 448-456), ``layer``, or nothing; on a grid, or of plain vectors.

    Running moments are those of Keras: means over a hundred mini-batches.
    """
    if name == "none":
        return []
    if name == "layer":
        return [LayerNorm(channels) if grid else nn.LayerNorm(channels)]
    return [(nn.BatchNorm2d if grid else nn.BatchNorm1d)(channels, eps=1e-3, momentum=0.01)]


def glorot(module: nn.Module) -> nn.Module:
    """Uniform weights and zero biases (Glorot & Bengio 2010, AISTATS, 249-256), in place."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return module


def zeroed(layer: Any) -> Any:
    """The layer with all weights zero: as the last one it makes the untrained network persistence."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
