"""Lorenz-96: a ring of sites with advection, damping and forcing.

    dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F

Lorenz (1996), "Predictability: a problem partly solved", ECMWF seminar, eq. 1. Integrated by the classical
fourth-order Runge-Kutta scheme. Cost: about 30 flops per site and step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.errors import SettingsError
from assimilearn.kernels import FAST, compile_alike
from assimilearn.models.protocol import CompiledStep, Model
from assimilearn.models.settings import ModelSettings

compile_alike()


class Lorenz96Settings(ModelSettings):
    """Lorenz-96 with constant forcing, integrated by RK4."""

    estimable: ClassVar[tuple[str, ...]] = ("forcing",)

    method: Literal["lorenz96"] = "lorenz96"
    size: int = Field(40, ge=4, description="number of sites on the ring")
    forcing: float = Field(8.0, description="constant forcing F; chaotic for F=8")
    time_step: float = Field(0.05, gt=0, le=0.1, description="RK4 step in model time units")


@dataclass(frozen=True)
class Lorenz96:
    """The model that goes with :class:`Lorenz96Settings`."""

    settings: Lorenz96Settings

    @property
    def size(self) -> int:
        """Number of sites."""
        return self.settings.size

    @property
    def time_step(self) -> float:
        """Length of one RK4 step in MTU."""
        return self.settings.time_step

    @property
    def compiled(self) -> CompiledStep:
        """The step for the compiled cycle; parameters are (forcing, time step)."""
        return CompiledStep(rk4_step, np.array([self.settings.forcing, self.settings.time_step]))

    def step(self, states: Any) -> Any:
        """One RK4 step of ``states (..., site)``, NumPy or torch; torch gradients flow through."""
        return rk4(states, self.settings.forcing, self.time_step)

    def carrying(self, names: Sequence[str]) -> Model:
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
        return np.concatenate([rk4(x, F, self.time_step), F], axis=-1)


def rk4(x: Any, F: Any, dt: float) -> Any:
    """One RK4 step of ``x (..., site)``, NumPy or torch, with forcing F, a number or (..., 1)."""
    k1 = tendency(x, F)
    k2 = tendency(x + dt / 2 * k1, F)
    k3 = tendency(x + dt / 2 * k2, F)
    k4 = tendency(x + dt * k3, F)
    return x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def tendency(x: Any, forcing: Any) -> Any:
    """Time derivative of ``x (..., site)``, NumPy or torch, per MTU."""
    i = np.arange(x.shape[-1])
    n = x.shape[-1]
    return (x[..., (i + 1) % n] - x[..., i - 2]) * x[..., i - 1] - x + forcing


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step(E, parameters):
    """Advance every row of E (member, site) by one RK4 step, in place."""
    F, dt = parameters[0], parameters[1]
    n = E.shape[1]
    k, stage, total = np.empty(n), np.empty(n), np.empty(n)
    for member in range(E.shape[0]):
        x = E[member]
        _ring_tendency(x, F, k)
        for i in range(n):
            total[i] = k[i]
            stage[i] = x[i] + dt / 2 * k[i]
        _ring_tendency(stage, F, k)
        for i in range(n):
            total[i] += 2 * k[i]
            stage[i] = x[i] + dt / 2 * k[i]
        _ring_tendency(stage, F, k)
        for i in range(n):
            total[i] += 2 * k[i]
            stage[i] = x[i] + dt * k[i]
        _ring_tendency(stage, F, k)
        for i in range(n):
            x[i] += dt / 6 * (total[i] + k[i])


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


@njit(cache=True, fastmath=FAST, inline="always")
def _ring_tendency(x, F, k):
    """Write the tendency of x into k; the three wrapped sites stand outside the loop so that it vectorises."""
    n = x.size
    k[0] = (x[1] - x[n - 2]) * x[n - 1] - x[0] + F
    k[1] = (x[2] - x[n - 1]) * x[0] - x[1] + F
    for i in range(2, n - 1):
        k[i] = (x[i + 1] - x[i - 2]) * x[i - 1] - x[i] + F
    k[n - 1] = (x[0] - x[n - 3]) * x[n - 2] - x[n - 1] + F
