"""S S^T and S d of all sites of a tile, each with its own tapers, as one matrix product.

With the products of pairs of rows of S as rows of P (pair, observation), and the tapers W (observation, lane),

    S_i diag(W[:, lane]) S_j^T = (P W)[pair (i, j), lane]

Cost: N (N + 3) m flops a site for m observations in reach of the tile.
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.local.tapers import between_fields, squared_distances, taper_squares
from assimilearn.kernels import FAST


@njit(cache=True, fastmath=FAST, error_model="numpy")
def tapers_of(domain, chosen, rows, near, W):
    """Write the tapers (observation, lane) of the observations ``near`` at the sites ``chosen``; those that count.

    Lanes beyond the sites get 0. Observations whose taper is negligible at all of them are left out.
    """
    positions = np.empty((domain.periods.size, chosen.size))
    for axis in range(domain.periods.size):
        for lane in range(chosen.size):
            positions[axis, lane] = domain.sites[chosen[lane], axis]
    several = domain.factors.size > 0
    fields = np.empty(chosen.size if several else 0)
    for lane in range(fields.size):
        fields[lane] = domain.site_field[chosen[lane]]
    kept, count = np.empty(near.size, np.int64), 0
    for o in near:
        here = W[count, : chosen.size]
        squared_distances(positions, domain.places[rows[o]], domain.periods, here)
        largest = taper_squares(here, domain.taper, domain.radius)
        if several:
            largest = between_fields(domain.factors, domain.place_field[rows[o]], fields, here)
        if largest > 0:
            W[count, chosen.size :] = 0.0
            kept[count] = o
            count += 1
    return kept[:count]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def tapered_products(S, d, kept, W, C, weighted):
    """Write S S^T, its lower triangle, to C (member, member, lane), and S d to ``weighted (member, lane)``."""
    N, lanes, m = S.shape[0], W.shape[1], kept.size
    if m == 0:
        C[:] = 0.0
        weighted[:] = 0.0
        return
    near = np.empty((N + 1, m))
    for k in range(m):
        for j in range(N):
            near[j, k] = S[j, kept[k]]
        near[N, k] = d[kept[k]]
    P, q = np.empty((N * (N + 1) // 2 + N, m)), 0
    for i in range(N + 1):
        for j in range(min(i + 1, N)):
            for k in range(m):
                P[q, k] = near[i, k] * near[j, k]
            q += 1
    G, q = np.dot(P, W[:m]), 0
    for i in range(N):
        for j in range(i + 1):
            for lane in range(lanes):
                C[i, j, lane] = G[q, lane]
            q += 1
    for j in range(N):
        for lane in range(lanes):
            weighted[j, lane] = G[q + j, lane]


@njit(cache=True, error_model="numpy")
def most_between(first):
    """The largest difference of neighbours in ``first``."""
    most = 0
    for k in range(first.size - 1):
        most = max(most, first[k + 1] - first[k])
    return most


@njit(cache=True, error_model="numpy")
def reaching(kept, W, lane, found, weight):
    """Write the observations that reach one lane, and their tapers; how many there are."""
    count = 0
    for k in range(kept.size):
        if W[k, lane] > 0:
            found[count], weight[count] = kept[k], W[k, lane]
            count += 1
    return count
