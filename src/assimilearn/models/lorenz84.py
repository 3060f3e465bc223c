"""Lorenz-84: the westerly wind and two phases of a large-scale wave, forced by contrasts of heating.

    dx/dt = -y^2 - z^2 - a x + a F,  dy/dt = x y - b x z - y + G,  dz/dt = b x y + x z - z

Lorenz (1984), Tellus 36A, 98-110, eqs. 1-3. x is the strength of the westerly wind, y and z are the cosine and sine
phases of the wave; one MTU is 5 days. Integrated by RK4.
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


class Lorenz84Settings(ModelSettings):
    """Lorenz-84: the variables x, y and z, without space."""

    method: Literal["lorenz84"] = "lorenz84"
    a: float = Field(0.25, gt=0, description="rate of damping of the westerly wind, per MTU")
    b: float = Field(4.0, ge=0, description="displacement of the wave by the westerly wind")
    F: float = Field(8.0, description="symmetric heating contrast; chaotic for 8")
    G: float = Field(1.0, description="asymmetric heating contrast; chaotic for 1")
    time_step: float = Field(0.05, gt=0, le=0.1, description="RK4 step in model time units")


def tendency(x: Any, a: float, b: float, F: float, G: float) -> Any:
    """Time derivative of ``x (..., 3)``, NumPy or torch, per MTU."""
    return joined(modes(x[..., 0:1], x[..., 1:2], x[..., 2:3], a, b, F, G))


def modes(x, y, z, a, b, F, G):
    """Time derivatives of the three, numbers or arrays."""
    return a * (F - x) - y * y - z * z, x * y - b * x * z - y + G, b * x * y + x * z - z


_modes = njit(fastmath=FAST, inline="always")(modes)


@njit(fastmath=FAST, inline="always")
def _tendency(x, parameters, k):
    a, b, F, G = parameters[0], parameters[1], parameters[2], parameters[3]
    k[0], k[1], k[2] = _modes(x[0], x[1], x[2], a, b, F, G)


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step(E, parameters):
    """Advance every row of E (member, 3) by one RK4 step, in place; parameters are (a, b, F, G, dt)."""
    rk4_rows(_tendency, E, parameters[4], parameters)


class Lorenz84(RungeKuttaModel):
    """The model that goes with :class:`Lorenz84Settings`."""

    parameters = ("a", "b", "F", "G")
    tendency = staticmethod(tendency)
    kernel = staticmethod(rk4_step)

    @property
    def geometry(self) -> Geometry:
        """Three variables without positions."""
        return without_space(["x", "y", "z"])

    def identities(self) -> list[Identity]:
        """On average dx/dt = 0, so <y^2 + z^2> = a (F - <x>); the divergence of the flow is 2 x - 2 - a."""
        a, F = self.settings.a, self.settings.F

        def waves(climatology: xr.Dataset) -> float:
            mean, std = climatology["mean"].values, climatology["std"].values
            return float((mean[1:] ** 2 + std[1:] ** 2).sum() / (a * (F - mean[0])))

        return [
            Identity("wave_identity", waves, 1.0, 0.02),
            Identity.of_divergence(lambda climatology: 2 * float(climatology["mean"][0]) - 2 - a, 0.05),
        ]


def build(settings: Lorenz84Settings) -> Lorenz84:
    """The model that ``settings`` describe."""
    return Lorenz84(settings)
