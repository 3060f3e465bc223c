"""The symmetric ensemble transform, in the space of members or of observations, whichever is smaller.

With anomalies A (member, site), scaled observed anomalies S = A_y R^-1/2 / sqrt(N-1) and scaled innovation d = R^-1/2
(y - H x_f):

    x_a = x_f + A^T w / sqrt(N-1),  w = (I + S S^T)^-1 S d,      A_a = T A,  T = (I + S S^T)^-1/2

The mean is moved by A_a^T T S d. With fewer observations than members T = I - S G S^T, where G, of the order of the
observations, is (I - (I + S^T S)^-1/2) (S^T S)^-1.
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra import (
    assign,
    column_products,
    row_products,
    through_columns,
    through_rows,
    transposed,
)
from assimilearn.assimilation.inverse_root import inverse_root, tridiagonal


@njit(inline="always", error_model="numpy")
def transform(A, mean, S, d):
    """Update the anomalies A and the mean in place."""
    C, reflector, diagonal, beside = reduced(S, d)
    transform_reduced(A, mean, S, d, C, reflector, diagonal, beside, 1.0)


@njit(inline="always", error_model="numpy")
def reduced(S, d):
    """The smaller of S S^T and S^T S in tridiagonal form (:mod:`assimilearn.assimilation.inverse_root`).

    The last axis is S d, or d where S^T S is the smaller one.
    """
    fewer = S.shape[1] < S.shape[0]
    C = column_products(S) if fewer else row_products(S)
    reflector, diagonal, beside = tridiagonal(C, d if fewer else through_rows(S, d))
    return C, reflector, diagonal, beside


@njit(inline="always", error_model="numpy")
def transform_reduced(A, mean, S, d, C, reflector, diagonal, beside, prior):
    """Update the anomalies and the mean in place, the covariance of the forecast multiplied by ``prior``."""
    b, fewer = through_rows(S, d), S.shape[1] < S.shape[0]
    F = inverse_root(C, reflector, diagonal, beside, prior, fewer)
    if fewer:
        A -= prior * np.dot(S, np.dot(F, np.dot(transposed(S), A)))
        b -= prior * through_rows(S, through_rows(F, through_columns(b, S)))
    else:
        assign(A, np.dot(F, A))
        b = through_rows(F, b)
    mean += prior / np.sqrt(A.shape[0] - 1) * through_columns(b, A)
    A *= np.sqrt(prior)
