"""Persistence: the forecast is the present state. The baseline of short leads."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numba import njit

from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep

LOCAL = True


class PersistenceSettings(EmulatorSettings):
    """Persistence: nothing is learned."""

    method: Literal["persistence"] = "persistence"


def fit(training: Windows, validation: Windows, settings: PersistenceSettings, rng: np.random.Generator) -> Fitted:
    """Persistence has no weights."""
    return Fitted({})


def shapes(settings: PersistenceSettings, size: int) -> dict[str, Shape]:
    """None."""
    return {}


def problems(weights: Mapping[str, np.ndarray], settings: PersistenceSettings) -> list[str]:
    """None beside those of shapes."""
    return []


def compiled(weights: Mapping[str, np.ndarray], settings: PersistenceSettings, geometry: Geometry) -> CompiledStep:
    """The identity."""
    return CompiledStep(persist, np.zeros(0))


class Persistence(NamedTuple):
    """The forecast model of a record without any other: a state stays as it is.

    Attributes
    ----------
    size : number of sites
    time_step : MTU
    """

    size: int
    time_step: float

    @property
    def compiled(self) -> CompiledStep:
        """The identity."""
        return CompiledStep(persist, np.zeros(0))

    def step(self, states: np.ndarray) -> np.ndarray:
        """A copy of ``states (..., site)``."""
        return np.array(states, dtype=float)


@njit(cache=True)
def persist(E, parameters):
    """Leave every row of E (member, site) as it is."""
