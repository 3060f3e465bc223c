"""Observations one at a time: Potter's square root, shared by the methods that use it.

Potter (1964), in Bierman (1977), "Factorization methods for discrete sequential estimation"; Whitaker & Hamill (2002),
Mon. Wea. Rev. 130, 1913-1924, eqs. 10-13. For one observation with error variance r of a site with ensemble variance v:

    K = P H^T / (v + r),    x_a = x_f + K (y - H x_f),    A_a = A - K H A / (1 + sqrt(r / (v + r)))

which is exact for each observation, so for all of them when their errors are independent. Where observations are not
the values of sites, what the later ones are expected to be is updated along with the state, as if it were part of it
(Anderson 2003, Mon. Wea. Rev. 131, 634-642).
"""

import numpy as np
from numba import njit

from assimilearn.kernels import FAST


@njit(cache=True, fastmath=FAST, error_model="numpy")
def serial_update(A, mean, y, variance, sites, divisor):
    """Update anomalies A (row, site) with A^T A / divisor the covariance, and the mean, in place.

    Cost: 4 N n p flops.
    """
    N, n = A.shape
    gain, observed = np.empty(n), np.empty(N)
    for o in range(y.size):
        square = 0.0
        for j in range(N):
            observed[j] = A[j, sites[o]]
            square += observed[j] ** 2
        total = square / divisor + variance[o]
        gain[:] = 0.0
        for j in range(N):
            h = observed[j] / (divisor * total)
            for i in range(n):
                gain[i] += h * A[j, i]
        innovation = y[o] - mean[sites[o]]
        for i in range(n):
            mean[i] += gain[i] * innovation
        contraction = 1 / (1 + np.sqrt(variance[o] / total))
        for j in range(N):
            h = contraction * observed[j]
            for i in range(n):
                A[j, i] -= h * gain[i]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def observed_serial_update(A, mean, Y, predicted, y, variance, divisor):
    """The same for observations of any kind, with their anomalies Y (row, observation) and means; all in place.

    Cost: 4 N (n + p/2) p flops.
    """
    N, n = A.shape
    gain, gain_observed, observed = np.empty(n), np.empty(y.size), np.empty(N)
    for o in range(y.size):
        square = 0.0
        for j in range(N):
            observed[j] = Y[j, o]
            square += observed[j] ** 2
        total = square / divisor + variance[o]
        for i in range(n):
            gain[i] = 0.0
        for q in range(o, y.size):
            gain_observed[q] = 0.0
        for j in range(N):
            h = observed[j] / (divisor * total)
            for i in range(n):
                gain[i] += h * A[j, i]
            for q in range(o, y.size):
                gain_observed[q] += h * Y[j, q]
        innovation = y[o] - predicted[o]
        contraction = 1 / (1 + np.sqrt(variance[o] / total))
        for i in range(n):
            mean[i] += gain[i] * innovation
        for q in range(o, y.size):
            predicted[q] += gain_observed[q] * innovation
        for j in range(N):
            h = contraction * observed[j]
            for i in range(n):
                A[j, i] -= h * gain[i]
            for q in range(o, y.size):
                Y[j, q] -= h * gain_observed[q]
