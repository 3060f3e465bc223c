"""Local serial ensemble adjustment Kalman filter: each observation moves only the sites around it.

Anderson (2001), Mon. Wea. Rev. 129, 2884-2903; least-squares form of Anderson (2003), Mon. Wea. Rev. 131, 634-642: the
ensemble at the observed site is shifted and contracted exactly, and the change is regressed on the sites within reach,
times the taper. For a Gaussian likelihood this is Potter's update (:mod:`assimilearn.assimilation.serial`) with a
tapered gain, and without a taper it is exactly that. Observations enter in the order of the file.
Cost: 4 N m flops for each observation with m sites in its reach: linear in n.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import centre, recompose
from assimilearn.assimilation.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import INFLATION, FilterSettings, Inflation, LocalSettings
from assimilearn.assimilation.tapers import ring_taper
from assimilearn.models.lorenz96 import FAST


class EAKFSettings(FilterSettings, LocalSettings):
    """Local serial ensemble adjustment Kalman filter."""

    any_operator: ClassVar[bool] = True

    method: Literal["eakf"] = "eakf"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: Inflation = Field(1.07, description=INFLATION)  # type: ignore[assignment]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def eakf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are the taper at distances 0, 1, 2 ..."""
    N, n = E.shape
    taper = around(parameters, n)
    width = taper.size
    left = (width - 1) // 2
    mean = centre(E)
    observed, gain = np.empty(N), np.empty(width)
    for o in range(y.size):
        square = 0.0
        for j in range(N):
            observed[j] = E[j, sites[o]]
            square += observed[j] ** 2
        total = square / (N - 1) + variance[o]
        innovation = y[o] - mean[sites[o]]
        contraction = 1 / (1 + np.sqrt(variance[o] / total))
        # the reach is one stretch of neighbouring sites, or two where it crosses the end of the ring
        start = (sites[o] - left) % n
        first = min(width, n - start)
        gain[:] = 0.0
        for j in range(N):
            h = observed[j] / ((N - 1) * total)
            add(gain[:first], E[j, start : start + first], h)
            add(gain[first:], E[j, : width - first], h)
        for m in range(width):
            gain[m] *= taper[m]
        add(mean[start : start + first], gain[:first], innovation)
        add(mean[: width - first], gain[first:], innovation)
        for j in range(N):
            h = contraction * observed[j]
            add(E[j, start : start + first], gain[:first], -h)
            add(E[j, : width - first], gain[first:], -h)
    recompose(E, mean, 1.0)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def add(target, values, factor):
    """Add ``factor`` times ``values`` to ``target``, in place."""
    for i in range(target.size):
        target[i] += factor * values[i]


@njit(cache=True, error_model="numpy")
def around(taper, n):
    """The taper at offsets -m ... m, or at every site once if the reach is the whole ring."""
    reach = taper.size - 1
    width = min(2 * reach + 1, n)
    left = (width - 1) // 2
    result = np.empty(width)
    for m in range(width):
        result[m] = taper[abs(m - left)]
    return result


@njit(cache=True, fastmath=FAST, error_model="numpy")
def eakf_observed_update(E, Y, y, variance, sites, parameters, noise):
    """The same for observations that are not the values of sites; Y is overwritten.

    What the later observations are expected to be is updated too, tapered by the distance between the observed sites.
    """
    N, n = E.shape
    taper = parameters
    mean, predicted = centre(E), centre(Y)
    observed = np.empty(N)
    for o in range(y.size):
        square = 0.0
        for j in range(N):
            observed[j] = Y[j, o]
            square += observed[j] ** 2
        total = square / (N - 1) + variance[o]
        innovation = y[o] - predicted[o]
        contraction = 1 / (1 + np.sqrt(variance[o] / total))
        regress(E, mean, observed, innovation, contraction, total, sites[o], np.arange(n), 0, taper, n)
        regress(Y, predicted, observed, innovation, contraction, total, sites[o], sites, o, taper, n)
    recompose(E, mean, 1.0)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def regress(A, mean, observed, innovation, contraction, total, site, sites, first, taper, n):
    """Move the columns of A (member, column) from ``first`` on, and their mean, with the observation at ``site``.

    Each column belongs to one of ``sites (column,)``: its distance gives the taper.
    """
    N = A.shape[0]
    for c in range(first, sites.size):
        distance = abs(sites[c] - site)
        distance = min(distance, n - distance)
        if distance < taper.size:
            gain = 0.0
            for j in range(N):
                gain += observed[j] * A[j, c]
            gain *= taper[distance] / ((N - 1) * total)
            mean[c] += gain * innovation
            for j in range(N):
                A[j, c] -= contraction * gain * observed[j]


def run(problem: Problem, settings: EAKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    taper = ring_taper(settings.taper, settings.localization_radius, problem.model.size)
    update = eakf_update if problem.instrument.direct else eakf_observed_update
    return run_filter(problem, ensemble_filter(update, settings, taper), settings, rng)
