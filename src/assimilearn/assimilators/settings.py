"""What the settings of learned analysis steps share."""

from typing import ClassVar, Literal

from pydantic import Field

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.settings import Settings


class AssimilatorSettings(Settings):
    """Settings of any learned analysis step.

    Attributes
    ----------
    needs : files that it is trained on, besides the forecast model; the truth only where the settings ask for it
    """

    method: str

    @property
    def needs(self) -> tuple[str, ...]:
        """Kinds of files that it is trained on."""
        return ("observations", "climate", "model")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if the step cannot be made for states on this geometry."""


class NetworkSettings(AssimilatorSettings):
    """How a network that analyses one state is trained: through the cycle, with the forecast model in it.

    Many trajectories start at random times of the training period and are analysed side by side. The gradient goes back
    through ``unroll`` cycles, forecasts included; then the states are kept and the graph is let go.
    """

    memory: ClassVar[int] = 0

    learns_from: Literal["truth", "observations"] = Field(
        "truth",
        description="what the analysis is held against: the truth of the training period, or its next observations, "
        "by the innovations of the forecasts",
    )
    iterations: int = Field(2000, ge=1, description="steps of the gradient method")
    batch_size: int = Field(64, ge=1, description="trajectories side by side")
    unroll: int = Field(5, ge=1, le=200, description="cycles that the gradient goes back through")
    learning_rate: float = Field(3e-3, gt=0, description="largest step size of Adam; it falls as a cosine")
    warm_up: int = Field(100, ge=0, description="iterations over which the step size rises from 0")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    averaging: float = Field(
        0.998, ge=0, lt=1, description="decay, in a step, of the running mean of the weights, which is what is kept"
    )
    restarts: float = Field(
        0.003, ge=0, le=1, description="share of the trajectories that start anew, elsewhere, after each cycle"
    )
    checkpoints: bool = Field(
        False, description="recompute each cycle in the backward pass instead of keeping its activations"
    )
    validations: int = Field(10, ge=1, description="how often the validation period is cycled during training")

    @property
    def needs(self) -> tuple[str, ...]:
        """With the truth only if it learns from the truth."""
        return (*super().needs, *(["truth"] if self.learns_from == "truth" else []))

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if the fields stand on different grids, of which a network cannot make channels."""
        if len({field.shape for field in geometry.fields}) > 1:
            raise SettingsError(f"{self.method} takes fields as channels, and those of this model have different grids")
