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
from assimilearn.assimilation.nearby import by_site, nearby, taper_around
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import INFLATION, FilterSettings, Inflation, LocalSettings
from assimilearn.assimilation.tapers import ring_taper
from assimilearn.kernels import FAST


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
    taper = taper_around(parameters, n)
    width = taper.size
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
        start = (sites[o] - width // 2) % n
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


@njit(cache=True, fastmath=FAST, error_model="numpy")
def eakf_observed_update(E, Y, y, variance, sites, parameters, noise):
    """The same for observations that are not the values of sites; Y is overwritten.

    What the later observations are expected to be is updated too, tapered by the distance between the observed sites.
    """
    N, n = E.shape
    taper = taper_around(parameters, n)
    order, first = by_site(sites, n)
    found, weight = np.empty(y.size, np.int64), np.empty(y.size)
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
        for k in range(taper.size):
            site = (sites[o] - taper.size // 2 + k) % n
            regress(E, mean, site, observed, taper[k] / ((N - 1) * total), innovation, contraction)
        for k in range(nearby(sites[o], order, first, taper, found, weight)):
            if found[k] > o:
                regress(Y, predicted, found[k], observed, weight[k] / ((N - 1) * total), innovation, contraction)
    recompose(E, mean, 1.0)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def regress(A, mean, column, observed, weight, innovation, contraction):
    """Move one column of A (member, column) and its mean with an observation, by the regression times ``weight``."""
    N = A.shape[0]
    gain = 0.0
    for j in range(N):
        gain += observed[j] * A[j, column]
    gain *= weight
    mean[column] += gain * innovation
    for j in range(N):
        A[j, column] -= contraction * gain * observed[j]


def run(problem: Problem, settings: EAKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    taper = ring_taper(settings.taper, settings.localization_radius, problem.model.size)
    update = eakf_update if problem.instrument.direct else eakf_observed_update
    return run_filter(problem, ensemble_filter(update, settings, taper), settings, rng)
