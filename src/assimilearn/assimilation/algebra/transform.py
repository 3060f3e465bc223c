"""The symmetric ensemble transform, in the space of members or of observations, whichever is smaller.

With anomalies A (member, site), scaled observed anomalies S = A_y R^-1/2 / sqrt(N-1) and scaled innovation d = R^-1/2
(y - H x_f):

    x_a = x_f + A^T w / sqrt(N-1),  w = (I + S S^T)^-1 S d,      A_a = T A,  T = (I + S S^T)^-1/2

The mean is moved by A_a^T T S d. With fewer observations than members T = I - S G S^T, where G, of the order of the
observations, is (I - (I + S^T S)^-1/2) (S^T S)^-1.
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra.inverse_root import inverse_root, tridiagonal
from assimilearn.assimilation.algebra.small import (
    assign,
    row_products,
    through_columns,
    through_rows,
    transposed,
)


@njit(inline="always", error_model="numpy")
def transform(A, mean, S, d):
    """Update the anomalies A and the mean in place."""
    C, reflector, diagonal, beside = reduced(S, d)
    transform_reduced(A, mean, S, d, C, reflector, diagonal, beside, 1.0)


@njit(inline="always", error_model="numpy")
def reduced(S, d):
    """The smaller of S S^T and S^T S in tridiagonal form (:mod:`assimilearn.assimilation.algebra.inverse_root`).

    The last axis is S d, or d where S^T S is the smaller one.
    """
    fewer = S.shape[1] < S.shape[0]
    C = row_products(transposed(S) if fewer else S)
    reflector, diagonal, beside = tridiagonal(C, d if fewer else through_rows(S, d))
    return C, reflector, diagonal, beside


@njit(inline="always", error_model="numpy")
def transform_reduced(A, mean, S, d, C, reflector, diagonal, beside, prior):
    """Update the anomalies and the mean in place, the covariance of the forecast multiplied by ``prior``."""
    fewer = S.shape[1] < S.shape[0]
    T = inverse_root(C, reflector, diagonal, beside, prior, fewer)
    if fewer:
        T = np.dot(S, np.dot(T, transposed(S)))
        complement(T, prior)
    assign(A, np.dot(T, A))
    increment = through_columns(through_rows(T, through_rows(S, d)), A)
    rescale(A, mean, increment, prior)


@njit(cache=True, error_model="numpy")
def complement(M, factor):
    """I - factor M, in place on M (row, row)."""
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            M[i, j] *= -factor
        M[i, i] += 1.0


@njit(cache=True, error_model="numpy")
def rescale(A, mean, increment, prior):
    """Multiply the anomalies by the root of ``prior``, and add to the mean the increment times its due, in place."""
    for i in range(mean.size):
        mean[i] += prior / np.sqrt(A.shape[0] - 1) * increment[i]
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            A[j, i] *= np.sqrt(prior)
