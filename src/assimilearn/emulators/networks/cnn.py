"""A convolutional network on any grid, by default the periodic one of Brajard et al. (2020).

J. Comput. Sci. 44, 101171, section 3.1:

    x(t+1) = x(t) + f(x(t))

where f is a batch normalisation; three parallel convolutions a, b, c (24 channels each, width 5, ReLU), joined to
(a, b c); a convolution (37 channels, width 5, ReLU); a convolution (1 channel, width 1, linear, L2 penalty 1e-4). That
is 9,389 trainable weights. The product b c lets the network form products of neighbours, as Lorenz-96 has them.

Differences from the paper: Adam with a falling learning rate by default (Adagrad on request), early stopping, states
and increments standardised. Periodic axes wrap, bounded ones repeat their ends. Cost of a step: two flops a weight and
grid point.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import Activation, NetworkSettings
from assimilearn.models.geometry import Geometry


class CnnSettings(NetworkSettings):
    """Convolutional network; the defaults are those of Brajard et al. (2020)."""

    side_by_side: ClassVar[bool] = True

    method: Literal["cnn"] = "cnn"
    epochs: int = Field(10, ge=1, description="largest number of passes through the training period")
    clip: float | None = Field(None, gt=0, description="largest norm of the gradient; null: it is not clipped")
    channels: tuple[int, ...] = Field(
        (24, 37), min_length=1, description="channels of the hidden convolutions; their number is the depth"
    )
    kernel: int = Field(5, ge=1, le=31, description="points of a convolution along each axis, odd")
    bilinear: bool = Field(
        True, description="whether the first convolution has three branches a, b, c, of which (a, b c) goes on"
    )
    activation: Activation = Field("relu", description="activation of the hidden convolutions")
    normalisation: Literal["batch", "none"] = Field("batch", description="of the states that enter")
    penalty: float = Field(1e-4, ge=0, description="L2 penalty on the weights of the last layer")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there is no grid to convolve on."""
        super().refuse_unlike(geometry)
        self.refuse_without_grid(geometry, self.kernel)


def module(geometry: Geometry, settings: CnnSettings) -> Any:
    """The torch module for standardised states (row, field, *grid)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import (
        ACTIVATIONS,
        Convolution,
        OnGrid,
        glorot,
        normalisation,
    )

    periodic, fields = [axis.periodic for axis in geometry.axes], len(geometry.fields)

    class Product(torch.nn.Module):
        """Of three equal groups of channels a, b, c: (a, b c)."""

        def forward(self, h: Any) -> Any:
            a, b, c = h.chunk(3, dim=1)
            return torch.cat([a, b * c], dim=1)

    class Cnn(OnGrid):
        """The whole network, with its penalty."""

        def penalty(self) -> Any:
            return settings.penalty * self.body[-1].weights.weight.square().sum()

    layers, inputs = normalisation(settings.normalisation, fields), fields
    for depth, channels in enumerate(settings.channels):
        branches = 3 if settings.bilinear and depth == 0 else 1
        layers += [Convolution(inputs, branches * channels, settings.kernel, periodic)]
        layers += [ACTIVATIONS[settings.activation]()]
        layers += [Product()] if branches == 3 else []
        inputs = 2 * channels if branches == 3 else channels
    return Cnn(geometry, glorot(torch.nn.Sequential(*layers, Convolution(inputs, fields, 1, periodic))))


METHOD = NetworkMethod(module, LOCAL=True)
