"""Small dense algebra for the kernels: centring, products, Cholesky.

Plain loops: at these sizes (10 to 100) they beat LAPACK's overhead, and they cannot raise inside a function pointer. A
matrix that is not positive definite gives NaN, which the cycle reports as a divergence.
"""

import numpy as np
from numba import njit

from assimilearn.kernels import FAST


@njit(cache=True, fastmath=FAST, error_model="numpy")
def centre(E):
    """Subtract from the rows of E (member, column) their mean, in place; the mean (column,)."""
    N, n = E.shape
    mean = np.zeros(n)
    for j in range(N):
        for i in range(n):
            mean[i] += E[j, i]
    for i in range(n):
        mean[i] /= N
    for j in range(N):
        for i in range(n):
            E[j, i] -= mean[i]
    return mean


@njit(cache=True, fastmath=FAST, error_model="numpy")
def recompose(A, mean, inflation):
    """Turn anomalies A (member, site) into members around ``mean``, inflated, in place."""
    for j in range(A.shape[0]):
        for i in range(A.shape[1]):
            A[j, i] = mean[i] + inflation * A[j, i]


@njit(cache=True, error_model="numpy")
def assign(target, values):
    """``target[:] = values`` for matrices, without the message about shapes that numba takes seconds to compile."""
    for j in range(target.shape[0]):
        for i in range(target.shape[1]):
            target[j, i] = values[j, i]


@njit(cache=True, error_model="numpy")
def transposed(M):
    """M^T, in memory order: products by BLAS then are of one kind, and compiled once."""
    T = np.empty((M.shape[1], M.shape[0]))
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            T[j, i] = M[i, j]
    return T


@njit(cache=True, fastmath=FAST, error_model="numpy")
def squared(x):
    """x^T x."""
    total = 0.0
    for j in range(x.size):
        total += x[j] * x[j]
    return total


@njit(cache=True, fastmath=FAST, error_model="numpy")
def through_rows(M, x):
    """M x for M (row, column), x (column,)."""
    result = np.empty(M.shape[0])
    for i in range(M.shape[0]):
        total = 0.0
        for j in range(M.shape[1]):
            total += M[i, j] * x[j]
        result[i] = total
    return result


@njit(cache=True, fastmath=FAST, error_model="numpy")
def through_columns(x, M):
    """M^T x for M (row, column), x (row,)."""
    result = np.zeros(M.shape[1])
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            result[j] += x[i] * M[i, j]
    return result


@njit(cache=True, fastmath=FAST, error_model="numpy")
def row_products(S):
    """S S^T for S (row, column)."""
    return np.dot(S, transposed(S))


@njit(cache=True, fastmath=FAST, error_model="numpy")
def cholesky(C):
    """Overwrite the lower triangle of the symmetric C by its Cholesky factor."""
    for i in range(C.shape[0]):
        for j in range(i + 1):
            total = C[i, j]
            for k in range(j):
                total -= C[i, k] * C[j, k]
            if i == j:
                C[i, i] = np.sqrt(total)
            else:
                C[i, j] = total / C[j, j]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def forward_substitute(L, b):
    """Solve L x = b, in place on the rows of b (row, column)."""
    for i in range(L.shape[0]):
        for k in range(i):
            for c in range(b.shape[1]):
                b[i, c] -= L[i, k] * b[k, c]
        inverse = 1 / L[i, i]
        for c in range(b.shape[1]):
            b[i, c] *= inverse


@njit(cache=True, fastmath=FAST, error_model="numpy")
def back_substitute(L, b):
    """Solve L^T x = b, in place on the rows of b (row, column)."""
    for i in range(L.shape[0] - 1, -1, -1):
        inverse = 1 / L[i, i]
        for c in range(b.shape[1]):
            b[i, c] *= inverse
        for k in range(i):
            for c in range(b.shape[1]):
                b[k, c] -= L[i, k] * b[i, c]


@njit(cache=True, error_model="numpy")
def scaled(Y, y, variance):
    """Turn Y (member, observation) into S = (Y - mean) R^-1/2 / sqrt(N-1), in place.

    Returns
    -------
    ndarray (observation,)
        The scaled innovation R^-1/2 (y - mean).
    """
    N, p = Y.shape
    mean = centre(Y)
    d, factor = np.empty(p), np.empty(p)
    for o in range(p):
        d[o] = (y[o] - mean[o]) / np.sqrt(variance[o])
        factor[o] = 1 / np.sqrt((N - 1) * variance[o])
    for j in range(N):
        for o in range(p):
            Y[j, o] *= factor[o]
    return d


@njit(cache=True, fastmath=FAST, error_model="numpy")
def gain_factor(S, A):
    """The part of K^T sqrt(N-1) = (S^T S + I)^-1 S^T A = S^T (S S^T + I)^-1 A that costs: the smaller matrix is
    factored.

    Returns
    -------
    ndarray (observation, site) or, if there are no fewer observations than members, (member, site)
        To be used with :func:`through_gain`.
    """
    fewer = S.shape[1] < S.shape[0]
    C = row_products(transposed(S) if fewer else S)
    for i in range(C.shape[0]):
        C[i, i] += 1
    factor = np.dot(transposed(S), A) if fewer else A.copy()
    cholesky(C)
    forward_substitute(C, factor)
    back_substitute(C, factor)
    return factor


@njit(cache=True, error_model="numpy")
def through_gain(D, S, factor):
    """D K^T sqrt(N-1) for innovations D (row, observation), scaled by R^-1/2; (row, site)."""
    return np.dot(D if S.shape[1] < S.shape[0] else np.dot(D, transposed(S)), factor)
