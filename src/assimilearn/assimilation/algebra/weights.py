"""Weighted members: likelihood, moments, effective number, and drawing anew.

Kitagawa (1996), J. Comput. Graph. Stat. 5, 1-25, for systematic resampling; Musso, Oudjane & Le Gland (2001), in
"Sequential Monte Carlo Methods in Practice", Springer, 247-271, for the regularization of copies.
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.background.climatology import ROUND_OFF


@njit(cache=True, error_model="numpy")
def log_likelihood(Y, y, variance):
    """Logarithm of the likelihood of members that would observe Y (member, observation), but for a constant."""
    total = np.zeros(Y.shape[0])
    for j in range(Y.shape[0]):
        for o in range(y.size):
            total[j] -= 0.5 * (y[o] - Y[j, o]) ** 2 / variance[o]
    return total


def reweighted(w: np.ndarray, log_factor: np.ndarray) -> np.ndarray:
    """Weights w (member,) times exp(log_factor), normalized."""
    product = w * np.exp(log_factor - log_factor[w > 0].max())
    return product / product.sum()


@njit(cache=True, error_model="numpy")
def weighted_moments(E, w):
    """Mean and variance of the weighted members; the divisor of the variance is 1 - sum(w^2), its unbiased form."""
    N, n = E.shape
    mean, variance = np.zeros(n), np.zeros(n)
    for j in range(N):
        for i in range(n):
            mean[i] += w[j] * E[j, i]
    for j in range(N):
        for i in range(n):
            variance[i] += w[j] * (E[j, i] - mean[i]) ** 2
    return mean, variance / unbiased(w)


@njit(cache=True, error_model="numpy")
def unbiased(w):
    """1 - sum(w^2), or 1 where a single member has all the weight."""
    rest = 1 - np.sum(w**2)
    return rest if rest > 1e-8 else 1.0


def effective_size(w: np.ndarray) -> float:
    """1 / sum(w^2): N for equal weights, 1 if one member has all."""
    return float(1 / np.sum(w**2))


def systematic(w: np.ndarray, rng: np.random.Generator, count: int | None = None) -> np.ndarray:
    """Indices (count,), rising, of members drawn by systematic resampling; by default as many as there are weights.

    Each is drawn w count times, rounded up or down.
    """
    count = w.size if count is None else count
    places = (np.arange(count) + rng.random()) / count
    return np.minimum(np.searchsorted(np.cumsum(w), places), w.size - 1)


def resample(
    E: np.ndarray, w: np.ndarray, regularization: float, rng: np.random.Generator, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Members of equal weight, of which those drawn more than once are moved, and their weights.

    The n sites of E (member, site + memory) are moved; each keeps the memory of the member that it is drawn from.
    """
    N = len(E)
    chosen = systematic(w, rng)
    # the first copy is moved too: were it not, few members would soon be the ancestors of all, and lose the truth
    copies = np.flatnonzero(np.bincount(chosen, minlength=N)[chosen] > 1)
    drawn = E[chosen]
    if regularization > 0 and copies.size > 0:
        covariance = weighted_covariance(E[:, :n], w)
        round_off = ROUND_OFF * covariance.trace() / n + np.finfo(float).tiny  # N may be too small for full rank
        root = np.linalg.cholesky(covariance + round_off * np.eye(n))
        drawn[copies, :n] += regularization * scott(N, n) * rng.standard_normal((copies.size, n)) @ root.T
    return drawn, np.full(N, 1 / N)


def weighted_covariance(E: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Covariance (site, site) of the weighted members."""
    anomalies = E - w @ E
    return (anomalies * w[:, None]).T @ anomalies / unbiased(w)


def scott(N: int, n: int) -> float:
    """Scott's rule: bandwidth of a kernel around each of N members of n sites, in standard deviations of these."""
    return float(N ** (-1 / (n + 4)))
