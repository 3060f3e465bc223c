"""Errors that are correlated between the sites observed at one time, and how they are made independent.

The correlation falls exponentially with the distance d on the ring, exp(-d / length): a covariance on a ring for every
length. With R = S C S, S the diagonal of standard deviations and C = L L^T, the transformed observations T y, T =
S L^-1 S^-1, have independent errors with the same standard deviations S. A filter that meets T y and T h(x) in place of
y and h(x) needs to know no more.
"""

import numpy as np
import xarray as xr
from numba import njit

from assimilearn.errors import FileError

ATTRIBUTE = "error_correlation_length"


def correlation(length: float, size: int) -> np.ndarray:
    """Correlation at distances 0, 1, 2 ... of a ring of ``size`` sites."""
    return np.exp(-np.arange(size // 2 + 1) / length)


def correlation_of(observations: xr.Dataset, size: int) -> np.ndarray:
    """The correlation by distance that a file of observations states; empty for independent errors.

    Raises
    ------
    FileError
        If the attribute ``error_correlation_length`` is not a positive number of sites.
    """
    length = observations.attrs.get(ATTRIBUTE)
    if length is None:
        return np.empty(0)
    if not (isinstance(length, int | float | np.number) and np.isfinite(length) and length > 0):
        raise FileError(f"the attribute {ATTRIBUTE} of the observations must be a positive number of sites: {length!r}")
    return correlation(float(length), size)


@njit(cache=True, error_model="numpy")
def error_covariance(variance, sites, rho, size):
    """R, (observation, observation), from variances, sites (observation,) and the correlation by distance."""
    p = sites.size
    R = np.zeros((p, p))
    for a in range(p):
        for b in range(p):
            distance = abs(sites[a] - sites[b])
            if rho.size > 0:
                R[a, b] = np.sqrt(variance[a] * variance[b]) * rho[min(distance, size - distance)]
        R[a, a] = variance[a]
    return R


@njit(cache=True, error_model="numpy")
def make_independent(rows, variance, sites, rho, size):
    """Turn each row of ``rows (row, observation)`` into T times it, in place. Cost: p^3/3 + row p^2 flops."""
    p = sites.size
    L = error_covariance(np.ones(p), sites, rho, size)
    for i in range(p):
        for j in range(i + 1):
            total = L[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            L[i, j] = np.sqrt(total) if i == j else total / L[j, j]
    for row in rows:
        for i in range(p):
            total = row[i] / np.sqrt(variance[i])
            for k in range(i):
                total -= L[i, k] * row[k]
            row[i] = total / L[i, i]
        for i in range(p):
            row[i] *= np.sqrt(variance[i])
