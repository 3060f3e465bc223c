"""A multi-layer perceptron: of the stencil of each grid point, with one set of weights, or of the whole state.

Dense layers from the standardised neighbourhood to the standardised increment of a point; without hidden layers it is
linear regression. Applied at every point it is a convolution as wide as the stencil followed by convolutions of width
1, and it is trained and run as such. With ``radius: null`` one perceptron maps the whole state, on any model. Cost of a
step: two flops a weight, at each grid point or once.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from assimilearn.emulators.fields import view
from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import Activation, NetworkSettings
from assimilearn.models.geometry import Geometry


class MlpSettings(NetworkSettings):
    """Multi-layer perceptron on the stencil, or of the whole state."""

    side_by_side: ClassVar[bool] = True
    dense: ClassVar[bool] = True

    method: Literal["mlp"] = "mlp"
    epochs: int = Field(15, ge=1, description="largest number of passes through the training period")
    learning_rate: float = Field(5e-3, gt=0, description="step size of the gradient method")
    clip: float | None = Field(None, gt=0, description="largest norm of the gradient; null: it is not clipped")
    radius: int | None = Field(
        4, ge=0, description="grid points of the stencil to either side along each axis; null: the whole state"
    )
    hidden: tuple[int, ...] = Field((32, 32), description="units of the hidden layers; none makes it linear")
    activation: Activation = Field("swish", description="activation of the hidden layers")
    normalisation: Literal["none", "batch", "layer"] = Field("none", description="of the hidden layers")

    @model_validator(mode="after")
    def _hidden(self) -> "MlpSettings":
        if any(units < 1 for units in self.hidden):
            raise ValueError("hidden: every layer needs at least one unit")
        if self.dropout and not self.hidden:
            raise ValueError(
                "dropout: there is only the last layer, and what that leaves out is missing in the forecast"
            )
        return self

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if a stencil is asked for where grid points are not alike, or wider than an axis."""
        if self.radius is not None:
            view(geometry, self.radius)
            super().refuse_unlike(geometry)


def module(geometry: Geometry, settings: MlpSettings) -> Any:
    """The torch module for standardised states (row, field, *grid)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import ACTIVATIONS, Convolution, OnGrid, glorot, normalisation

    whole = settings.radius is None
    inputs = outputs = geometry.size if whole else len(geometry.fields)
    layers: list[Any] = []
    for depth, units in enumerate((*settings.hidden, outputs)):
        if whole:
            layers += [torch.nn.Linear(inputs, units)]
        else:
            kernel = 1 if depth else 2 * (settings.radius or 0) + 1
            layers += [Convolution(inputs, units, kernel, [axis.periodic for axis in geometry.axes])]
        if depth < len(settings.hidden):
            layers += [*normalisation(settings.normalisation, units, grid=not whole)]
            layers += [ACTIVATIONS[settings.activation]()]
            layers += [torch.nn.Dropout(settings.dropout)] if settings.dropout else []
        inputs = units
    body = glorot(torch.nn.Sequential(*layers))

    class Whole(torch.nn.Module):
        """The perceptron of the whole state."""

        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, states: Any) -> Any:
            return self.body(states.reshape(-1, geometry.size)).reshape(states.shape)

    return Whole() if whole else OnGrid(geometry, body)


METHOD = NetworkMethod(module, LOCAL=True)
