"""Inverse and inverse square root of I + C on one vector, without eigenvectors.

A local transform filter needs, at each site, (I + C)^-1 a and (I + C)^-1/2 a for one vector a only: the anomalies of
that site. C, (member, member), is brought to tridiagonal form T by Householder reflections that map a to its last axis,
so that f(C) a = |a| Q f(T) e_N. The inverse is one tridiagonal solve; the inverse square root a sum of them
(:mod:`assimilearn.assimilation.algebra.poles`), with poles for the smallest interval [1, 4^b] that holds the spectrum
of I + C. The relative error is below 1e-10 up to a ratio of variances of 16,000, and 1e-6 up to 4 million.
Cost: 4/3 N^3 + 6 N flops for each pole, against about 10 N^3, and a call of LAPACK, for eigenvectors.

Many sites are worked on side by side, the site being the last index and the inner loop: long enough to vectorise
whatever N is. Rows are reduced from the last one up, so that all loops start at zero: only then does the compiler know
that no index is negative.
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra.poles import FEW, FEW_COUNTS, INTERVALS
from assimilearn.kernels import FAST


@njit(inline="always", fastmath=FAST, error_model="numpy")
def inverse_and_root(C, a, inverse, root):
    """Write (I + C)^-1 a and (I + C)^-1/2 a, for several pairs of C and a at once.

    Parameters
    ----------
    C : ndarray (member, member, lane)
        Symmetric, positive semidefinite; only the lower triangle is read; overwritten.
    a : ndarray (member, lane)
    inverse, root : ndarray (member, lane)
        Written.
    """
    N, lanes = a.shape
    shifts, weights = poles_of(C)
    to_last, length = np.empty((N, lanes)), np.empty(lanes)
    diagonal, beside = np.empty((N, lanes)), np.empty((N, lanes))
    tridiagonal(C, a, to_last, length, diagonal, beside)
    solve(diagonal, beside, inverse)
    solve_poles(diagonal, beside, shifts, weights, root)
    for k in range(1, N):
        reflect(inverse, C[k], k)
        reflect(root, C[k], k)
    reflect(inverse, to_last, N)
    reflect(root, to_last, N)
    for j in range(N):
        for lane in range(lanes):
            inverse[j, lane] *= length[lane]
            root[j, lane] *= length[lane]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def poles_of(C):
    """Shifts and weights (pole, lane) for the interval of each lane; the trace of C bounds its spectrum.

    There are as many as the largest interval asks for; weights are zero where a lane needs fewer.
    """
    lanes, poles = C.shape[2], 0
    shifts, weights = np.empty((FEW.shape[2], lanes)), np.empty((FEW.shape[2], lanes))
    for lane in range(lanes):
        largest = 1.0
        for j in range(C.shape[0]):
            largest += C[j, j, lane]
        b = 0
        while b < INTERVALS - 1 and 4.0 ** (b + 1) < largest:
            b += 1
        poles = max(poles, FEW_COUNTS[b])
        for s in range(FEW.shape[2]):
            shifts[s, lane], weights[s, lane] = FEW[b, 0, s], FEW[b, 1, s]
    return shifts[:poles], weights[:poles]


@njit(inline="always", fastmath=FAST, error_model="numpy")
def tridiagonal(C, a, to_last, length, diagonal, beside):
    """Bring I + C to tridiagonal form, after a reflection that maps a to the last axis.

    The reflector of a is written to ``to_last``; those of row k, k entries long, to row k of C.
    """
    N, lanes = a.shape
    u, w, z = np.zeros((N, lanes)), np.zeros((N, lanes)), np.empty((N, lanes))
    reflector(a, N, to_last, length)
    reflect_both_sides(C, N, u, w, to_last, z)
    u, w, z = to_last, z, w
    for k in range(N - 1, -1, -1):
        for j in range(k + 1):
            for lane in range(lanes):
                C[k, j, lane] -= u[k, lane] * w[j, lane] + w[k, lane] * u[j, lane]
        for lane in range(lanes):
            diagonal[k, lane] = 1 + C[k, k, lane]
        if k > 0:
            reflector(C[k], k, C[k], beside[k - 1])
            reflect_both_sides(C, k, u, w, C[k], z)
            u, w, z = C[k], z, w


@njit(cache=True, fastmath=FAST, error_model="numpy")
def reflector(x, m, u, length):
    """Write u, |u|^2 = 2, with (I - u u^T) x = (0 ... 0, length) for the first m entries of x; u is 0 where x is."""
    lanes = length.size
    for lane in range(lanes):
        length[lane] = 0.0
    for j in range(m):
        for lane in range(lanes):
            length[lane] += x[j, lane] ** 2
    scale = np.empty(lanes)
    for lane in range(lanes):
        length[lane] = -np.sqrt(length[lane]) if x[m - 1, lane] > 0 else np.sqrt(length[lane])
        square = length[lane] * (length[lane] - x[m - 1, lane])
        scale[lane] = 1 / np.sqrt(square) if square > 0 else 0.0
    for j in range(m):
        for lane in range(lanes):
            u[j, lane] = x[j, lane] * scale[lane]
    for lane in range(lanes):
        u[m - 1, lane] -= length[lane] * scale[lane]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def reflect_both_sides(C, m, u, w, v, z):
    """Finish one reflection of the leading m x m block of C and prepare the next, in one pass over its lower triangle.

    C becomes C - u w^T - w u^T, which is (I - u u^T) C (I - u u^T) for the w of the call before; z is written such
    that C - v z^T - z v^T is the next one.
    """
    lanes = u.shape[1]
    for i in range(m):
        for lane in range(lanes):
            z[i, lane] = 0.0
    for i in range(m):
        for j in range(i):
            for lane in range(lanes):
                c = C[i, j, lane] - u[i, lane] * w[j, lane] - w[i, lane] * u[j, lane]
                C[i, j, lane] = c
                z[i, lane] += c * v[j, lane]
                z[j, lane] += c * v[i, lane]
        for lane in range(lanes):
            C[i, i, lane] -= 2 * u[i, lane] * w[i, lane]
            z[i, lane] += C[i, i, lane] * v[i, lane]
    inner = np.zeros(lanes)
    for i in range(m):
        for lane in range(lanes):
            inner[lane] += z[i, lane] * v[i, lane] / 2
    for i in range(m):
        for lane in range(lanes):
            z[i, lane] -= inner[lane] * v[i, lane]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def reflect(x, u, m):
    """(I - u u^T) x on the first m entries."""
    lanes = x.shape[1]
    product = np.zeros(lanes)
    for j in range(m):
        for lane in range(lanes):
            product[lane] += u[j, lane] * x[j, lane]
    for j in range(m):
        for lane in range(lanes):
            x[j, lane] -= product[lane] * u[j, lane]


@njit(inline="always", fastmath=FAST, error_model="numpy")
def solve(diagonal, beside, x):
    """Solve T x = e_N for the symmetric tridiagonal T, eliminating from the first row down."""
    N, lanes = diagonal.shape
    inverse_pivot = np.empty((N, lanes))
    eliminate(diagonal, beside, inverse_pivot)
    for lane in range(lanes):
        x[N - 1, lane] = inverse_pivot[N - 1, lane]
    for k in range(N - 2, -1, -1):
        for lane in range(lanes):
            x[k, lane] = -beside[k, lane] * x[k + 1, lane] * inverse_pivot[k, lane]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def eliminate(diagonal, beside, inverse_pivot):
    """Write one over the pivots of T, from the first row down."""
    N, lanes = diagonal.shape
    for lane in range(lanes):
        inverse_pivot[0, lane] = 1 / diagonal[0, lane]
    for k in range(1, N):
        for lane in range(lanes):
            above = beside[k - 1, lane] ** 2 * inverse_pivot[k - 1, lane]
            inverse_pivot[k, lane] = 1 / (diagonal[k, lane] - above)


@njit(inline="always", fastmath=FAST, error_model="numpy")
def solve_poles(diagonal, beside, shifts, weights, total):
    """The sum over poles of weight (T + shift)^-1 e_N."""
    N, lanes = diagonal.shape
    shifted, inverse_pivot, x = np.empty((N, lanes)), np.empty((N, lanes)), np.empty(lanes)
    for k in range(N):
        for lane in range(lanes):
            total[k, lane] = 0.0
    for s in range(shifts.shape[0]):
        for k in range(N):
            for lane in range(lanes):
                shifted[k, lane] = diagonal[k, lane] + shifts[s, lane]
        eliminate(shifted, beside, inverse_pivot)
        for lane in range(lanes):
            x[lane] = weights[s, lane] * inverse_pivot[N - 1, lane]
            total[N - 1, lane] += x[lane]
        for k in range(N - 2, -1, -1):
            for lane in range(lanes):
                x[lane] *= -beside[k, lane] * inverse_pivot[k, lane]
                total[k, lane] += x[lane]
