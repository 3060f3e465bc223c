"""The standard normal distribution in compiled loops: its probabilities and quantiles, accurate in the tails too."""

import math

from numba import njit

SMALLEST = 1e-280  # probability of the furthest quantile: beyond it exp(x^2 / 2) overflows


@njit(cache=True, error_model="numpy")
def probability(x):
    """Probability of a value below x."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@njit(cache=True, error_model="numpy")
def quantile(p):
    """The value with probability p below it; finite for p of 0 and 1 too.

    A rational guess (Abramowitz & Stegun 1964, eq. 26.2.23) and two steps of Halley, exact to round-off.
    """
    tail = max(min(p, 1 - p), SMALLEST)
    t = math.sqrt(-2 * math.log(tail))
    x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
    for _ in range(2):
        u = (probability(x) - tail) * math.sqrt(2 * math.pi) * math.exp(x * x / 2)
        x -= u / (1 + x * u / 2)
    return x if p < 0.5 else -x


@njit(cache=True, error_model="numpy")
def between(a, b):
    """Probability of a value between a and b."""
    return probability(-a) - probability(-b) if a > 0 else probability(b) - probability(a)


@njit(cache=True, error_model="numpy")
def quantile_above(a, p):
    """The value with probability p between it and a, which is below."""
    return -quantile(probability(-a) - p) if a > 0 else quantile(probability(a) + p)
