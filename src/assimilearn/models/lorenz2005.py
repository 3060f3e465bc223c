"""Lorenz 2005, models II and III: Lorenz-96 with a spatially smooth field, and with small scales upon it.

    model II:   dZ_n/dt = [Z, Z]_K - Z_n + F
    model III:  Z = X + Y,  X_n = sum'_i (alpha - beta |i|) Z_{n+i}, |i| <= I
                dZ_n/dt = [X, X]_K + b^2 [Y, Y]_1 + c [Y, X]_1 - X_n - b Y_n + F
    with        [X, Y]_K = sum'_j sum'_i (-X_{n-2K-i} Y_{n-K-j} + X_{n-K+j-i} Y_{n+K+j}) / K^2,  |i|, |j| <= J = K // 2

where in sum' the first and the last term count half, except for odd K in [X, Y]_K. Lorenz (2005), J. Atmos. Sci. 62,
1574-1587, eqs. 8-15. For K = 1 model II is Lorenz-96.

A bracket costs O(n), not O(n K^2): with W = sum'_i X_{n-i} / K, and V the same of Y, its first term is
-W_{n-2K} V_{n-K}, and its second one the running mean of the products W_{m-K} Y_{m+K}. Integrated by RK4.
"""

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field, model_validator

from assimilearn.kernels import FAST
from assimilearn.models.geometry import Geometry, ring
from assimilearn.models.protocol import Identity
from assimilearn.models.runge_kutta import RungeKuttaModel, rk4_rows
from assimilearn.models.settings import ModelSettings


class Lorenz2005TwoSettings(ModelSettings):
    """Lorenz 2005, model II: waves many sites long."""

    method: Literal["lorenz2005-ii"] = "lorenz2005-ii"
    size: int = Field(240, ge=4, description="number of sites on the ring")
    averaging: int = Field(8, ge=1, description="number K of sites over which the field is smooth; 1 is Lorenz-96")
    forcing: float = Field(15.0, description="constant forcing F")
    time_step: float = Field(0.025, gt=0, le=0.1, description="RK4 step in model time units")

    @model_validator(mode="after")
    def _fits(self) -> "Lorenz2005TwoSettings":
        if self.size < 4 * self.averaging:
            raise ValueError(f"averaging: the ring needs 4 x {self.averaging} sites or more and has {self.size}")
        return self


class Lorenz2005ThreeSettings(ModelSettings):
    """Lorenz 2005, model III: smooth waves with small scales upon them, in one field."""

    method: Literal["lorenz2005-iii"] = "lorenz2005-iii"
    size: int = Field(960, ge=4, description="number of sites on the ring")
    averaging: int = Field(32, ge=1, description="number K of sites over which the large scales are smooth")
    smoothing: int = Field(12, ge=1, description="I: sites to either side over which large scales are told from small")
    forcing: float = Field(15.0, description="constant forcing F")
    time_ratio: float = Field(10.0, ge=0, description="b: how many times faster the small scales are")
    coupling: float = Field(2.5, ge=0, description="coupling c of the large scales to the small ones")
    time_step: float = Field(0.0025, gt=0, le=0.05, description="RK4 step in model time units")

    @model_validator(mode="after")
    def _fits(self) -> "Lorenz2005ThreeSettings":
        if self.size < max(4 * self.averaging, 2 * self.smoothing + 1):
            raise ValueError(f"size: the ring needs {max(4 * self.averaging, 2 * self.smoothing + 1)} sites or more")
        return self


# ---- plain form, NumPy and torch ------------------------------------------------------------------------------------


def model_two(x: Any, K: float, forcing: float) -> Any:
    """Time derivative of ``x (..., site)`` of model II, NumPy or torch, per MTU."""
    return bracket(x, x, int(K)) - x + forcing


def model_three(x: Any, K: float, r: float, forcing: float, b: float, c: float) -> Any:
    """Time derivative of ``x (..., site)`` of model III, NumPy or torch, per MTU."""
    large = filtered(x, triangle(int(r)))
    small = x - large
    advection = bracket(large, large, int(K)) + b**2 * bracket(small, small, 1) + c * bracket(small, large, 1)
    return advection - large - b * small + forcing


def bracket(x: Any, y: Any, K: int) -> Any:
    """[x, y]_K of two arrays or tensors (..., site)."""
    n, i = x.shape[-1], np.arange(x.shape[-1])
    w, v = filtered(x, window(K)), filtered(y, window(K))
    products = w[..., (i - K) % n] * y[..., (i + K) % n]
    return filtered(products, window(K)) - w[..., (i - 2 * K) % n] * v[..., (i - K) % n]


def filtered(x: Any, weights: tuple[float, ...]) -> Any:
    """sum_i weights_i x_{n+i} around the ring, for symmetric weights of i = -r ... r."""
    n, r = x.shape[-1], len(weights) // 2
    if r == 0:
        return x * weights[0]
    if isinstance(x, np.ndarray):
        return np.fft.irfft(np.fft.rfft(x) * response(weights, n), n)
    import torch

    return torch.fft.irfft(torch.fft.rfft(x) * torch.as_tensor(response(weights, n)), n)


@lru_cache(maxsize=16)
def response(weights: tuple[float, ...], n: int) -> np.ndarray:
    """What a symmetric filter multiplies each wave of a ring of n sites by."""
    kernel, r = np.zeros(n), len(weights) // 2
    np.add.at(kernel, np.arange(-r, r + 1) % n, weights)
    return np.fft.rfft(kernel).real


def window(K: int) -> tuple[float, ...]:
    """Weights of the mean over K sites: for even K of K + 1, the first and the last counting half."""
    J = K // 2
    weights = np.full(2 * J + 1, 1 / K)
    if K % 2 == 0:
        weights[[0, -1]] /= 2
    return tuple(weights)


def triangle(r: int) -> tuple[float, ...]:
    """Weights alpha - beta |i| that leave quadratic fields as they are, the first and the last counting half."""
    alpha, beta = (3 * r**2 + 3) / (2 * r**3 + 4 * r), (2 * r**2 + 1) / (r**4 + 2 * r**2)
    weights = alpha - beta * np.abs(np.arange(-r, r + 1))
    weights[[0, -1]] /= 2
    return tuple(weights)


# ---- compiled -------------------------------------------------------------------------------------------------------


@njit(fastmath=FAST)
def _wrap(x, pad, out):
    """Write x (site,) to out, with ``pad`` sites of the other end before and after it."""
    n = x.size
    for i in range(n):
        out[pad + i] = x[i]
    for i in range(pad):
        out[i] = x[n - pad + i]
        out[pad + n + i] = x[i]


@njit(fastmath=FAST)
def _running_mean(x, K, out):
    """Write the mean of x (site,) over K sites around each site to out, in which for even K both ends count half."""
    n, J = x.size, K // 2
    around = np.empty(n + 2 * J + 2)
    _wrap(x, J + 1, around)
    total = 0.0
    for i in range(2 * J + 1):
        total += around[1 + i]
    for i in range(n):
        left, right = around[i + 1], around[i + 2 * J + 1]
        out[i] = (total if K % 2 else total - 0.5 * (left + right)) / K
        total += around[i + 2 * J + 2] - left


@njit(fastmath=FAST)
def _smooth_bracket(x, K, k):
    """Write [x, x]_K to k."""
    n, pad = x.size, 2 * K
    mean, w, right = np.empty(n), np.empty(n + 2 * pad), np.empty(n + 2 * K)
    _running_mean(x, K, mean)
    _wrap(mean, pad, w)
    _wrap(x, K, right)
    products = np.empty(n)
    for i in range(n):
        products[i] = w[K + i] * right[2 * K + i]
    _running_mean(products, K, mean)
    for i in range(n):
        k[i] = mean[i] - w[i] * w[K + i]


@njit(fastmath=FAST, inline="always")
def _tendency_two(x, parameters, k):
    _smooth_bracket(x, int(parameters[0]), k)
    for i in range(x.size):
        k[i] += parameters[1] - x[i]


@njit(fastmath=FAST, inline="always")
def _tendency_three(x, parameters, k):
    n, K, r = x.size, int(parameters[0]), int(parameters[1])
    F, b, c = parameters[2], parameters[3], parameters[4]
    alpha, beta = (3.0 * r**2 + 3) / (2.0 * r**3 + 4 * r), (2.0 * r**2 + 1) / (1.0 * r**4 + 2 * r**2)
    around, mean = np.empty(n + 2 * r), np.zeros(n)
    _wrap(x, r, around)
    for d in range(2 * r + 1):
        weight = (alpha - beta * abs(d - r)) * (0.5 if abs(d - r) == r else 1.0)
        shifted = around[d : d + n]
        for i in range(n):
            mean[i] += weight * shifted[i]
    large, small = np.empty(n + 4), np.empty(n + 4)
    _wrap(mean, 2, large)
    _wrap(x - mean, 2, small)
    _smooth_bracket(mean, K, k)
    for i in range(n):
        fine = small[i + 1] * (small[i + 3] - small[i])
        mixed = small[i + 1] * large[i + 3] - small[i] * large[i + 1]
        k[i] += b * b * fine + c * mixed - mean[i] - b * small[i + 2] + F


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step_two(E, parameters):
    """Advance every row of E (member, site) of model II by one RK4 step, in place; parameters are (K, F, dt)."""
    rk4_rows(_tendency_two, E, parameters[2], parameters)


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step_three(E, parameters):
    """The same of model III; parameters are (K, I, F, b, c, dt)."""
    rk4_rows(_tendency_three, E, parameters[5], parameters)


# ---- models ---------------------------------------------------------------------------------------------------------


class Lorenz2005Two(RungeKuttaModel):
    """The model that goes with :class:`Lorenz2005TwoSettings`."""

    parameters = ("averaging", "forcing")
    tendency = staticmethod(model_two)
    kernel = staticmethod(rk4_step_two)

    @property
    def geometry(self) -> Geometry:
        """One field on a ring."""
        return ring(self.settings.size)

    def identities(self) -> list[Identity]:
        """The bracket conserves the energy, so <Z^2> = F <Z>; the mean divergence of the flow follows from <Z>."""
        K, F, n = self.settings.averaging, self.settings.forcing, self.size

        def variance(climatology: xr.Dataset) -> float:
            mean = float(climatology["mean"].mean())
            return float((climatology["std"] ** 2 + climatology["mean"] ** 2).mean()) / (F * mean)

        def divergence(climatology: xr.Dataset) -> float:
            own = float(climatology["mean"].mean()) / (4 * K**2) if K % 2 == 0 else 0.0  # half-weights meet: j - i = K
            return n * (own - 1)

        return [Identity("energy_identity", variance, 1.0, 0.02), Identity.of_divergence(divergence, 0.2)]


class Lorenz2005Three(RungeKuttaModel):
    """The model that goes with :class:`Lorenz2005ThreeSettings`."""

    parameters = ("averaging", "smoothing", "forcing", "time_ratio", "coupling")
    tendency = staticmethod(model_three)
    kernel = staticmethod(rk4_step_three)

    @property
    def geometry(self) -> Geometry:
        """One field on a ring."""
        return ring(self.settings.size)


def build(settings: Lorenz2005TwoSettings | Lorenz2005ThreeSettings) -> Lorenz2005Two | Lorenz2005Three:
    """The model that ``settings`` describe."""
    return Lorenz2005Two(settings) if isinstance(settings, Lorenz2005TwoSettings) else Lorenz2005Three(settings)
