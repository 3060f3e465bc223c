"""What the settings of all networks that are torch modules share."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from assimilearn.emulators.fields import places
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry

Activation = Literal["linear", "tanh", "relu", "sigmoid", "leaky_relu", "elu", "gelu", "softplus", "swish"]
MANY = 256  # windows in a mini-batch from which a second thread has something to do


class NetworkSettings(EmulatorSettings):
    """How a torch module is trained; the module adds settings of its own.

    Attributes
    ----------
    side_by_side : whether parts of a mini-batch may go through copies of the module on several threads: not where the
        module draws random numbers, or is a user's and might
    dense : whether it has dense hidden layers, whose units can be left out
    sees_position : whether the position of grid points can enter as further fields
    """

    compiles: ClassVar[bool] = False
    differentiates: ClassVar[bool] = True
    trained_in_epochs: ClassVar[bool] = True
    goes_on: ClassVar[bool] = True
    more: ClassVar[bool] = True
    side_by_side: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    sees_position: ClassVar[bool] = True

    optimizer: Literal["adam", "adamw", "adagrad", "sgd", "momentum", "l-bfgs"] = Field(
        "adam", description="gradient method; momentum: sgd with a momentum of 0.9"
    )
    learning_rate: float = Field(3e-3, gt=0, description="step size of the gradient method")
    schedule: Literal["constant", "cosine", "exponential", "steps", "warm-up"] = Field(
        "cosine",
        description="how the learning rate falls over the epochs: half a cosine to 0, evenly in its logarithm to a "
        "hundredth, by ten after half and after three quarters, or half a cosine after a rise over the first tenth",
    )
    epochs: int = Field(20, ge=1, description="largest number of passes through the training period")
    batch_size: int | None = Field(
        64, ge=1, description="windows in a mini-batch; 1: stochastic gradients; null: all windows in each step"
    )
    patience: int = Field(10, ge=1, description="stop after so many epochs without a smaller validation loss")
    lead: int = Field(1, ge=1, le=64, description="successive steps in the loss; 1 is the one-step loss")
    curriculum: int = Field(
        0, ge=0, description="epochs over which the steps in the loss grow from 1 to `lead`; 0: `lead` from the start"
    )
    loss: Literal["mse", "mae", "huber", "quantile", "gaussian_nll", "crps", "flow", "spectral"] = Field(
        "mse",
        description="what is minimised; gaussian_nll: a second network of the same kind forecasts the standard "
        "deviation of the error, state by state; crps: noise enters as a further field, and forecasts are random; "
        "flow: random too, noise is carried to them by a velocity field, which is learned by flow matching",
    )
    level: float = Field(0.5, gt=0, lt=1, description="which quantile the loss `quantile` forecasts")
    samples: int = Field(4, ge=2, le=100, description="random forecasts of each window in the loss `crps`")
    flow_steps: int = Field(
        4, ge=1, le=100, description="steps of the midpoint rule by which the loss `flow` carries noise to a forecast"
    )
    ensemble: int = Field(
        1,
        ge=1,
        le=100,
        description="networks that are trained from different weights; their mean is the forecast, and their variance "
        "a part of that of its error",
    )
    delays: int = Field(0, ge=0, le=20, description="past states that the network sees besides the present one")
    position: bool = Field(
        False, description="where grid points are enters as further fields: sine and cosine along periodic axes"
    )
    integrator: Literal["none", "rk4"] = Field(
        "none",
        description="none: the network gives the increment of the interval; rk4: it is the tendency that the "
        "Runge-Kutta scheme of fourth order takes over the interval, and is trained through it",
    )
    substeps: int = Field(1, ge=1, le=100, description="steps of the Runge-Kutta scheme in an interval")
    conserves: tuple[str, ...] = Field(
        (), description="fields whose mean over the grid no step changes: the increments are projected on that"
    )
    weight_decay: float = Field(0.0, ge=0, description="of the optimizer")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the units of dense hidden layers that each step of training leaves out"
    )
    clip: float | None = Field(
        1.0, gt=0, description="largest norm of the gradient; null, and with l-bfgs: it is not clipped"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where it is trained; auto: on a GPU if torch finds one"
    )

    @model_validator(mode="after")
    def _possible(self) -> "NetworkSettings":
        if self.optimizer == "l-bfgs" and self.weight_decay:
            raise ValueError("weight_decay: l-bfgs has none: leave it at 0")
        if self.loss == "gaussian_nll" and self.lead > 1:
            raise ValueError("loss: gaussian_nll forecasts the error of one step: leave `lead` at 1")
        if self.loss == "flow" and (self.lead > 1 or self.delays or self.conserves or self.ensemble > 1 or self.rk4):
            raise ValueError("loss: flow gives whole increments of one step: it goes with none of lead, delays, "
                             "conserves, ensemble, rk4")  # fmt: skip
        if self.position and (not self.sees_position or self.loss == "flow"):
            raise ValueError(f"position: {self.method} with the loss {self.loss} has no fields for it")
        if self.substeps > 1 and self.integrator == "none":
            raise ValueError("substeps: there is nothing to integrate: set `integrator: rk4`")
        if self.dropout and not self.dense:
            raise ValueError(
                f"dropout: {self.method} has no dense hidden layers: in a convolution the neighbours of what is left "
                "out tell nearly the same, and the forecast misses what a last layer leaves out; use weight_decay"
            )
        return self

    @property
    def steps(self) -> int:
        """Successive steps of a window: those in the loss, after those from which the memory begins."""
        return self.lead + self.warm_up

    @property
    def warm_up(self) -> int:
        """Steps before the first forecast of a window, in which the memory takes up the analyses."""
        return self.delays

    @property
    def memory_steps(self) -> int:
        """The same: after so many analyses, a memory has taken them up."""
        return self.warm_up

    @property
    def noisy(self) -> bool:
        """Whether noise enters the network."""
        return self.loss in ("crps", "flow")

    @property
    def rk4(self) -> bool:
        """Whether the network is a tendency."""
        return self.integrator == "rk4"

    @property
    def local(self) -> bool:
        """Whether each grid point sees its neighbourhood only, now and nothing else."""
        return super().local and not (self.delays or self.noisy or self.conserves or self.position)

    @property
    def threads(self) -> int:
        """How many threads training can use."""
        many = self.batch_size is None or self.batch_size >= MANY
        return 2 if self.side_by_side and many and not self.dropout else 1

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if the fields stand on different grids, of which a network cannot make channels."""
        if unknown := [name for name in self.conserves if name not in geometry.names]:
            raise SettingsError(f"conserves: there is no field {unknown[0]!r}; there are {', '.join(geometry.names)}")
        if self.position:
            places(geometry)
        if len({field.shape for field in geometry.fields}) > 1:
            raise SettingsError(f"{self.method} takes fields as channels, and those of this model have different grids")

    def refuse_without_grid(self, geometry: Geometry, kernel: int) -> None:
        """Raise SettingsError where there is no grid of one axis or two to convolve on, or the kernel is even."""
        if kernel % 2 == 0:
            raise SettingsError(f"{self.method}: the kernel must be odd, not {kernel}")
        if not 1 <= len(geometry.axes) <= 2:
            raise SettingsError(f"{self.method} convolves along one axis or two, and this model has none or more")
        shortest = min(min(field.shape) for field in geometry.fields)
        if kernel > shortest:
            raise SettingsError(f"{self.method}: a kernel of {kernel} points is wider than an axis of {shortest}")
