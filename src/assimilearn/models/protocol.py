"""What a forecast model is: the one protocol that joins physics, emulators and assimilation."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np


class CompiledStep(NamedTuple):
    """A model step that the compiled cycle can call.

    Attributes
    ----------
    step : numba dispatcher ``step(ensemble, parameters) -> None``
        Advances every row of ``ensemble (member, site)``, float64 and C-contiguous, in place by one step. It should
        release the GIL (``nogil=True``): runs on threads then go side by side.
    parameters : ndarray (parameter,)
        Everything that the step needs, as one float64 vector.
    """

    step: Any
    parameters: np.ndarray


@runtime_checkable
class Model(Protocol):
    """Anything that maps states one step forward.

    Lorenz-96 is a Model; so is a trained emulator. Every assimilation method takes any Model.
    """

    @property
    def size(self) -> int:
        """Number of sites of one state."""

    @property
    def time_step(self) -> float:
        """Length of one step, in model time units (MTU)."""

    @property
    def compiled(self) -> CompiledStep | None:
        """The same step for the compiled cycle, or None if there is only ``step``."""

    def step(self, states: np.ndarray) -> np.ndarray:
        """Map ``states (..., site)`` one step forward; the input is left as it was."""


class PhysicalModel(Model, Protocol):
    """A Model that its settings describe whole, so that a file can hold them and give the model back."""

    @property
    def settings(self) -> Any:
        """Settings with a ``method``."""
