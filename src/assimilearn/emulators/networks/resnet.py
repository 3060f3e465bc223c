"""A residual convolutional network on any grid: neighbours mix, fields are channels.

He et al. (2016), CVPR, 770-778: blocks that add to what they are given. Periodic axes wrap, bounded ones repeat their
ends. The last layer begins at zero, so that the untrained network is persistence. Cost of a step: about
2 depth width^2 kernel flops a grid point.
"""

from typing import Any, Literal

from pydantic import Field

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class ResNetSettings(NetworkSettings):
    """Residual convolutional network."""

    method: Literal["resnet"] = "resnet"
    width: int = Field(32, ge=1, le=4096, description="channels of the hidden layers")
    depth: int = Field(2, ge=1, le=64, description="number of residual blocks")
    kernel: int = Field(5, ge=1, le=31, description="points of a convolution along each axis, odd")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there is no grid to convolve on, or it has more than two axes."""
        super().refuse_unlike(geometry)
        if self.kernel % 2 == 0:
            raise SettingsError(f"resnet: the kernel must be odd, not {self.kernel}")
        if not 1 <= len(geometry.axes) <= 2:
            raise SettingsError("resnet convolves along one axis or two, and this model has none or more")


def module(geometry: Geometry, settings: ResNetSettings) -> Any:
    """The torch module for standardised states (row, field, *grid)."""
    import torch

    periodic, line = [axis.periodic for axis in geometry.axes], len(geometry.axes) == 1
    reach = settings.kernel // 2
    kernel = (1, settings.kernel) if line else (settings.kernel, settings.kernel)

    def padded(h: Any) -> Any:
        """More points at both ends of every axis: from round it, or its ends again. By concatenation, which exports."""
        for place, wraps in zip(range(-len(periodic), 0), periodic, strict=True):
            if reach == 0:
                continue
            n = h.shape[place]
            before, after = h.narrow(place, n - reach, reach), h.narrow(place, 0, reach)
            if not wraps:
                before, after = [h.narrow(place, 0, 1)] * reach, [h.narrow(place, n - 1, 1)] * reach
            ends = ([before], [after]) if wraps else (before, after)
            h = torch.cat([*ends[0], h, *ends[1]], dim=place)
        return h

    class ResNet(torch.nn.Module):
        """First layer, residual blocks, last layer."""

        def __init__(self) -> None:
            super().__init__()
            fields, width = len(geometry.fields), settings.width
            self.first = torch.nn.Conv2d(fields, width, kernel)
            self.blocks = torch.nn.ModuleList(torch.nn.Conv2d(width, width, kernel) for _ in range(settings.depth))
            self.last = torch.nn.Conv2d(width, fields, 1)
            torch.nn.init.zeros_(self.last.weight)
            torch.nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]  # it has one

        def forward(self, states: Any) -> Any:
            h = states[:, :, None] if line else states
            h = torch.nn.functional.silu(self.first(padded(h)))
            for block in self.blocks:
                h = h + torch.nn.functional.silu(block(padded(h)))
            h = self.last(h)
            return h[:, :, 0] if line else h

    return ResNet()


METHOD = NetworkMethod(module)
LOCAL, fit, shapes, problems = METHOD.LOCAL, METHOD.fit, METHOD.shapes, METHOD.problems
mapping, tensor_step = METHOD.mapping, METHOD.tensor_step
