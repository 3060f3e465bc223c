"""What the settings of all networks that are torch modules share."""

from typing import ClassVar, Literal

from pydantic import Field

from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class NetworkSettings(EmulatorSettings):
    """How a torch module is trained; the module adds settings of its own."""

    compiles: ClassVar[bool] = False
    differentiates: ClassVar[bool] = True
    trained_in_epochs: ClassVar[bool] = True

    optimizer: Literal["adam", "adamw", "adagrad", "sgd"] = Field("adam", description="gradient method")
    learning_rate: float = Field(3e-3, gt=0, description="step size of the gradient method")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="how the learning rate falls over the epochs")
    epochs: int = Field(20, ge=1, description="largest number of passes through the training period")
    batch_size: int = Field(64, ge=1, description="windows in a mini-batch")
    patience: int = Field(10, ge=1, description="stop after so many epochs without a smaller validation loss")
    lead: int = Field(1, ge=1, le=64, description="successive steps in the loss; 1 is the one-step loss")
    weight_decay: float = Field(0.0, ge=0, description="of the optimizer")
    clip: float | None = Field(1.0, gt=0, description="largest norm of the gradient; null: it is not clipped")

    @property
    def steps(self) -> int:
        """Successive steps in the loss."""
        return self.lead

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if the fields stand on different grids, of which a network cannot make channels."""
        if len({field.shape for field in geometry.fields}) > 1:
            raise SettingsError(f"{self.method} takes fields as channels, and those of this model have different grids")
