"""Particle filter that weighs many draws from a kernel around each member, and keeps one of them for each member.

PFxN of DAPPER (Raanes 2018). Where the weights of the members would leave an effective number below a share of N, each
member is replaced by xN draws from a normal kernel around it, with the covariance s^2 P of the weighted forecast, s
being ``kernel`` times the bandwidth of Scott's rule. These N xN draws are weighted by the likelihood, and the analysis
is theirs. N of them go on, all different: drawn by systematic resampling from the weights raised to the power 1 / r,
with the smallest r = 1, 1.1, ... that draws none twice, and with weights that make up for it. The model runs N times,
so that the draws cost little.
Cost: N model runs, and 2 N xN (n^2 + p) flops where members are drawn anew.
"""

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from assimilearn.assimilation.algebra.weights import (
    effective_size,
    log_likelihood,
    reweighted,
    scott,
    systematic,
    weighted_covariance,
)
from assimilearn.assimilation.background.climatology import ROUND_OFF
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.weighted import See, Unreachable, Weighted, run_weighted
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import MemberSettings, ModelErrorSettings

FLATTEST = 5.0  # largest r: beyond it members may be drawn twice


class PFxNSettings(ModelErrorSettings, MemberSettings):
    """Particle filter with several draws for each member."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True
    stochastic_models: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    method: Literal["pfxn"] = "pfxn"
    members: int = Field(30, ge=2, description="size N of the ensemble")
    draws: int = Field(100, ge=1, description="draws xN from the kernel around each member")
    kernel: float = Field(1.0, gt=0, description="bandwidth of the kernel around each member, in units of Scott's rule")
    resampling_threshold: float = Field(
        0.2, gt=0, le=1, description="share of N below which the effective number of members calls for draws"
    )


def update(
    E: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    see: See,
    rng: np.random.Generator,
    settings: PFxNSettings,
    n: int,
) -> Weighted:
    """The members with new weights, or the weighted draws around them, which keep the memory of their member.

    ``see`` turns members (member, site + memory) into what they would observe (member, observation); n is the number
    of sites.

    Raises
    ------
    Unreachable
        If no member can explain the observations.
    """
    N = len(E)
    log_factor = log_likelihood(see(E), y, variance)
    if not np.isfinite(log_factor[w > 0].max()):
        raise Unreachable("no member can explain the observations: all are of likelihood zero")
    weighted = reweighted(w, log_factor)
    if effective_size(weighted) >= settings.resampling_threshold * N:
        return E, weighted
    covariance = weighted_covariance(E[:, :n], w)
    round_off = ROUND_OFF * covariance.trace() / n + np.finfo(float).tiny
    root = settings.kernel * scott(N, n) * np.linalg.cholesky(covariance + round_off * np.eye(n))
    drawn = np.repeat(E, settings.draws, axis=0)
    drawn[:, :n] += rng.standard_normal((N * settings.draws, n)) @ root.T
    shares = np.repeat(w, settings.draws) / settings.draws
    return drawn, reweighted(shares, log_likelihood(see(drawn), y, variance))


def renewed(E: np.ndarray, w: np.ndarray, rng: np.random.Generator, members: int) -> Weighted:
    """N different ones of the weighted draws, and their weights; members that were not drawn from are as they were."""
    if len(E) == members:
        return E, w
    for flatness in np.arange(1.0, FLATTEST, 0.1):
        flat = (w / w.max()) ** (1 / flatness)
        chosen = systematic(flat / flat.sum(), rng, members)
        if np.unique(chosen).size == members:
            break
    left = w[chosen] / flat[chosen]
    return np.ascontiguousarray(E[chosen]), left / left.sum()


def run(problem: Problem, settings: PFxNSettings, rng: np.random.Generator) -> Record:
    """Cycle the weighted ensemble."""
    after = partial(renewed, members=settings.members)
    return run_weighted(problem, settings, rng, partial(update, settings=settings, n=problem.model.size), after)
