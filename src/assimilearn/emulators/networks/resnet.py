"""A residual convolutional network on any grid: neighbours mix, fields are channels.

He et al. (2016), CVPR, 770-778: blocks that add to what they are given. Periodic axes wrap, bounded ones repeat their
ends. The last layer begins at zero, so that the untrained network is persistence. Cost of a step: about
2 depth width^2 kernel flops a grid point.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import Activation, NetworkSettings
from assimilearn.models.geometry import Geometry


class ResNetSettings(NetworkSettings):
    """Residual convolutional network."""

    side_by_side: ClassVar[bool] = True

    method: Literal["resnet"] = "resnet"
    width: int = Field(32, ge=1, le=4096, description="channels of the hidden layers")
    depth: int = Field(2, ge=1, le=64, description="number of residual blocks")
    kernel: int = Field(5, ge=1, le=31, description="points of a convolution along each axis, odd")
    activation: Activation = Field("swish", description="activation of the hidden layers")
    normalisation: Literal["none", "batch", "layer"] = Field("none", description="of what enters each block")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there is no grid to convolve on, or it has more than two axes."""
        super().refuse_unlike(geometry)
        self.refuse_without_grid(geometry, self.kernel)


def module(geometry: Geometry, settings: ResNetSettings) -> Any:
    """The torch module for standardised states (row, field, *grid)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import (
        ACTIVATIONS,
        Convolution,
        OnGrid,
        Residual,
        normalisation,
        zeroed,
    )

    periodic, fields, width = [axis.periodic for axis in geometry.axes], len(geometry.fields), settings.width
    activation = ACTIVATIONS[settings.activation]

    def block() -> Any:
        mixing = Convolution(width, width, settings.kernel, periodic)
        return Residual(*normalisation(settings.normalisation, width), mixing, activation())

    body = torch.nn.Sequential(
        *(Convolution(fields, width, settings.kernel, periodic), activation()),
        *(block() for _ in range(settings.depth)),
        zeroed(Convolution(width, fields, 1, periodic)),
    )
    return OnGrid(geometry, body)


METHOD = NetworkMethod(module, LOCAL=True)
