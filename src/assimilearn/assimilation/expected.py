"""What the climatology expects of an observation, before any is made.

Under the climate's normal law z = w . x of a site is normal, with mean m and variance s^2, and the best linear
estimate of the state from y = f(z) + error is that of a linear instrument (statistical linearisation; Gelb 1974,
"Applied optimal estimation", section 6.2)

    y = E f(z) + a (z - m) + e + error,     a = E f'(z) = Cov(z, f(z)) / s^2,     Var e = Var f(z) - a^2 s^2

where e, what no straight line explains, is taken as independent between observations. A tangent at the mean would not
do: the climate is far wider than the stretch over which f is straight. For a linear operator both are the same.
"""

from typing import NamedTuple

import numpy as np

from assimilearn.assimilation.background import Background
from assimilearn.observations.operators import transformed

NODES, WIDEST = 2001, 8.0  # of the quadrature, in standard deviations: fine enough for a kink or a logarithm


class Expected(NamedTuple):
    """Of an observation at every site, each (site,).

    Attributes
    ----------
    mean, variance : of f(z), without observation error
    slope : a
    unexplained : variance of e
    """

    mean: np.ndarray
    variance: np.ndarray
    slope: np.ndarray
    unexplained: np.ndarray


def expected(background: Background, operator: np.ndarray) -> Expected:
    """What the climatology expects of observations through ``operator``."""
    one = np.ones(background.mean.size)
    if operator.size == 0:
        return Expected(background.mean, background.variance, one, 0 * one)
    mean, variance = sums(background, operator[1:])
    xi = np.linspace(-WIDEST, WIDEST, NODES)
    density = np.exp(-(xi**2) / 2)
    first, second, cross = np.zeros_like(one), np.zeros_like(one), np.zeros_like(one)
    for node, weight in zip(xi, density / density.sum(), strict=True):
        f = transformed.py_func(int(operator[0]), mean + np.sqrt(variance) * node)
        first += weight * f
        second += weight * f**2
        cross += weight * f * node
    a = cross / np.sqrt(variance)
    spread = second - first**2
    return Expected(first, spread, a, np.maximum(spread - a**2 * variance, 0))


def sums(background: Background, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Climatological mean and variance of the weighted sum around every site."""
    n, reach = background.mean.size, len(weights) // 2
    around = (np.arange(n)[:, None] + np.arange(-reach, reach + 1)) % n
    covariance = background.covariance[around[:, :, None], around[:, None, :]]
    return background.mean[around] @ weights, np.einsum("iab,a,b->i", covariance, weights, weights)
