"""Innovations of one observation time, and the background check: which observations enter the analysis."""

import numpy as np
from numba import njit

from assimilearn.assimilation.settings import AnalysisSettings


def check_limit(settings: AnalysisSettings) -> float:
    """Standard deviations of the innovation beyond which an observation is rejected; infinite without a check."""
    return np.inf if settings.rejects_beyond is None else settings.rejects_beyond


@njit(cache=True, error_model="numpy")
def at_sites(mean, spread, sites):
    """Mean and standard deviation of the sites that are observed, each (observation,)."""
    predicted, deviation = np.empty(sites.size), np.empty(sites.size)
    for o in range(sites.size):
        predicted[o], deviation[o] = mean[sites[o]], spread[sites[o]]
    return predicted, deviation


@njit(cache=True, error_model="numpy")
def select(value, variance, sites, valid, predicted, deviation, limit, innovation, innovation_std, used):
    """Write the innovations of one time and return values, variances and sites of the observations to be used.

    ``predicted`` and ``deviation (observation,)`` are what the forecast expects of the observations.
    """
    p = 0
    y, r, where = np.empty(value.size), np.empty(value.size), np.empty(value.size, np.int64)
    for o in range(value.size):
        if valid[o] != 0:
            d, s = value[o] - predicted[o], np.sqrt(deviation[o] ** 2 + variance[o])
            innovation[o], innovation_std[o] = d, s
            if abs(d) <= limit * s:
                used[o] = 1
                y[p], r[p], where[p] = value[o], variance[o], sites[o]
                p += 1
    return y[:p], r[:p], where[:p]
