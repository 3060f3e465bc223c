"""The analysis at the first observation time, with which every run starts.

Before any observation the state follows the climatology, here the normal distribution with its mean and covariance B,
or another distribution that the problem states as its ``start``. That distribution, given the first observations, is
what a run starts from: single-state methods take its mean, ensembles draw from it. An ensemble drawn from the
climatology itself, and updated by its own small sample covariance, is overconfident from the first update on and often
never finds the truth.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from assimilearn.assimilation.cycling.cycle import ensemble_moments
from assimilearn.assimilation.cycling.record import Record, keep_ensembles, kept_times
from assimilearn.assimilation.cycling.screening import check_limit, select
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.observations.correlation_kernels import error_covariance
from assimilearn.observations.operator_kernels import jacobian, observed

Start = Callable[[Problem, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""start(problem, used, rng) -> forecast and analysis (row, site) at the first time."""


def first_analysis(
    problem: Problem,
    settings: AnalysisSettings,
    start: Start,
    record: Record,
    rng: np.random.Generator,
    moments: Any = ensemble_moments,
) -> np.ndarray:
    """Write the first time of ``record``.

    Parameters
    ----------
    problem : Problem
    settings : AnalysisSettings
    start : callable
    record : Record
    rng : numpy.random.Generator
    moments : numba dispatcher of the signature MOMENTS

    Returns
    -------
    ndarray (row, site) : the ensemble with which the cycle goes on.
    """
    first = problem.at_start
    background, expected, sites = first.background, first.expected, first.sites[0]
    record.forecast_mean[0], record.forecast_spread[0] = background.mean, np.sqrt(background.variance)
    select(
        *(first.value[0], first.variance[0], sites, first.valid[0], expected.mean[sites]),
        *(np.sqrt(expected.variance[sites]), check_limit(settings)),
        *(record.innovation[0], record.innovation_std[0], record.used[0]),
    )
    forecast, E = start(problem, record.used[0] != 0, rng)
    E = np.ascontiguousarray(E)
    mean, variance = np.empty(problem.model.size), np.empty(problem.model.size)
    moments(E, mean, variance)
    record.mean[0], record.spread[0] = mean, np.sqrt(variance)
    keep = kept_times(settings, problem.period)
    if keep.any():
        keep_ensembles(record, np.flatnonzero(keep), forecast, E)
    return E


def first_state(problem: Problem, used: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The climatological mean and what the first observations make of it, each (1, site); nothing is drawn."""
    problem = problem.at_start
    forecast = problem.background.mean[None].copy()
    expected = problem.expected.mean[None, problem.sites[0, used]]
    return forecast, corrected(problem, used, forecast, problem.value[:1, used] - expected)


def first_ensemble(
    problem: Problem, used: np.ndarray, rng: np.random.Generator, members: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws from the climatology, and what the first observations make of them.

    Each draw assimilates the observations with noise of its own by the full B, which gives exact draws from the
    conditional distribution; their mean is then moved to the exact one.

    Returns
    -------
    forecast, analysis : ndarray (member, site)
    """
    problem = problem.at_start
    forecast = problem.background.draw(members, rng)
    y, error_std = problem.value[0, used], np.sqrt(problem.variance[0, used])
    noise = rng.standard_normal((members, y.size))
    if problem.observation.correlated:
        C = error_covariance(np.ones(y.size), problem.sites[0, used], problem.observation.correlation)
        noise = noise @ np.linalg.cholesky(C).T
    analysis = update(problem, used, forecast, y + error_std * noise)
    analysis += first_state(problem, used, rng)[1] - analysis.mean(axis=0)
    return forecast, analysis


def update(problem: Problem, used: np.ndarray, states: np.ndarray, values: np.ndarray) -> np.ndarray:
    """x + K (y - h(x)) for every row of ``states`` and ``values (member, observation)``."""
    return corrected(
        problem, used, states, values - observed(states, problem.sites[0, used], problem.observation.operator)
    )


def corrected(problem: Problem, used: np.ndarray, states: np.ndarray, departures: np.ndarray) -> np.ndarray:
    """x + K d for every row of ``states`` and of ``departures (member, observation)``; see :func:`climatological`."""
    if problem.observation.direct:
        variance, sites = problem.variance[0, used], problem.sites[0, used]
        return states + problem.background.increments(departures, variance, sites)
    HB, S = climatological(problem, 0, used)
    return np.ascontiguousarray(states + np.linalg.solve(S, departures.T).T @ HB)


def climatological(problem: Problem, k: int, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H B and S = H B H^T + E + R of the observations ``used`` at time k; the gain is K = (H B)^T S^-1.

    H is the straight line that is nearest to h over the climate, E the variance that it leaves unexplained
    (:mod:`assimilearn.assimilation.background.expected`); for a linear h it is h itself, and E is zero.
    """
    background, sites, variance = problem.background, problem.sites[k, used], problem.variance[k, used]
    if problem.observation.direct:
        HB = background.of_sums(sites[:, None], np.ones((sites.size, 1)))
        return HB, HB[:, sites] + np.diag(variance)
    operator, slope = problem.observation.operator, problem.expected.slope[sites]
    of_sites = sites[:, None], np.ones((sites.size, 1))  # with correlated errors, which are not direct either
    corners, weights = of_sites if operator.direct else (operator.site[sites], operator.weight[sites])
    weights = slope[:, None] * weights
    R = error_covariance(variance, sites, problem.observation.correlation)
    HB = background.of_sums(corners, weights)
    HBH = np.asarray(sum(HB[:, corners[:, c]] * weights[:, c] for c in range(corners.shape[1])))
    return HB, HBH + R + np.diag(problem.expected.unexplained[sites])


def climatological_slopes(problem: Problem, sites: np.ndarray) -> np.ndarray:
    """The H of :func:`climatological`, (observation, site)."""
    linear = problem.observation.operator.linear_part
    return problem.expected.slope[sites, None] * jacobian(np.zeros(problem.model.size), sites, linear)
