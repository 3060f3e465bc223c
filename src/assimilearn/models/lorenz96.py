"""Lorenz-96: a ring of sites with advection, damping and forcing.

    dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F

Lorenz (1996), "Predictability: a problem partly solved", ECMWF seminar, eq. 1. Integrated by the classical
fourth-order Runge-Kutta scheme. Cost: about 30 flops per site and step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.errors import SettingsError
from assimilearn.kernels import FAST
from assimilearn.models.geometry import Geometry, ring
from assimilearn.models.protocol import CompiledStep, Identity, Model
from assimilearn.models.runge_kutta import RungeKuttaModel, rk4, rk4_rows
from assimilearn.models.settings import ModelSettings


class Lorenz96Settings(ModelSettings):
    """Lorenz-96 with constant forcing, integrated by RK4."""

    estimable: ClassVar[tuple[str, ...]] = ("forcing",)

    method: Literal["lorenz96"] = "lorenz96"
    size: int = Field(40, ge=4, description="number of sites on the ring")
    forcing: float = Field(8.0, description="constant forcing F; chaotic for F=8")
    time_step: float = Field(0.05, gt=0, le=0.1, description="RK4 step in model time units")


def tendency(x: Any, forcing: Any) -> Any:
    """Time derivative of ``x (..., site)``, NumPy or torch, per MTU."""
    return (moved(x, 1) - moved(x, -2)) * moved(x, -1) - x + forcing


def moved(x: Any, by: int) -> Any:
    """x_(i + by) at site i, round the ring, of ``x (..., site)``, NumPy or torch."""
    return np.roll(x, -by, axis=-1) if isinstance(x, np.ndarray) else x.roll(-by, -1)


@njit(fastmath=FAST, inline="always")
def _tendency(x, parameters, k):
    """Write dx/dt to k; the three wrapped sites stand outside the loop so that it vectorises."""
    F, n = parameters[0], x.size
    k[0] = (x[1] - x[n - 2]) * x[n - 1] - x[0] + F
    k[1] = (x[2] - x[n - 1]) * x[0] - x[1] + F
    for i in range(2, n - 1):
        k[i] = (x[i + 1] - x[i - 2]) * x[i - 1] - x[i] + F
    k[n - 1] = (x[0] - x[n - 3]) * x[n - 2] - x[n - 1] + F


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step(E, parameters):
    """Advance every row of E (member, site) by one RK4 step, in place; parameters are (forcing, dt)."""
    rk4_rows(_tendency, E, parameters[1], parameters)


@njit(cache=True, nogil=True)
def rk4_step_own_forcing(E, parameters):
    """Advance every row of E (member, site + 1), whose last entry is its forcing, by one RK4 step, in place."""
    n = E.shape[1] - 1
    x, own = np.empty((1, n)), parameters.copy()
    for member in range(E.shape[0]):
        own[0] = E[member, n]
        for i in range(n):
            x[0, i] = E[member, i]
        rk4_step(x, own)
        for i in range(n):
            E[member, i] = x[0, i]


class Lorenz96(RungeKuttaModel):
    """The model that goes with :class:`Lorenz96Settings`."""

    parameters = ("forcing",)
    tendency = staticmethod(tendency)
    kernel = staticmethod(rk4_step)

    @property
    def geometry(self) -> Geometry:
        """One field on a ring."""
        return ring(self.settings.size)

    def identities(self) -> list[Identity]:
        """The energy is steady on average, so <x^2> = F <x>; the divergence of the flow is -1 a site, everywhere."""

        def variance(climatology: xr.Dataset) -> float:
            mean = float(climatology["mean"].mean())
            pooled = float((climatology["std"] ** 2 + climatology["mean"] ** 2).mean()) - mean**2
            return pooled / (mean * (self.settings.forcing - mean))

        return [
            Identity("variance_identity", variance, 1.0, 0.02),
            Identity.of_lyapunov_sum(-float(self.size), 0.2),
        ]

    def augmented(self, names: Sequence[str]) -> Model:
        """The same model for states that carry these parameters, each its own, after their sites.

        Raises
        ------
        SettingsError
            If there is another parameter than the forcing among them.
        """
        if list(names) != ["forcing"]:
            raise SettingsError(f"lorenz96 can estimate its forcing, and no other parameter: {', '.join(names)}")
        return OwnForcing(self)


def build(settings: Lorenz96Settings) -> Lorenz96:
    """The model that ``settings`` describe."""
    return Lorenz96(settings)


@dataclass(frozen=True)
class OwnForcing:
    """Lorenz-96 for states (..., site + 1) whose last entry is their forcing, which a step leaves as it is."""

    model: Lorenz96

    @property
    def size(self) -> int:
        """Number of sites, and one."""
        return self.model.size + 1

    @property
    def time_step(self) -> float:
        """Length of one RK4 step in MTU."""
        return self.model.time_step

    @property
    def compiled(self) -> CompiledStep:
        """The step for the compiled cycle; parameters are those of the model, whose forcing is not read."""
        return CompiledStep(rk4_step_own_forcing, self.model.compiled.parameters)

    def step(self, states: np.ndarray) -> np.ndarray:
        """One RK4 step of ``states (..., site + 1)``."""
        x, F = states[..., :-1], states[..., -1:]
        return np.concatenate([rk4(tendency, x, self.time_step, F), F], axis=-1)
