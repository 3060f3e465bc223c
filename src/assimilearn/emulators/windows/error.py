"""The model error of one interval, from what windows of observations cost.

If the model adds noise of variance q at every site and interval, the minimum of the cost of a window
(:mod:`assimilearn.emulators.windows.kernel`) is, on average and to first order,

    E[J] = p - tr(A^-1 X'X) + q E[e' S^-1 e],     S^-1 = 1 - X A^-1 X',

for p observations, where e is what unit noise does to the (scaled) observations of the window. The last expectation is
that of a random trace estimate (Hutchinson 1990, Commun. Stat. Simul. Comput. 19, 433-450): one noisy tangent vector a
window, carried along the fitted trajectory. The sum over windows gives q: what observations and starts cannot explain.
"""

import numpy as np
from numba import njit

from assimilearn.emulators.windows.data import Batch, Observed
from assimilearn.emulators.windows.kernel import factorise, linearise, tangent_rk4, whole_blocks


def excess_cost(
    observed: Observed,
    batch: Batch,
    starts: np.ndarray,
    length: int,
    model: tuple[np.ndarray, int, int],
    std: float,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """What windows cost beyond a perfect model, and what model error would make of it.

    Parameters
    ----------
    observed : Observed
    batch : Batch
    starts : ndarray (window, site)
        Their fitted starts.
    length : int
        Observation times of a window.
    model : (table, radius, substeps)
    std : float
        Background standard deviation with which the starts were fitted.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    excess, expected, response : float
        Sums over all windows that can be followed: J - E[J], E[J] of a perfect model, and e' S^-1 e.
    """
    sums = np.zeros(3)
    for w in range(batch.starts.size):
        noise = rng.standard_normal((length, starts.shape[1]))
        background = batch.background[w], std
        cost, expected, response = window_response(
            starts[w], batch.starts[w], length, tuple(observed), model, background, noise
        )
        if np.isfinite(cost + response):
            sums += cost - expected, expected, response
    return float(sums[0]), float(sums[1]), float(sums[2])


def model_error(excess: float, expected: float, response: float) -> tuple[float, float]:
    """Standard deviation of the model error of one interval (0 if there is no excess), and its resolution.

    The resolution is the standard deviation that one standard error of the sum of costs, sqrt(2 E[J]), would ask for.
    """
    if not response > 0:
        return float("nan"), float("nan")
    return float(np.sqrt(max(excess, 0.0) / response)), float((2 * max(expected, 0.0)) ** 0.25 / np.sqrt(response))


@njit(cache=True, nogil=True)
def window_response(x, first, length, observed, model, background, noise):
    """Cost of one window, its expectation for a perfect model, and e' S^-1 e for the given ``noise (time, site)``."""
    _, weight, sites, count = observed
    table, radius, substeps = model
    n = x.size
    G = np.empty((n + 1, n + 1))
    cost = linearise(x, first, length, observed, model, background, G)
    if not cost < np.inf or not factorise(G, n):
        return np.inf, 0.0, 0.0
    V, one = np.zeros((n, n)), np.zeros((n, 1))
    K, stage, total = np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    K1, stage1, total1 = np.empty((n, 1)), np.empty((n, 1)), np.empty((n, 1))
    D, F = np.zeros((whole_blocks(2 * radius + 1), n)), np.empty((table.shape[0], n))
    for i in range(n):
        V[i, i] = 1.0
    state, seen, square = x.copy(), np.zeros(n), 0.0
    for t in range(length):
        if t > 0:
            for _ in range(substeps):
                twin = state.copy()
                tangent_rk4(twin, one, table, radius, 1 / substeps, D, F, K1, stage1, total1)
                tangent_rk4(state, V, table, radius, 1 / substeps, D, F, K, stage, total)
            for i in range(n):
                one[i, 0] += noise[t, i]
        for o in range(count[first + t]):
            i, r = sites[first + t, o], weight[first + t, o]
            square += (one[i, 0] * r) ** 2
            for k in range(n):
                seen[k] += V[i, k] * one[i, 0] * r * r
    observations = count[first : first + length].sum()
    expected = observations - n + inverse_trace(G, n) / background[1] ** 2
    return cost, expected, square - squared(G, n, seen)


@njit(cache=True, nogil=True)
def squared(G, n, u):
    """u' A^-1 u, with the Cholesky factor of A in the lower triangle of G."""
    z, total = np.empty(n), 0.0
    for i in range(n):
        z[i] = u[i]
        for k in range(i):
            z[i] -= G[i, k] * z[k]
        z[i] /= G[i, i]
        total += z[i] ** 2
    return total


@njit(cache=True, nogil=True)
def inverse_trace(G, n):
    """Trace of A^-1, with the Cholesky factor of A in the lower triangle of G."""
    unit, total = np.zeros(n), 0.0
    for i in range(n):
        unit[i] = 1.0
        total += squared(G, n, unit)
        unit[i] = 0.0
    return total
