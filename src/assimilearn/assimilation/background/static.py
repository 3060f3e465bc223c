"""The linear analysis with a fixed background covariance, shared by the methods that carry a single state.

x_a = x_f + K (y - H x_f) with K = B H^T (H B H^T + R)^-1, P_a = (I - K H) B. H picks sites, R is diagonal.
"""

from typing import Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.small import back_substitute, cholesky, forward_substitute
from assimilearn.assimilation.background.climatology import Background
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import forecast, write_analysis
from assimilearn.assimilation.cycling.stepwise import stepwise
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import CycledSettings


class StaticSettings(CycledSettings):
    """Settings of methods with a fixed background covariance."""

    background: Literal["climatology", "identity"] = Field(
        "climatology", description="covariance that is scaled to give B: of the climatology, or the identity"
    )
    background_scale: float = Field(0.02, gt=0, description="factor on that covariance that gives B")


def unscaled_covariance(background: Background, settings: StaticSettings) -> np.ndarray:
    """The covariance (site, site) of which B is a multiple."""
    return background.covariance if settings.background == "climatology" else np.eye(background.mean.size)


def static_covariance(background: Background, settings: StaticSettings) -> np.ndarray:
    """B, (site, site)."""
    return settings.background_scale * unscaled_covariance(background, settings)


@njit(cache=True, error_model="numpy")
def static_update(E, Y, y, variance, sites, parameters, noise):
    """Analysis of the one state E (1, site); parameters are B, row by row. Cost: p^3/3 + n p flops."""
    n, p = E.shape[1], y.size
    B = parameters.reshape(n, n)
    L = innovation_root(B, variance, sites)
    w = np.empty((p, 1))
    for o in range(p):
        w[o, 0] = y[o] - Y[0, o]
    forward_substitute(L, w)
    back_substitute(L, w)
    for o in range(p):
        for i in range(n):
            E[0, i] += B[sites[o], i] * w[o, 0]


@njit(cache=True, error_model="numpy")
def innovation_root(B, variance, sites):
    """Cholesky factor of H B H^T + R, (observation, observation)."""
    p = sites.size
    S = np.empty((p, p))
    for a in range(p):
        for b in range(p):
            S[a, b] = B[sites[a], sites[b]]
        S[a, a] += variance[a]
    cholesky(S)
    return S


@njit(cache=True, error_model="numpy")
def static_spread(B, variance, sites):
    """Square root of the diagonal of P_a, (site,). Cost: p^2 n flops."""
    n, p = B.shape[0], sites.size
    root = np.empty((p, n))
    for o in range(p):
        for i in range(n):
            root[o, i] = B[sites[o], i]
    forward_substitute(innovation_root(B, variance, sites), root)
    spread = np.empty(n)
    for i in range(n):
        explained = 0.0
        for o in range(p):
            explained += root[o, i] ** 2
        spread[i] = np.sqrt(max(B[i, i] - explained, 0.0))
    return spread


def run_in_blocks(
    problem: Problem, settings: CycledSettings, background: Background, scale: float, rng: np.random.Generator
) -> Record:
    """Cycle one state with B = ``scale`` times the covariance of ``background``, of which no matrix is formed.

    The spread is the square root of the diagonal of B before and of (I - K H) B after an analysis. For observations of
    the sites themselves with independent errors.
    """
    distribution = problem.at_start.background
    with stepwise(problem, settings, rng) as run:
        E, record = run.first, run.record
        used = record.used[0] != 0
        nothing = np.zeros((1, int(used.sum())))
        record.spread[0] = np.sqrt(distribution.analysis(nothing, problem.variance[0, used], problem.sites[0, used])[1])
        before = scale * background.variance
        for k in run.times:
            forecast(problem.model, E, int(problem.steps[k]))
            predicted = E[0, problem.sites[k]], before[problem.sites[k]]
            y, variance, sites = run.observations(k, E, (E[0], before), predicted)
            increments, after = background.analysis((y - E[0, sites])[None], variance / scale, sites)
            E += increments
            run.go_on(k, write_analysis(record, k, E[0], scale * after))
    return record


def write_spread(record: Record, problem: Problem, B: np.ndarray) -> None:
    """Set the spread of every analysis done; computed anew only where the used observations change.

    At the first time the background is the climatology, whatever B is later.
    """
    known: dict[bytes, np.ndarray] = {}
    first = problem.at_start.background.covariance
    used = record.used[0] != 0
    record.spread[0] = static_spread(first, problem.variance[0, used], problem.sites[0, used])
    for k in 1 + np.flatnonzero(~np.isnan(record.mean[1:, 0])):
        used = record.used[k] != 0
        sites, variance = problem.sites[k, used], problem.variance[k, used]
        network = sites.tobytes() + variance.tobytes()
        if network not in known:
            known = {network: static_spread(B, variance, sites)}
        record.spread[k] = known[network]
