"""The symmetric inverse square root of one small matrix, without eigenvectors.

C (order N) is brought to tridiagonal form T by Householder reflections, C = Q T Q^T, and

    (I + C)^-1/2 = Q [sum of weight (T + (1 + shift) I)^-1] Q^T

with the poles of :mod:`assimilearn.assimilation.algebra.poles`: the inverse of a tridiagonal matrix costs N^2 flops.
LAPACK's eigenvectors take three times as long at the orders of an ensemble (20 to 40). The first reflection maps a
given vector a to the last axis, so that quantities like a^T (I + C)^-1 a cost N flops more.
Cost: 14/3 N^3 + N^2 flops for each pole.

Rows are reduced from the last one up, so that all loops start at zero: only then does the compiler know that no index
is negative.
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra.poles import INTERVALS, MANY, MANY_COUNTS
from assimilearn.assimilation.algebra.small import transposed
from assimilearn.kernels import FAST


@njit(cache=True, fastmath=FAST, error_model="numpy")
def tridiagonal(C, a):
    """Reduce the symmetric C, in place; its rows then hold the reflectors.

    Parameters
    ----------
    C : ndarray (row, row)
    a : ndarray (row,)
        The vector that is mapped to the last axis.

    Returns
    -------
    reflector_of_a : ndarray (row,)
    diagonal : ndarray (row,)
    beside : ndarray (row,)
        The entry of T beside each of the diagonal's; the last is not used.
    """
    N = a.size
    reflector_of_a, diagonal, beside = np.empty(N), np.empty(N), np.zeros(N)
    u, w, v, z = np.zeros(N), np.zeros(N), np.empty(N), np.empty(N)
    reflector(a, N, reflector_of_a)
    for j in range(N):
        v[j] = reflector_of_a[j]
    reflect_both_sides(C, N, u, w, v, z)
    for k in range(N - 1, 0, -1):
        u, w, v, z = v, z, u, w
        for j in range(k + 1):
            C[k, j] -= u[k] * w[j] + w[k] * u[j]
        diagonal[k] = C[k, k]
        beside[k - 1] = reflector(C[k], k, v)
        for j in range(k):
            C[k, j] = v[j]
        reflect_both_sides(C, k, u, w, v, z)
    diagonal[0] = C[0, 0] - 2 * v[0] * z[0]
    return reflector_of_a, diagonal, beside


@njit(cache=True, fastmath=FAST, error_model="numpy")
def reflector(x, m, u):
    """Write u, |u|^2 = 2, with (I - u u^T) x = (0 ... 0, length) for the first m entries of x; u is 0 where x is.

    Returns the length, signed.
    """
    square = 0.0
    for j in range(m):
        square += x[j] * x[j]
    last = x[m - 1]
    length = -np.sqrt(square) if last > 0 else np.sqrt(square)
    square = length * (length - last)
    scale = 1 / np.sqrt(square) if square > 0 else 0.0
    for j in range(m):
        u[j] = x[j] * scale
    u[m - 1] -= length * scale
    return length


@njit(cache=True, fastmath=FAST, error_model="numpy")
def reflect_both_sides(C, m, u, w, v, z):
    """Finish one reflection of the leading m x m block of C and prepare the next, in one pass over it.

    C becomes C - u w^T - w u^T, which is (I - u u^T) C (I - u u^T) for the w of the call before; z is written such
    that C - v z^T - z v^T is the next one.
    """
    inner = 0.0
    for i in range(m):
        from_u, from_w, total = u[i], w[i], 0.0
        for j in range(m):
            entry = C[i, j] - from_u * w[j] - from_w * u[j]
            C[i, j] = entry
            total += entry * v[j]
        z[i] = total
        inner += total * v[i] / 2
    for i in range(m):
        z[i] -= inner * v[i]


@njit(inline="always", error_model="numpy")
def inverse_root(C, reflector_of_a, diagonal, beside, scale, defect):
    """(I + scale C)^-1/2 from the reduced C, see :func:`tridiagonal`; or its defect.

    The defect is (I - (I + scale C)^-1/2) (scale C)^-1, which is defined for singular C too: with C = S^T S it gives
    (I + scale S S^T)^-1/2 = I - scale S (defect) S^T. Since the poles give 1 at z = 1, a weight is divided by
    1 + shift. One function for both, and inlined, since each would cost seconds to compile.
    """
    shifts, weights = poles_for(diagonal, scale)
    if defect:
        for s in range(shifts.size):
            weights[s] /= 1 + shifts[s]
    Q = axes(C, reflector_of_a)
    return np.dot(Q, np.dot(sum_of_inverses(diagonal, beside, scale, shifts, weights), transposed(Q)))


@njit(cache=True, error_model="numpy")
def poles_for(diagonal, scale):
    """Shifts and weights (pole,) for the spectrum of I + scale C, which its trace bounds."""
    largest = 1.0
    for k in range(diagonal.size):
        largest += scale * diagonal[k]
    interval = 0
    while interval < INTERVALS - 1 and 4.0 ** (interval + 1) < largest:
        interval += 1
    count = MANY_COUNTS[interval]
    return MANY[interval, 0, :count].copy(), MANY[interval, 1, :count].copy()


@njit(cache=True, fastmath=FAST, error_model="numpy")
def axes(C, reflector_of_a):
    """Q (row, row), from the reflectors in the reduced C and the first one."""
    N = reflector_of_a.size
    Q, u, combined = np.zeros((N, N)), np.empty(N), np.empty(N)
    for k in range(N):
        Q[k, k] = 1.0
    for k in range(1, N + 1):
        for j in range(k):
            u[j] = C[k, j] if k < N else reflector_of_a[j]
        reflect(Q, k, u, combined)
    return Q


@njit(cache=True, fastmath=FAST, error_model="numpy")
def reflect(Q, m, u, combined):
    """(I - u u^T) Q on the leading m x m block of Q; ``combined`` is work space."""
    for i in range(m):
        combined[i] = 0.0
    for j in range(m):
        for i in range(m):
            combined[i] += u[j] * Q[j, i]
    for j in range(m):
        for i in range(m):
            Q[j, i] -= u[j] * combined[i]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def sum_of_inverses(diagonal, beside, scale, shifts, weights):
    """The sum over poles of weight (scale T + (1 + shift) I)^-1, (row, row)."""
    N, poles = diagonal.size, shifts.size
    from_first, from_last = pivots(diagonal, beside, scale, shifts)
    ratio, x, G = np.empty((N, poles)), np.empty(poles), np.empty((N, N))
    for k in range(N - 1):
        for s in range(poles):
            ratio[k, s] = -scale * beside[k] / from_first[k, s]
    for j in range(N):
        total = 0.0
        for s in range(poles):
            x[s] = weights[s] / (from_first[j, s] + from_last[j, s] - scale * diagonal[j] - 1 - shifts[s])
            total += x[s]
        G[j, j] = total
        for i in range(j - 1, -1, -1):
            G[i, j] = multiply(x, ratio[i])
            G[j, i] = G[i, j]
    return G


@njit(cache=True, fastmath=FAST, error_model="numpy")
def pivots(diagonal, beside, scale, shifts):
    """Pivots (row, pole) of scale T + (1 + shift) I, eliminated from the first row down and from the last row up."""
    N, poles = diagonal.size, shifts.size
    from_first, from_last = np.empty((N, poles)), np.empty((N, poles))
    for s in range(poles):
        from_first[0, s] = scale * diagonal[0] + 1 + shifts[s]
        from_last[N - 1, s] = scale * diagonal[N - 1] + 1 + shifts[s]
    for k in range(1, N):
        square = (scale * beside[k - 1]) ** 2
        for s in range(poles):
            from_first[k, s] = scale * diagonal[k] + 1 + shifts[s] - square / from_first[k - 1, s]
    for k in range(N - 2, -1, -1):
        square = (scale * beside[k]) ** 2
        for s in range(poles):
            from_last[k, s] = scale * diagonal[k] + 1 + shifts[s] - square / from_last[k + 1, s]
    return from_first, from_last


@njit(cache=True, fastmath=FAST, error_model="numpy")
def multiply(x, factor):
    """Multiply x by ``factor``, in place, entry by entry; returns its sum."""
    total = 0.0
    for s in range(x.size):
        x[s] *= factor[s]
        total += x[s]
    return total
