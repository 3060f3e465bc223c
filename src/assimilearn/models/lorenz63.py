"""Lorenz-63: convection between two plates, in three modes.

    dx/dt = sigma (y - x),  dy/dt = x (rho - z) - y,  dz/dt = x y - beta z

Lorenz (1963), J. Atmos. Sci. 20, 130-141, eqs. 25-27. Integrated by RK4.
"""

from typing import Any, Literal

import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.kernels import FAST
from assimilearn.models.geometry import Geometry, joined, without_space
from assimilearn.models.protocol import Identity
from assimilearn.models.runge_kutta import RungeKuttaModel, rk4_rows
from assimilearn.models.settings import ModelSettings


class Lorenz63Settings(ModelSettings):
    """Lorenz-63: the variables x, y and z, without space."""

    method: Literal["lorenz63"] = "lorenz63"
    sigma: float = Field(10.0, gt=0, description="Prandtl number")
    rho: float = Field(28.0, gt=0, description="Rayleigh number over its critical value; chaotic for 28")
    beta: float = Field(8 / 3, gt=0, description="geometric factor")
    time_step: float = Field(0.01, gt=0, le=0.05, description="RK4 step in model time units")


def tendency(x: Any, sigma: float, rho: float, beta: float) -> Any:
    """Time derivative of ``x (..., 3)``, NumPy or torch, per MTU."""
    return joined(modes(x[..., 0:1], x[..., 1:2], x[..., 2:3], sigma, rho, beta))


def modes(x, y, z, sigma, rho, beta):
    """Time derivatives of the three, numbers or arrays."""
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


_modes = njit(fastmath=FAST, inline="always")(modes)


@njit(fastmath=FAST, inline="always")
def _tendency(x, parameters, k):
    k[0], k[1], k[2] = _modes(x[0], x[1], x[2], parameters[0], parameters[1], parameters[2])


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step(E, parameters):
    """Advance every row of E (member, 3) by one RK4 step, in place; parameters are (sigma, rho, beta, dt)."""
    rk4_rows(_tendency, E, parameters[3], parameters)


class Lorenz63(RungeKuttaModel):
    """The model that goes with :class:`Lorenz63Settings`."""

    parameters = ("sigma", "rho", "beta")
    tendency = staticmethod(tendency)
    kernel = staticmethod(rk4_step)

    @property
    def geometry(self) -> Geometry:
        """Three variables without positions."""
        return without_space(["x", "y", "z"])

    def identities(self) -> list[Identity]:
        """On average d(x^2)/dt = 0 and dz/dt = 0, so <x^2> = <x y> = beta <z>; the flow contracts at one rate."""
        s = self.settings

        def square(climatology: xr.Dataset) -> float:
            mean, std = climatology["mean"].values, climatology["std"].values
            return float((mean[0] ** 2 + std[0] ** 2) / (s.beta * mean[2]))

        return [
            Identity("square_identity", square, 1.0, 0.02),
            Identity.of_lyapunov_sum(-(s.sigma + 1 + s.beta), 0.05),
        ]


def build(settings: Lorenz63Settings) -> Lorenz63:
    """The model that ``settings`` describe."""
    return Lorenz63(settings)
