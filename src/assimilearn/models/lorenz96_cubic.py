"""Lorenz-96 with a cubic term: a truth that Lorenz-96 approximates.

    dx_i/dt = (x_{i+1} - x_{i-2}) x_{i-1} - friction x_i + F
              + nu (x_{i-2} x_i (x_{i+1} - x_{i-3}) - x_{i-1} x_{i+1} (x_{i+2} - x_{i-2}))

Bocquet & Brajard (2023), ECMWF course on machine learning in weather and climate. The term is that of the course's
code, with which its climate and scores were found; the one in its text is mirrored, and conserves the energy.
Integrated by RK4.
"""

from typing import Any, ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.kernels import FAST
from assimilearn.models.geometry import Geometry, ring
from assimilearn.models.runge_kutta import RungeKuttaModel, rk4_rows
from assimilearn.models.settings import ModelSettings


class Lorenz96CubicSettings(ModelSettings):
    """Lorenz-96 with a cubic term, weak friction and strong forcing."""

    estimable: ClassVar[tuple[str, ...]] = ("forcing", "friction", "nu")

    method: Literal["lorenz96-cubic"] = "lorenz96-cubic"
    size: int = Field(40, ge=6, description="number of sites on the ring")
    forcing: float = Field(8.5, description="constant forcing F")
    friction: float = Field(1.01, ge=0, description="rate of linear damping, per MTU")
    nu: float = Field(0.025, ge=0, description="coefficient of the cubic term")
    time_step: float = Field(0.05, gt=0, le=0.1, description="RK4 step in model time units")


def at_site(m3, m2, m1, x, p1, p2, forcing, friction, nu):
    """Time derivative of x, given its neighbours from 3 sites before to 2 after; numbers or arrays."""
    cubic = m2 * x * (p1 - m3) - m1 * p1 * (p2 - m2)
    return (p1 - m2) * m1 + nu * cubic - friction * x + forcing


def tendency(x: Any, forcing: float, friction: float, nu: float) -> Any:
    """Time derivative of ``x (..., site)``, NumPy or torch, per MTU."""
    i = np.arange(x.shape[-1])
    m3, m2, m1, p1, p2 = (x[..., (i + k) % i.size] for k in (-3, -2, -1, 1, 2))
    return at_site(m3, m2, m1, x, p1, p2, forcing, friction, nu)


_at_site = njit(fastmath=FAST, inline="always")(at_site)


@njit(fastmath=FAST, inline="always")
def _tendency(x, parameters, k):
    F, friction, nu = parameters[0], parameters[1], parameters[2]
    n = x.size
    for i in range(3, n - 2):
        k[i] = _at_site(x[i - 3], x[i - 2], x[i - 1], x[i], x[i + 1], x[i + 2], F, friction, nu)
    for j in range(n - 2, n + 3):  # the wrapped sites stand outside the loop so that it vectorises
        i = j % n
        m3, m2, m1, p1, p2 = x[(j - 3) % n], x[(j - 2) % n], x[(j - 1) % n], x[(j + 1) % n], x[(j + 2) % n]
        k[i] = _at_site(m3, m2, m1, x[i], p1, p2, F, friction, nu)


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step(E, parameters):
    """Advance every row of E (member, site) by one RK4 step, in place; parameters: forcing, friction, nu, dt."""
    rk4_rows(_tendency, E, parameters[3], parameters)


class Lorenz96Cubic(RungeKuttaModel):
    """The model that goes with :class:`Lorenz96CubicSettings`."""

    parameters = ("forcing", "friction", "nu")
    tendency = staticmethod(tendency)
    kernel = staticmethod(rk4_step)

    @property
    def geometry(self) -> Geometry:
        """One field on a ring."""
        return ring(self.settings.size)


def build(settings: Lorenz96CubicSettings) -> Lorenz96Cubic:
    """The model that ``settings`` describe."""
    return Lorenz96Cubic(settings)
