"""Bootstrap particle filter: members are weighted by the likelihood of the observations, not moved.

Gordon, Salmond & Smith (1993), IEE Proc. F 140, 107-113. The weight of each member is multiplied by exp(-|R^-1/2 (y - H
x)|^2 / 2); forecast and analysis moments are weighted ones. When the effective number of members 1 / sum(w^2) falls
below a share of N, they are drawn anew by systematic resampling (Kitagawa 1996, J. Comput. Graph. Stat. 5, 1-25), and
members drawn more than once are moved, each copy by a draw from a normal distribution with covariance h^2 P: the
regularized filter of Musso, Oudjane & Le Gland (2001), with P the weighted covariance before resampling and h =
``regularization`` N^(-1/(n+4)), Scott's rule, as in DAPPER. The analysis is recorded before resampling, which only adds
noise.

Where a whole update would leave fewer than ``smallest_share`` N effective members, the likelihood enters in several
stages, raised to powers that add up to one, with resampling between them (Beskos, Crisan & Jasra 2014, Ann. Appl.
Probab. 24, 1396-1445): so the filter survives a start that is far from the truth, where DAPPER begins beside it.

The loop over the observation times is :mod:`assimilearn.assimilation.cycling.weighted`.
Cost: N model runs and 2 N p flops, and N n^2 where members are drawn anew.
"""

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from assimilearn.assimilation.algebra.weights import effective_size, log_likelihood, resample, reweighted
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.weighted import See, Unreachable, run_weighted
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import MemberSettings, ModelErrorSettings

MOST_STAGES = 100  # in which a likelihood enters; a start from the climatology takes fewer than ten


class ParticleSettings(ModelErrorSettings, MemberSettings):
    """Bootstrap particle filter with regularized resampling."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True
    stochastic_models: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    method: Literal["particle"] = "particle"
    members: int = Field(3000, ge=2, description="size N of the ensemble")
    resampling_threshold: float = Field(
        0.5, gt=0, le=1, description="share of N below which the effective number of members calls for resampling"
    )
    regularization: float = Field(
        0.7,
        ge=0,
        description="bandwidth of the normal kernel that moves the copies of a member, in units of Scott's rule",
    )
    smallest_share: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="share of N below which the effective number of members must not fall at once: the likelihood "
        "then enters in stages; 0 for never",
    )


def portion(w: np.ndarray, log_factor: np.ndarray, remaining: float, smallest: float) -> float:
    """How much of ``remaining`` may enter so that the effective number of members is at least ``smallest``."""
    if effective_size(reweighted(w, remaining * log_factor)) >= smallest:
        return remaining
    low, high = 0.0, remaining
    for _ in range(20):
        middle = (low + high) / 2
        if effective_size(reweighted(w, middle * log_factor)) >= smallest:
            low = middle
        else:
            high = middle
    return high


def update(
    E: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    see: See,
    rng: np.random.Generator,
    settings: ParticleSettings,
    n: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Members and weights given the observations; in stages where one would leave too few members.

    ``see`` turns members (member, site + memory) into what they would observe (member, observation); n is the number
    of sites.

    Raises
    ------
    Unreachable
        If no member has a likelihood, or there is no end of the stages: the observations are too far from all.
    """
    remaining, smallest = 1.0, settings.smallest_share * len(w)
    for _ in range(MOST_STAGES):
        log_factor = log_likelihood(see(E), y, variance)
        if not np.isfinite(log_factor[w > 0].max()):
            raise Unreachable("no member can explain the observations: all are of likelihood zero")
        now = portion(w, log_factor, remaining, smallest)
        w = reweighted(w, now * log_factor)
        remaining -= now
        if remaining <= 0:
            return E, w
        E, w = resample(E, w, settings.regularization, rng, n)
    raise Unreachable(f"the observations are not within reach of the members in {MOST_STAGES} stages")


def run(problem: Problem, settings: ParticleSettings, rng: np.random.Generator) -> Record:
    """Cycle the weighted ensemble."""
    n = problem.model.size

    def renewed(E: np.ndarray, w: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if effective_size(w) >= settings.resampling_threshold * settings.members:
            return E, w
        return resample(E, w, settings.regularization, rng, n)

    return run_weighted(problem, settings, rng, partial(update, settings=settings, n=n), renewed)
