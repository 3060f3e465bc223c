"""Correlated errors in compiled loops: their covariance, and the transformation that makes them independent."""

import numpy as np
from numba import njit

from assimilearn.kernels import compile_alike

compile_alike()


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


@njit(cache=True, error_model="numpy")
def leave(rows, variance, sites, rho, size):
    """What stands for :func:`make_independent` where errors are independent: nothing to compile, nothing to do."""
