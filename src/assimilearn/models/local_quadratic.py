"""A ring whose tendency is any combination of the 18 monomials of up to second order of sites at most two apart.

    dx_i/dt = sum over k of a_k m_k(x_{i-2}, x_{i-1}, x_i, x_{i+1}, x_{i+2})

m_k are 1, the five values, their five squares, and the seven products of two values that are one or two sites apart.
Chen, Sanz-Alonso & Willett (2022), SIAM J. Math. Data Sci. 4, 801-833, section 5.2, learn the coefficients from
observations. By default they are those of Lorenz-96, 8 - x_i + x_{i-1} x_{i+1} - x_{i-2} x_{i-1}. Integrated by RK4;
with other coefficients a forecast may grow without bounds. Cost: about 170 flops per site and step.

Coefficients are named after the offsets of their sites: ``m2`` for i - 2, ``c`` for i, ``p1`` for i + 1.
"""

from typing import Any, Literal

from numba import njit
from pydantic import Field

from assimilearn.kernels import FAST
from assimilearn.models.geometry import Geometry, ring
from assimilearn.models.lorenz96 import moved
from assimilearn.models.runge_kutta import RungeKuttaModel, rk4_rows
from assimilearn.models.settings import ModelSettings

OFFSETS = {"m2": -2, "m1": -1, "c": 0, "p1": 1, "p2": 2}
MONOMIALS = (
    *("one", "m2", "m1", "c", "p1", "p2"),
    *("m2_m2", "m1_m1", "c_c", "p1_p1", "p2_p2"),
    *("m2_m1", "m1_c", "c_p1", "p1_p2", "m2_c", "m1_p1", "c_p2"),
)
"""Names of the coefficients, in their order."""


class LocalQuadraticSettings(ModelSettings):
    """Ring with a local quadratic tendency: 18 coefficients, by default those of Lorenz-96."""

    method: Literal["local-quadratic"] = "local-quadratic"
    size: int = Field(40, ge=5, description="number of sites on the ring")
    one: float = Field(8.0, description="constant forcing")
    m2: float = Field(0.0, description="coefficient of x_{i-2}")
    m1: float = Field(0.0, description="coefficient of x_{i-1}")
    c: float = Field(-1.0, description="coefficient of x_i")
    p1: float = Field(0.0, description="coefficient of x_{i+1}")
    p2: float = Field(0.0, description="coefficient of x_{i+2}")
    m2_m2: float = Field(0.0, description="coefficient of the square of x_{i-2}")
    m1_m1: float = Field(0.0, description="coefficient of the square of x_{i-1}")
    c_c: float = Field(0.0, description="coefficient of the square of x_i")
    p1_p1: float = Field(0.0, description="coefficient of the square of x_{i+1}")
    p2_p2: float = Field(0.0, description="coefficient of the square of x_{i+2}")
    m2_m1: float = Field(-1.0, description="coefficient of x_{i-2} x_{i-1}")
    m1_c: float = Field(0.0, description="coefficient of x_{i-1} x_i")
    c_p1: float = Field(0.0, description="coefficient of x_i x_{i+1}")
    p1_p2: float = Field(0.0, description="coefficient of x_{i+1} x_{i+2}")
    m2_c: float = Field(0.0, description="coefficient of x_{i-2} x_i")
    m1_p1: float = Field(1.0, description="coefficient of x_{i-1} x_{i+1}")
    c_p2: float = Field(0.0, description="coefficient of x_i x_{i+2}")
    time_step: float = Field(0.01, gt=0, le=0.1, description="RK4 step in model time units")


def tendency(x: Any, *coefficients: Any) -> Any:
    """Time derivative of ``x (..., site)``, NumPy or torch, per MTU."""
    around = {name: moved(x, by) if by else x for name, by in OFFSETS.items()}
    total = coefficients[0] + 0 * x
    for name, a in zip(MONOMIALS[1:], coefficients[1:], strict=True):
        first, _, second = name.partition("_")
        total = total + a * (around[first] * around[second] if second else around[first])
    return total


@njit(fastmath=FAST, inline="always")
def _tendency(x, a, k):
    n = x.size
    for i in range(n):
        m2, m1, c, p1, p2 = x[i - 2], x[i - 1], x[i], x[(i + 1) % n], x[(i + 2) % n]
        k[i] = a[0] + a[1] * m2 + a[2] * m1 + a[3] * c + a[4] * p1 + a[5] * p2
        k[i] += (
            m2 * (a[6] * m2 + a[11] * m1 + a[15] * c)
            + m1 * (a[7] * m1 + a[12] * c + a[16] * p1)
            + c * (a[8] * c + a[13] * p1 + a[17] * p2)
            + p1 * (a[9] * p1 + a[14] * p2)
            + a[10] * p2 * p2
        )


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step(E, parameters):
    """Advance every row of E (member, site) by one RK4 step, in place; parameters are the coefficients and dt."""
    rk4_rows(_tendency, E, parameters[parameters.size - 1], parameters)


class LocalQuadratic(RungeKuttaModel):
    """The model that goes with :class:`LocalQuadraticSettings`."""

    parameters = MONOMIALS
    tendency = staticmethod(tendency)
    kernel = staticmethod(rk4_step)

    @property
    def geometry(self) -> Geometry:
        """One field on a ring."""
        return ring(self.settings.size)


def build(settings: LocalQuadraticSettings) -> LocalQuadratic:
    """The model that ``settings`` describe."""
    return LocalQuadratic(settings)
