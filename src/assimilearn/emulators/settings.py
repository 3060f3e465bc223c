"""What the settings of every emulator share."""

from typing import ClassVar, Literal, Self

from pydantic import Field

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.settings import Settings


class EmulatorSettings(Settings):
    """Settings of any emulator, and what the program must know of it.

    Attributes
    ----------
    compiles : whether its step is a kernel for compiled loops
    differentiates : whether it has a step of tensors too, for tangent and adjoint
    needs : files that it is trained on
    trained_in_epochs : whether training passes over them many times
    homogeneous : whether it learns one function for all sites of a ring
    goes_on : whether it can begin with the weights of an earlier emulator
    states_coefficients : whether its file tells what was learned as coefficients with uncertainties
    more : whether its module has ``more(weights, settings, geometry)``, the optional pieces of its emulator by name:
        ``draws``, ``memory`` and ``begin``, ``error_std``
    """

    compiles: ClassVar[bool] = True
    differentiates: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("analysis",)
    trained_in_epochs: ClassVar[bool] = False
    homogeneous: ClassVar[bool] = False
    goes_on: ClassVar[bool] = False
    states_coefficients: ClassVar[bool] = False
    more: ClassVar[bool] = False

    method: str
    training_times: int | None = Field(
        None, ge=2, description="how many analyses, the last of the training period, are learned from; null: all"
    )

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if one function is to be learned for all sites, and these are not alike."""
        if self.homogeneous and not geometry.is_ring:
            raise SettingsError(
                f"{self.method} learns one function for all sites of a ring, and the sites of this model are not "
                "alike: use an emulator of the whole state, as sklearn with `radius: null`"
            )

    @property
    def local(self) -> bool:
        """Whether each grid point sees its neighbourhood only; the whole state where a ``radius`` is None."""
        return getattr(self, "radius", 0) is not None and getattr(self, "shared", True)

    @property
    def threads(self) -> int:
        """How many threads training can use."""
        return 1

    @property
    def steps(self) -> int:
        """Successive steps of one training example."""
        return 1

    @property
    def memory_steps(self) -> int:
        """Analyses from which a memory is formed, before its forecasts count."""
        return 0

    @property
    def stencil_radius(self) -> int | None:
        """Sites of its stencil to either side, the setting ``radius``; None where there is none."""
        radius: int | None = self.model_dump(include={"radius"}).get("radius")
        return radius

    def needed_times(self, period: Literal["train", "validation"]) -> int:
        """Successive times of a period without which nothing can be learned."""
        return self.steps + 1

    def at_once(self) -> Self:
        """The same settings, for the shortest training that compiles all that they need."""
        return self.model_copy(update={"epochs": 1}) if self.trained_in_epochs else self
