"""The rank histogram distribution of an ensemble, given one observation, and where a value stands in it.

Between two neighbours of the N sorted members, and beyond either extreme, lies probability 1 / (N + 1): evenly between
members, and beyond the extremes as in the tails of a normal distribution with the standard deviation of the ensemble,
shifted so that the probability is right (Anderson 2010, Mon. Wea. Rev. 138, 4186-4198, section 2). Where the variable
is bounded, the tails end at the bounds and hold the same probability (Anderson 2022, Mon. Wea. Rev. 150, 1061-1074).

A Gaussian likelihood multiplies the density between two members by the mean of its values there, and a tail by itself,
which gives a tail of another normal distribution, in closed form. An observation further than 30 of its error standard
deviations beyond a bound counts as one at that distance, where its likelihood can still be told from zero.
"""

import math

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra.normal import between, probability, quantile, quantile_above

FURTHEST = 30.0  # error standard deviations beyond a bound


@njit(cache=True, error_model="numpy")
def posterior(x, y, variance, low, high):
    """The members x (member,) at their ranks in the distribution given an observation.

    Parameters
    ----------
    x : ndarray (member,)
    y, variance : float
        The observation of the variable itself, and its error variance.
    low, high : float
        Bounds of the variable; infinite where there are none.

    Returns
    -------
    ndarray (member,) : the quantiles 1 / (N + 1) ... N / (N + 1) of the posterior, in the order of the members.
    """
    N, order = x.size, np.argsort(x)
    s, moved, q = x[order], x.copy(), 1 / (x.size + 1)
    std = spread(s)
    if not std > 0:
        return moved
    y = min(max(y, low - FURTHEST * math.sqrt(variance)), high + FURTHEST * math.sqrt(variance))
    shared = 1 / (1 / std**2 + 1 / variance)
    scale, shift = math.sqrt(shared), std * quantile(q)
    first, last = s[0] - shift, s[N - 1] + shift  # means of the normal distributions of the tails
    first_mean, last_mean = shared * (first / std**2 + y / variance), shared * (last / std**2 + y / variance)
    log_first, log_last = log_evidence(first, std, y, variance), log_evidence(last, std, y, variance)
    top = max(log_first, log_last)
    for k in range(N):
        top = max(top, -((y - s[k]) ** 2) / (2 * variance))
    bottom, end = (low - first_mean) / scale, (s[N - 1] - last_mean) / scale
    below = math.exp(log_first - top) * q / between((low - first) / std, (s[0] - first) / std)
    above = math.exp(log_last - top) * q / between((s[N - 1] - last) / std, (high - last) / std)
    mass = np.empty(N + 1)
    mass[0] = below * between(bottom, (s[0] - first_mean) / scale)
    mass[N] = above * between(end, (high - last_mean) / scale)
    before = math.exp(-((y - s[0]) ** 2) / (2 * variance) - top)
    for k in range(1, N):
        after = math.exp(-((y - s[k]) ** 2) / (2 * variance) - top)
        mass[k] = q * (before + after) / 2
        before = after
    total, k, passed = mass.sum(), 0, 0.0
    if not total > 0:
        return moved
    for j in range(N):
        wanted = (j + 1) * q * total
        while k < N and passed + mass[k] < wanted:
            passed += mass[k]
            k += 1
        rest = max(wanted - passed, 0.0)
        if k == 0:
            value = first_mean + scale * quantile_above(bottom, rest / below)
            value = min(max(value, low), s[0])
        elif k == N:
            value = last_mean + scale * quantile_above(end, rest / above)
            value = max(min(value, high), s[N - 1])
        else:
            value = s[k - 1] + (s[k] - s[k - 1]) * min(rest / mass[k], 1.0)
        moved[order[j]] = value
    return moved


@njit(cache=True, error_model="numpy")
def log_evidence(mean, std, y, variance):
    """Logarithm of the mean of exp(-(y - x)^2 / (2 variance)) over a normal distribution of x."""
    total = std**2 + variance
    return 0.5 * math.log(variance / total) - (y - mean) ** 2 / (2 * total)


@njit(cache=True, error_model="numpy")
def spread(s):
    """Standard deviation of the members, with the divisor N - 1."""
    mean = s.mean()
    return math.sqrt(((s - mean) ** 2).sum() / (s.size - 1))


@njit(cache=True, error_model="numpy")
def probits(s):
    """Normal quantiles of the ranks of sorted members; equal members have the mean rank."""
    N, z, k = s.size, np.empty(s.size), 0
    while k < N:
        last = k
        while last + 1 < N and s[last + 1] == s[k]:
            last += 1
        z[k : last + 1] = quantile(((k + last) / 2 + 1) / (N + 1))
        k = last + 1
    return z


@njit(cache=True, error_model="numpy")
def probit_of(s, std, value, low, high):
    """Normal quantile of the probability of less than ``value`` in the distribution of the sorted members."""
    N, q = s.size, 1 / (s.size + 1)
    if value < s[0]:
        mean = s[0] - std * quantile(q)
        inside = between((low - mean) / std, (value - mean) / std) / between((low - mean) / std, (s[0] - mean) / std)
        return quantile(q * inside)
    if value > s[N - 1]:
        mean = s[N - 1] + std * quantile(q)
        outside = between((value - mean) / std, (high - mean) / std) / between(
            (s[N - 1] - mean) / std, (high - mean) / std
        )
        return -quantile(q * outside)
    first, last = np.searchsorted(s, value), np.searchsorted(s, value, side="right")
    if last > first:  # one member or several
        return quantile(((first + last - 1) / 2 + 1) * q)
    return quantile((first + (value - s[first - 1]) / (s[first] - s[first - 1])) * q)


@njit(cache=True, error_model="numpy")
def value_of(s, std, z, low, high):
    """The value with the normal quantile z in the distribution of the sorted members: inverse of :func:`probit_of`."""
    N, q = s.size, 1 / (s.size + 1)
    p = probability(z)
    if p < q:
        mean = s[0] - std * quantile(q)
        start = (low - mean) / std
        value = mean + std * quantile_above(start, p / q * between(start, (s[0] - mean) / std))
        return min(max(value, low), s[0])
    beyond = probability(-z)
    if beyond < q:
        mean = s[N - 1] + std * quantile(q)
        end = (mean - high) / std  # the mirror image of the tail below
        value = mean - std * quantile_above(end, beyond / q * between(end, (mean - s[N - 1]) / std))
        return max(min(value, high), s[N - 1])
    k = min(int(p * (N + 1)), N)
    if k >= N:
        return s[N - 1]
    return s[k - 1] + (s[k] - s[k - 1]) * (p * (N + 1) - k)
