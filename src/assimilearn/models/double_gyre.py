"""The wind-driven double gyre: one and a half quasi-geostrophic layers in a square basin, y the slow axis.

    q_t = -psi_x - r J(psi, q) - RKH2 lap^3 psi - 2 pi sin(2 pi y),     q = lap psi - F psi,     0 <= x, y <= 1,

with J(a, b) = a_x b_y - a_y b_x and psi = lap psi = lap^2 psi = 0 on the boundary, so that q = 0 there and stays 0.
Sakov & Oke (2008), Tellus A 60, 361-371, section 4. The state is the streamfunction psi, boundary included.

All operators are of second order on points h = 1 / (points - 1) apart: the five-point Laplacian, the Jacobian of
Arakawa (1966), J. Comput. Phys. 1, 119-143, which conserves energy and enstrophy, a centred difference for psi_x.
Integrated in q by RK4. psi follows from q at every stage by a sine transform along x and tridiagonal systems along y.

Two forms of one step stand here. The plain one, of NumPy or torch arrays, inverts by sine transforms along both axes,
written as matrix products. The compiled one uses that the sines are even or odd about the middle, which halves the
products. They agree to round-off.

Cost: for n = points^2 sites about 8 points^3 flops a step; 0.8 ms at 129 x 129.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numba import njit
from pydantic import Field, field_validator

from assimilearn.kernels import FAST, compile_alike
from assimilearn.models.geometry import Geometry, grid
from assimilearn.models.protocol import CompiledStep
from assimilearn.models.runge_kutta import rk4
from assimilearn.models.settings import ModelSettings

compile_alike()

FIELD = "psi"
HEADER = 5  # numbers before the tables in the parameters of the compiled step


class DoubleGyreSettings(ModelSettings):
    """Quasi-geostrophic double gyre in a square basin, reduced gravity, driven by wind."""

    method: Literal["double-gyre"] = "double-gyre"
    points: int = Field(129, ge=9, description="points along each side, boundary included; odd")
    F: float = Field(1600.0, ge=0, description="squared ratio of the side of the basin to the deformation radius")
    r: float = Field(1e-5, ge=0, description="factor on the advection of q by the flow")
    RKH2: float = Field(
        2e-12, ge=0, description="biharmonic friction: coefficient of lap^3 psi; 2e-11 steadies small ensembles"
    )
    wind: float = Field(1.0, ge=0, description="factor on the curl of the wind stress, -2 pi sin(2 pi y)")
    start_std: float = Field(0.01, ge=0, description="standard deviation of psi at the start of a free run, near rest")
    time_step: float = Field(1.25, gt=0, description="RK4 step in model time units")

    @field_validator("points")
    @classmethod
    def _odd(cls, points: int) -> int:
        if points % 2 == 0:
            raise ValueError("must be odd, so that one row of points stands between the two gyres")
        return points


# ---- the plain form -------------------------------------------------------------------------------------------------


def inside(x: Any) -> Any:
    """``x (..., y, x)`` without its boundary."""
    return x[..., 1:-1, 1:-1]


def padded(x: Any) -> Any:
    """``x (..., y, x)``, NumPy or torch, with a boundary of zeros around it."""
    if isinstance(x, np.ndarray):
        return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)])
    import torch

    return torch.nn.functional.pad(x, (1, 1, 1, 1))


def laplacian(x: Any, h: float) -> Any:
    """Five-point Laplacian of ``x (..., y, x)`` at the points inside."""
    around = x[..., 1:-1, :-2] + x[..., 1:-1, 2:] + x[..., :-2, 1:-1] + x[..., 2:, 1:-1]
    return (around - 4 * inside(x)) / h**2


def jacobian(a: Any, b: Any, h: float) -> Any:
    """Arakawa's J(a, b) of ``a, b (..., y, x)`` at the points inside: the mean of three forms of a_x b_y - a_y b_x.

    Its sums times a and times b vanish to round-off where a and b are zero on the boundary.
    """
    west, here, east = slice(None, -2), slice(1, -1), slice(2, None)
    south, north = west, east

    def at(x: Any, y_part: slice, x_part: slice) -> Any:
        return x[..., y_part, x_part]

    aE, aW, aN, aS = at(a, here, east), at(a, here, west), at(a, north, here), at(a, south, here)
    bE, bW, bN, bS = at(b, here, east), at(b, here, west), at(b, north, here), at(b, south, here)
    aNE, aNW, aSE, aSW = at(a, north, east), at(a, north, west), at(a, south, east), at(a, south, west)
    bNE, bNW, bSE, bSW = at(b, north, east), at(b, north, west), at(b, south, east), at(b, south, west)
    plus_plus = (aE - aW) * (bN - bS) - (aN - aS) * (bE - bW)
    plus_cross = aE * (bNE - bSE) - aW * (bNW - bSW) - aN * (bNE - bNW) + aS * (bSE - bSW)
    cross_plus = bN * (aNE - aNW) - bS * (aSE - aSW) - bE * (aNE - aSE) + bW * (aNW - aSW)
    return (plus_plus + plus_cross + cross_plus) / (12 * h**2)


@dataclass(frozen=True)
class DoubleGyre:
    """The model that goes with :class:`DoubleGyreSettings`."""

    settings: DoubleGyreSettings

    @property
    def h(self) -> float:
        """Distance of two points, in sides of the basin."""
        return 1.0 / (self.settings.points - 1)

    @property
    def size(self) -> int:
        """Number of sites."""
        return self.settings.points**2

    @property
    def time_step(self) -> float:
        """Length of one RK4 step in MTU."""
        return self.settings.time_step

    @cached_property
    def geometry(self) -> Geometry:
        """One field on a bounded plane; distances are in grid points."""
        return grid({FIELD: (self.settings.points, self.settings.points)}, spacing=1.0, periodic=False)

    @cached_property
    def sines(self) -> np.ndarray:
        """Orthonormal sines S (point inside, wavenumber): S is symmetric, and its own inverse."""
        k = np.arange(1, self.settings.points - 1)
        return np.sqrt(2 * self.h) * np.sin(np.pi * self.h * np.outer(k, k))

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Of the second difference over h^2, for every wavenumber: -4 / h^2 sin^2(pi k h / 2)."""
        k = np.arange(1, self.settings.points - 1)
        return -4 / self.h**2 * np.sin(np.pi * k * self.h / 2) ** 2

    @cached_property
    def curl(self) -> np.ndarray:
        """Curl of the wind stress at each y, (point,)."""
        return -2 * np.pi * self.settings.wind * np.sin(2 * np.pi * np.linspace(0, 1, self.settings.points))

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Near rest: small noise breaks the symmetry about the middle."""
        m = self.settings.points - 2
        return padded(self.settings.start_std * rng.standard_normal((m, m))).ravel()

    def vorticity(self, psi: Any) -> Any:
        """Potential vorticity q (..., y, x) inside, of ``psi (..., y, x)`` with its boundary."""
        return laplacian(psi, self.h) - self.settings.F * inside(psi)

    def streamfunction(self, q: Any) -> Any:
        """psi (..., y, x) with its boundary, of ``q (..., y, x)`` inside: the inverse of :meth:`vorticity`."""
        S = self._alike(self.sines, q)
        symbol = self._alike(self.eigenvalues[:, None] + self.eigenvalues - self.settings.F, q)
        return padded(S @ ((S @ q @ S) / symbol) @ S)

    def tendency(self, q: Any) -> Any:
        """dq/dt of ``q (..., y, x)`` inside, per MTU; NumPy or torch."""
        s, h = self.settings, self.h
        psi, q = self.streamfunction(q), padded(q)
        lap2 = padded(laplacian(q + s.F * psi, h))
        beta = (psi[..., 1:-1, 2:] - psi[..., 1:-1, :-2]) / (2 * h)
        wind = self._alike(self.curl[1:-1, None], q)
        return -beta - s.r * jacobian(psi, q, h) - s.RKH2 * laplacian(lap2, h) + wind

    def step(self, states: Any) -> Any:
        """One step of ``states (..., site)``, NumPy or torch; what stands on the boundary becomes 0."""
        n = self.settings.points
        psi = padded(inside(states.reshape((*states.shape[:-1], n, n))))
        q = rk4(self.tendency, self.vorticity(psi), self.time_step)
        return self.streamfunction(q).reshape(states.shape)

    def differentiable(self, tensor: Any) -> Any:
        """One step of a torch tensor (..., site) that gradients flow through."""
        return self.step(tensor)

    @cached_property
    def compiled(self) -> CompiledStep:
        """The step for the compiled cycle; its parameters hold the tables that :func:`invert` needs."""
        s, half = self.settings, self.settings.points // 2
        pivots = np.zeros((2, s.points - 2, half))
        for part in range(2):
            diagonal = (self.eigenvalues[part::2] - s.F) * self.h**2 - 2
            last = np.zeros(diagonal.size)
            for row in range(s.points - 2):
                last = pivots[part, row, : diagonal.size] = 1 / (diagonal - last)
        numbers = np.array([s.points, s.time_step, s.F, s.r, s.RKH2], dtype=float)
        tables = (self.curl, self.sines[:half, ::2], self.sines[: half - 1, 1::2], pivots)
        return CompiledStep(rk4_step, np.concatenate([numbers, *(table.ravel() for table in tables)]))

    @staticmethod
    def _alike(table: np.ndarray, other: Any) -> Any:
        """``table`` as an array of the kind of ``other``."""
        return table if isinstance(other, np.ndarray) else other.new_tensor(table)


def build(settings: DoubleGyreSettings) -> DoubleGyre:
    """The model that ``settings`` describe."""
    return DoubleGyre(settings)


# ---- the compiled form ----------------------------------------------------------------------------------------------


@njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def write_laplacian(x, h, out):
    """Five-point Laplacian of x (y, x) at the points inside; the boundary of ``out`` is left as it is."""
    n = x.shape[0]
    for j in range(1, n - 1):
        for i in range(1, n - 1):
            out[j, i] = (x[j, i - 1] + x[j, i + 1] + x[j - 1, i] + x[j + 1, i] - 4 * x[j, i]) / h**2


@njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def write_tendency(a, b, curl, F, r, friction, out, zeta, lap2):
    """dq/dt at the points inside, for psi = a and q = b; zeta and lap2 are work space, zero on the boundary."""
    n = a.shape[0]
    h = 1.0 / (n - 1)
    for j in range(1, n - 1):
        for i in range(1, n - 1):
            zeta[j, i] = b[j, i] + F * a[j, i]
    write_laplacian(zeta, h, lap2)
    for j in range(1, n - 1):
        for i in range(1, n - 1):
            aE, aW, aN, aS = a[j, i + 1], a[j, i - 1], a[j + 1, i], a[j - 1, i]
            bE, bW, bN, bS = b[j, i + 1], b[j, i - 1], b[j + 1, i], b[j - 1, i]
            aNE, aNW, aSE, aSW = a[j + 1, i + 1], a[j + 1, i - 1], a[j - 1, i + 1], a[j - 1, i - 1]
            bNE, bNW, bSE, bSW = b[j + 1, i + 1], b[j + 1, i - 1], b[j - 1, i + 1], b[j - 1, i - 1]
            advection = (aE - aW) * (bN - bS) - (aN - aS) * (bE - bW)
            advection += aE * (bNE - bSE) - aW * (bNW - bSW) - aN * (bNE - bNW) + aS * (bSE - bSW)
            advection += bN * (aNE - aNW) - bS * (aSE - aSW) - bE * (aNE - aSE) + bW * (aNW - aSW)
            lap3 = (lap2[j, i - 1] + lap2[j, i + 1] + lap2[j - 1, i] + lap2[j + 1, i] - 4 * lap2[j, i]) / h**2
            out[j, i] = -(aE - aW) / (2 * h) - r * advection / (12 * h**2) - friction * lap3 + curl[j]


@njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def invert(q, odd_sines, even_sines, pivots, psi):
    """Write psi of q: sine transform along x, tridiagonal systems along y (Thomas), and back.

    Odd wavenumbers are even about the middle of the basin, even ones are odd about it, so that each set needs the sums
    or the differences of the two halves only.

    Parameters
    ----------
    odd_sines, even_sines : ndarray (point of the first half, wavenumber)
    pivots : ndarray (2, row, wavenumber)
        Reciprocal pivots of the elimination, for odd and for even wavenumbers.
    """
    m, half = q.shape[0] - 2, q.shape[0] // 2
    h2 = 1.0 / (m + 1) ** 2
    odd, even = np.empty((m, half)), np.empty((m, half - 1))
    for j in range(m):
        for i in range(half - 1):
            odd[j, i] = q[j + 1, i + 1] + q[j + 1, m - i]
            even[j, i] = q[j + 1, i + 1] - q[j + 1, m - i]
        odd[j, half - 1] = q[j + 1, half]
    odd, even = np.dot(odd, odd_sines), np.dot(even, even_sines)
    for part in range(2):
        f, p = (odd if part == 0 else even), pivots[part]
        for k in range(f.shape[1]):
            f[0, k] *= h2
        for j in range(1, m):
            for k in range(f.shape[1]):
                f[j, k] = h2 * f[j, k] - p[j - 1, k] * f[j - 1, k]
        for k in range(f.shape[1]):
            f[m - 1, k] *= p[m - 1, k]
        for j in range(m - 2, -1, -1):
            for k in range(f.shape[1]):
                f[j, k] = (f[j, k] - f[j + 1, k]) * p[j, k]
    odd, even = np.dot(odd, odd_sines.T), np.dot(even, even_sines.T)
    for j in range(m):
        for i in range(half - 1):
            psi[j + 1, i + 1] = odd[j, i] + even[j, i]
            psi[j + 1, m - i] = odd[j, i] - even[j, i]
        psi[j + 1, half] = odd[j, half - 1]


@njit(cache=True, fastmath=FAST, error_model="numpy", nogil=True)
def rk4_step(E, parameters):
    """Advance every row of E (member, site) by one RK4 step of q, in place; parameters are those of ``compiled``."""
    n = int(parameters[0])
    dt, F, r, friction = parameters[1], parameters[2], parameters[3], parameters[4]
    m, half, start = n - 2, n // 2, HEADER
    curl = parameters[start : start + n]
    start += n
    odd_sines = parameters[start : start + half * half].reshape(half, half)
    start += half * half
    even_sines = parameters[start : start + (half - 1) ** 2].reshape(half - 1, half - 1)
    start += (half - 1) ** 2
    pivots = parameters[start : start + 2 * m * half].reshape(2, m, half)
    q, stage, psi = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    k, total, zeta, lap2 = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    for member in range(E.shape[0]):
        state = E[member].reshape(n, n)
        psi[1:-1, 1:-1] = state[1:-1, 1:-1]
        write_laplacian(psi, 1.0 / (n - 1), q)
        for j in range(1, n - 1):
            for i in range(1, n - 1):
                q[j, i] -= F * psi[j, i]
                stage[j, i] = q[j, i]
                total[j, i] = 0.0
        for s in range(4):
            write_tendency(psi, stage, curl, F, r, friction, k, zeta, lap2)
            weight = 2.0 if s == 1 or s == 2 else 1.0
            ahead = dt if s == 2 else dt / 2
            for j in range(1, n - 1):
                for i in range(1, n - 1):
                    total[j, i] += weight * k[j, i]
                    stage[j, i] = q[j, i] + (dt / 6 * total[j, i] if s == 3 else ahead * k[j, i])
            invert(stage, odd_sines, even_sines, pivots, psi)
        for j in range(n):
            for i in range(n):
                state[j, i] = psi[j, i]
