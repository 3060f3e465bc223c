"""Correlated errors in compiled loops: their covariance, and whitening by it.

With R = S C S, S the diagonal of standard deviations and C = L L^T the correlation, the whitened observations T y, T =
S L^-1 S^-1, have independent errors with the same standard deviations S. A filter that meets T y and T h(x) in place of
y and h(x) needs to know no more.
"""

import numpy as np
from numba import njit

from assimilearn.kernels import compile_alike

compile_alike()


@njit(cache=True, error_model="numpy")
def distance(one, other, periods):
    """Euclidean distance of two positions (dimension,), the short way round where a period is not 0."""
    total = 0.0
    for a in range(periods.size):
        apart = abs(one[a] - other[a])
        if periods[a] > 0:
            apart = apart % periods[a]
            apart = min(apart, periods[a] - apart)
        total += apart * apart
    return np.sqrt(total)


@njit(cache=True, error_model="numpy")
def error_covariance(variance, sites, correlation):
    """R, (observation, observation), from variances and rows ``sites (observation,)``, and where rows are."""
    p = sites.size
    R = np.zeros((p, p))
    for a in range(p):
        for b in range(p):
            if correlation.length > 0:
                apart = distance(correlation.places[sites[a]], correlation.places[sites[b]], correlation.periods)
                R[a, b] = np.sqrt(variance[a] * variance[b]) * np.exp(-apart / correlation.length)
        R[a, a] = variance[a]
    return R


@njit(cache=True, error_model="numpy")
def whiten(rows, variance, sites, correlation):
    """Turn each row of ``rows (row, observation)`` into T times it, in place. Cost: p^3/3 + row p^2 flops."""
    p = sites.size
    L = error_covariance(np.ones(p), sites, correlation)
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
def leave(rows, variance, sites, correlation):
    """What stands for :func:`whiten` where errors are independent: nothing to compile, nothing to do."""
