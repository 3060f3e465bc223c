"""A U-Net on a line, ring or plane: coarse grids see far, and fine ones keep what they have.

Ronneberger, Fischer & Brox (2015), MICCAI, 234-241: convolutions, mean pooling by two, and back by repetition, with the
finer level's channels beside. The last layer begins at zero, so that the untrained network is persistence. Cost of a
step: about 6 width^2 kernel flops a grid point and level, on one axis.
"""

from itertools import pairwise
from typing import Any, ClassVar, Literal

from pydantic import Field

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import Activation, NetworkSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class UNetSettings(NetworkSettings):
    """U-Net."""

    side_by_side: ClassVar[bool] = True

    method: Literal["u-net"] = "u-net"
    width: int = Field(16, ge=1, le=4096, description="channels of the finest level; twice as many at each coarser one")
    levels: int = Field(2, ge=1, le=6, description="how often the grid is halved")
    kernel: int = Field(3, ge=1, le=31, description="points of a convolution along each axis, odd")
    activation: Activation = Field("swish", description="activation of the hidden layers")

    @property
    def local(self) -> bool:
        """No: where the pools begin makes a difference."""
        return False

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there is no grid, or it cannot be halved so often."""
        super().refuse_unlike(geometry)
        self.refuse_without_grid(geometry, self.kernel)
        coarsest = 2**self.levels
        if odd := [points for points in geometry.fields[0].shape if points % coarsest]:
            raise SettingsError(
                f"u-net: an axis of {odd[0]} points cannot be halved {self.levels} times: set fewer `levels`"
            )


def module(geometry: Geometry, settings: UNetSettings) -> Any:
    """The torch module for standardised states (row, field, *grid)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import ACTIVATIONS, Convolution, OnGrid, zeroed

    periodic, fields = [axis.periodic for axis in geometry.axes], len(geometry.fields)
    half = (1, 2) if len(periodic) == 1 else (2, 2)

    def block(inputs: int, outputs: int) -> Any:
        parts = [Convolution(inputs, outputs, settings.kernel, periodic), ACTIVATIONS[settings.activation]()]
        parts += [Convolution(outputs, outputs, settings.kernel, periodic), ACTIVATIONS[settings.activation]()]
        return torch.nn.Sequential(*parts)

    class UNet(torch.nn.Module):
        """Down, and up again."""

        def __init__(self) -> None:
            super().__init__()
            widths = [settings.width * 2**level for level in range(settings.levels + 1)]
            pairs = list(pairwise(widths))
            self.first = block(fields, widths[0])
            self.down = torch.nn.ModuleList(block(fine, coarse) for fine, coarse in pairs)
            self.up = torch.nn.ModuleList(block(fine + coarse, fine) for fine, coarse in reversed(pairs))
            self.pool, self.repeat = torch.nn.AvgPool2d(half), torch.nn.Upsample(scale_factor=half)
            self.last = zeroed(Convolution(widths[0], fields, 1, periodic))

        def forward(self, h: Any) -> Any:
            kept = [self.first(h)]
            for part in self.down:
                kept.append(part(self.pool(kept[-1])))
            h = kept.pop()
            for part in self.up:
                h = part(torch.cat([kept.pop(), self.repeat(h)], dim=1))
            return self.last(h)

    return OnGrid(geometry, UNet())


METHOD = NetworkMethod(module)
