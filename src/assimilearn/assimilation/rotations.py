"""Random rotations of an ensemble that keep its mean and covariance.

A square-root filter's ensemble may grow skewed, one member far out (Sakov & Oke 2008, Mon. Wea. Rev. 136, 1042-1053,
section 5). Multiplying the anomalies by an orthogonal matrix that maps the vector of ones to itself mends this.
"""

import numpy as np
from numba import njit

from assimilearn.models.lorenz96 import FAST


def rotation_noise(members: int) -> int:
    """Standard normal numbers that :func:`rotate` needs."""
    return members * (members - 1) // 2


@njit(cache=True, fastmath=FAST, error_model="numpy")
def rotate(A, noise):
    """Rotate the anomalies A (member, site) in place.

    The rotation is uniform over all that keep the mean. In a basis whose first vector is that of ones, where the first
    row of A vanishes, the others are turned by a uniform orthogonal matrix, applied as the product of Householder
    reflections of Stewart (1980), SIAM J. Numer. Anal. 17, 403-409. Cost: 2 N^2 n flops, no matrix is formed.

    Parameters
    ----------
    A : ndarray (member, site)
        Columns sum to zero.
    noise : ndarray (N (N - 1) / 2,)
        Standard normal numbers.
    """
    N = A.shape[0]
    to_ones = np.full(N, 1 / np.sqrt(N))
    to_ones[0] -= 1.0
    reflect(A, to_ones)
    start = 0
    for k in range(1, N):
        u = noise[start : start + N - k].copy()
        start += N - k
        sign = 1.0 if u[0] >= 0 else -1.0
        if k < N - 1:
            u[0] += sign * np.sqrt(np.dot(u, u))
            reflect(A[k:], u)
            sign = -sign
        for i in range(A.shape[1]):
            A[k, i] *= sign
    reflect(A, to_ones)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def reflect(A, u):
    """Reflect the rows of A (row, column), in place, in the hyperplane normal to u (row,)."""
    m, n = A.shape
    product, square = np.zeros(n), 0.0
    for j in range(m):
        square += u[j] * u[j]
        for i in range(n):
            product[i] += u[j] * A[j, i]
    for j in range(m):
        factor = 2 * u[j] / square
        for i in range(n):
            A[j, i] -= factor * product[i]
