"""What the climatology expects of an observation, before any is made.

Under the climate's normal distribution z = w . x of a site is normal, with mean m and variance s^2, and the best linear
estimate of the state from y = f(z) + error is that of a linear instrument (statistical linearisation; Gelb 1974,
"Applied optimal estimation", section 6.2)

    y = E f(z) + a (z - m) + e + error,     a = E f'(z) = Cov(z, f(z)) / s^2,     Var e = Var f(z) - a^2 s^2

where e, what no straight line explains, is taken as independent between observations. A tangent at the mean would not
do: the climate is far wider than the stretch over which f is straight. For a linear operator both are the same.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from assimilearn.assimilation.background.climatology import Background
from assimilearn.observations.rows import Operator

NODES, WIDEST = 100, 8.0  # on each side; how far the distribution reaches, in standard deviations


class Expected(NamedTuple):
    """Of an observation at every site, or of every row of the operator, each (row,).

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


def expected(background: Background, operator: Operator) -> Expected:
    """What the climatology expects of observations through ``operator``."""
    if operator.direct:
        one = np.ones(background.mean.size)
        return Expected(background.mean, background.variance, one, 0 * one)
    mean, variance = sums(background, operator)
    one = np.ones(mean.size)
    if operator.linear:
        return Expected(mean, variance, one, 0 * one)
    first, second, cross = 0 * one, 0 * one, 0 * one
    for z, weight in quadrature(mean, np.sqrt(variance)):
        f = operator.transformed(operator.function, z)
        first += weight * f
        second += weight * f**2
        cross += weight * f * (z - mean)
    a = cross / variance
    spread = second - first**2
    return Expected(first, spread, a, np.maximum(spread - a**2 * variance, 0))


def quadrature(mean: np.ndarray, std: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Nodes and weights (site,) of the mean over a normal distribution, crowded at 0, where f may have a kink.

    Gauss-Legendre in u on both sides of 0 (or of the end of the distribution that is nearest to it), with z growing as
    u^3.
    """
    low, high = mean - WIDEST * std, mean + WIDEST * std
    middle = np.clip(0.0, low, high)
    for side in (low - middle, high - middle):
        for u, weight in zip(*np.polynomial.legendre.leggauss(NODES), strict=True):
            u, weight = (1 + u) / 2, weight / 2
            z = middle + side * u**3
            density = np.exp(-(((z - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))
            yield z, weight * density * 3 * u**2 * np.abs(side)


def sums(background: Background, operator: Operator) -> tuple[np.ndarray, np.ndarray]:
    """Climatological mean and variance of the weighted sum of every row."""
    site, weight = operator.site, operator.weight
    mean = (background.mean[site] * weight).sum(axis=1)
    variance = np.zeros(mean.size)
    for a in range(site.shape[1]):
        for b in range(site.shape[1]):
            variance += weight[:, a] * weight[:, b] * background.paired(site[:, a], site[:, b])
    return mean, np.maximum(variance, 0.0)
