"""Random rotations of an ensemble that keep its mean and covariance.

A square-root filter's ensemble may grow skewed, one member far out (Sakov & Oke 2008, Mon. Wea. Rev. 136, 1042-1053,
section 5). Multiplying the anomalies by an orthogonal matrix that maps the vector of ones to itself mends this.
"""

import numpy as np
from numba import njit

from assimilearn.kernels import FAST


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
    N, n = A.shape
    u, product = np.full(N, 1 / np.sqrt(N)), np.empty(n)
    u[0] -= 1.0
    reflect(A, 0, u, product)
    start = 0
    for k in range(1, N):
        square = 0.0
        for j in range(k, N):
            u[j] = noise[start + j - k]
            square += u[j] * u[j]
        start += N - k
        sign = 1.0 if u[k] >= 0 else -1.0
        if k < N - 1:
            u[k] += sign * np.sqrt(square)
            reflect(A, k, u, product)
            sign = -sign
        for i in range(n):
            A[k, i] *= sign
    for j in range(N):
        u[j] = 1 / np.sqrt(N)
    u[0] -= 1.0
    reflect(A, 0, u, product)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def reflect(A, first, u, product):
    """Reflect the rows of A (row, column) from ``first`` on, in place, in the hyperplane normal to those entries of u.

    ``product (column,)`` is work space.
    """
    N, n = A.shape
    square = 0.0
    for i in range(n):
        product[i] = 0.0
    for j in range(first, N):
        square += u[j] * u[j]
        for i in range(n):
            product[i] += u[j] * A[j, i]
    for j in range(first, N):
        factor = 2 * u[j] / square
        for i in range(n):
            A[j, i] -= factor * product[i]
