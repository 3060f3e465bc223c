"""The prior of an ensemble's inflation, for the methods that infer it: EnKF-N and IEnKS.

Bocquet (2011), Nonlin. Processes Geophys. 18, 735-750; with the correction of the mode of Bocquet, Raanes & Hannart
(2015), Nonlin. Processes Geophys. 22, 645-662, eqs. 30-36: see :mod:`assimilearn.assimilation.methods.enkf_n`.
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra.inverse_root import pivots


@njit(cache=True, error_model="numpy")
def hyperprior(N, q, certainty):
    """The coefficients e and c of the cost function of the inflation.

    Parameters
    ----------
    N : int
        Members.
    q : float
        Mean eigenvalue of (I + S S^T)^-1: 1 where observations tell nothing.
    certainty : float
        Weight of the prior, xN in DAPPER.
    """
    e, c = (N + 1) / N, N / (N - 1)
    m = np.sqrt((e / c) ** q)
    return certainty * e / m, certainty * c * m


@njit(cache=True, error_model="numpy")
def trace_of_inverse(diagonal, beside):
    """Trace of (I + T)^-1."""
    from_first, from_last = pivots(diagonal, beside, 1.0, np.zeros(1))
    total = 0.0
    for k in range(diagonal.size):
        total += 1 / (from_first[k, 0] + from_last[k, 0] - 1 - diagonal[k])
    return total
