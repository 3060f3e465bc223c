"""The analysis at the first observation time, with which every run starts.

Before any observation the state follows the climatology, here the normal law with its mean and covariance B. That law,
given the first observations, is what a run starts from: single-state methods take its mean, ensembles draw from it. An
ensemble drawn from the climatology itself, and updated by its own small sample covariance, is overconfident from the
first update on and often never finds the truth.
"""

from collections.abc import Callable

import numpy as np

from assimilearn.assimilation.problem import Problem

Start = Callable[[Problem, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""start(problem, used, rng) -> forecast and analysis (row, site) at the first time."""


def first_state(problem: Problem, used: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The climatological mean and what the first observations make of it, each (1, site); nothing is drawn."""
    forecast = problem.background.mean[None].copy()
    return forecast, update(problem, used, forecast, problem.value[:1, used])


def first_ensemble(
    problem: Problem, used: np.ndarray, rng: np.random.Generator, members: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws from the climatology, and what the first observations make of them.

    Each draw assimilates the observations with noise of its own by the full B, which gives exact draws from the
    conditional law; their mean is then moved to the exact one.

    Returns
    -------
    forecast, analysis : ndarray (member, site)
    """
    forecast = problem.background.draw(members, rng)
    y, error_std = problem.value[0, used], np.sqrt(problem.variance[0, used])
    analysis = update(problem, used, forecast, y + error_std * rng.standard_normal((members, y.size)))
    analysis += first_state(problem, used, rng)[1] - analysis.mean(axis=0)
    return forecast, analysis


def update(problem: Problem, used: np.ndarray, states: np.ndarray, values: np.ndarray) -> np.ndarray:
    """x + B H^T (H B H^T + R)^-1 (y - H x) for every row of ``states`` and ``values (member, observation)``."""
    B, sites = problem.background.covariance, problem.sites[0, used]
    S = B[np.ix_(sites, sites)] + np.diag(problem.variance[0, used])
    return np.ascontiguousarray(states + np.linalg.solve(S, (values - states[:, sites]).T).T @ B[sites])
