"""Bootstrap particle filter: members are weighted by the likelihood of the observations, not moved.

Gordon, Salmond & Smith (1993), IEE Proc. F 140, 107-113. The weight of each member is multiplied by exp(-|R^-1/2 (y -
H x)|^2 / 2); forecast and analysis moments are weighted ones. When the effective number of members 1 / sum(w^2) falls
below a share of N, they are drawn anew by systematic resampling (Kitagawa 1996, J. Comput. Graph. Stat. 5, 1-25), and
members drawn more than once are moved, each copy by a draw from a normal law with covariance h^2 P: the regularized
filter of Musso, Oudjane & Le Gland (2001), with P the weighted covariance before resampling and h = ``regularization``
N^(-1/(n+4)), Scott's rule, as in DAPPER. The analysis is recorded before resampling, which only adds noise.

Where a whole update would leave fewer than ``smallest_share`` N effective members, the likelihood enters in several
stages, raised to powers that add up to one, with resampling between them (Beskos, Crisan & Jasra 2014, Ann. Appl.
Probab. 24, 1396-1445): so the filter survives a start that is far from the truth, where DAPPER begins beside it.

The weights live from one time to the next, which the signature of the updates has no room for; so the loop over the
observation times is this file's own. Kept ensembles are resampled ones, since a file has no weights.
Cost: N model runs and 2 N p flops, and N n^2 where members are drawn anew.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.background.climatology import ROUND_OFF
from assimilearn.assimilation.cycling.forecasting import forecast_model
from assimilearn.assimilation.cycling.model_error import model_error_std
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import forecast, write_analysis, write_members
from assimilearn.assimilation.cycling.stepwise import Diverged, stepwise
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import MemberSettings, ModelErrorSettings
from assimilearn.observations.operator_kernels import observed

MOST_STAGES = 100  # in which a likelihood enters; a start from the climatology takes fewer than ten


class Unreachable(Exception):
    """The observations are too far from all members."""


class ParticleSettings(ModelErrorSettings, MemberSettings):
    """Bootstrap particle filter with regularized resampling."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True
    stochastic_models: ClassVar[bool] = True

    method: Literal["particle"] = "particle"
    members: int = Field(3000, ge=2, description="size N of the ensemble")
    resampling_threshold: float = Field(
        0.5, gt=0, le=1, description="share of N below which the effective number of members calls for resampling"
    )
    regularization: float = Field(
        0.7,
        ge=0,
        description="bandwidth of the normal law that moves the copies of a member, in units of that of Scott's rule",
    )
    smallest_share: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="share of N below which the effective number of members must not fall at once: the likelihood "
        "then enters in stages; 0 for never",
    )


@njit(cache=True, error_model="numpy")
def log_likelihood(Y, y, variance):
    """Logarithm of the likelihood of members that would observe Y (member, observation), but for a constant."""
    total = np.zeros(Y.shape[0])
    for j in range(Y.shape[0]):
        for o in range(y.size):
            total[j] -= 0.5 * (y[o] - Y[j, o]) ** 2 / variance[o]
    return total


def reweighted(w: np.ndarray, log_factor: np.ndarray) -> np.ndarray:
    """Weights w (member,) times exp(log_factor), normalized."""
    product = w * np.exp(log_factor - log_factor[w > 0].max())
    return product / product.sum()


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


@njit(cache=True, error_model="numpy")
def weighted_moments(E, w):
    """Mean and variance of the weighted members; the divisor of the variance is 1 - sum(w^2), its unbiased form."""
    N, n = E.shape
    mean, variance = np.zeros(n), np.zeros(n)
    for j in range(N):
        for i in range(n):
            mean[i] += w[j] * E[j, i]
    for j in range(N):
        for i in range(n):
            variance[i] += w[j] * (E[j, i] - mean[i]) ** 2
    return mean, variance / unbiased(w)


@njit(cache=True, error_model="numpy")
def unbiased(w):
    """1 - sum(w^2), or 1 where a single member has all the weight."""
    rest = 1 - np.sum(w**2)
    return rest if rest > 1e-8 else 1.0


def effective_size(w: np.ndarray) -> float:
    """1 / sum(w^2): N for equal weights, 1 if one member has all."""
    return float(1 / np.sum(w**2))


def systematic(w: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices (member,), rising, of members drawn by systematic resampling: w N copies of each, rounded up or down."""
    places = (np.arange(w.size) + rng.random()) / w.size
    return np.minimum(np.searchsorted(np.cumsum(w), places), w.size - 1)


def resample(
    E: np.ndarray, w: np.ndarray, regularization: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Members of equal weight, of which those drawn more than once are moved, and their weights."""
    N, n = E.shape
    chosen = systematic(w, rng)
    # the first copy is moved too: were it not, few members would soon be the ancestors of all, and lose the truth
    copies = np.flatnonzero(np.bincount(chosen, minlength=N)[chosen] > 1)
    drawn = E[chosen]
    if regularization > 0 and copies.size > 0:
        anomalies = E - w @ E
        covariance = (anomalies * w[:, None]).T @ anomalies / unbiased(w)
        round_off = ROUND_OFF * covariance.trace() / n + np.finfo(float).tiny  # N may be too small for full rank
        root = np.linalg.cholesky(covariance + round_off * np.eye(n))
        bandwidth = regularization * N ** (-1 / (n + 4))
        drawn[copies] += bandwidth * rng.standard_normal((copies.size, n)) @ root.T
    return drawn, np.full(N, 1 / N)


def update(
    E: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    see: Callable[[np.ndarray], np.ndarray],
    settings: ParticleSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Members and weights given the observations; in stages where one would leave too few members.

    ``see`` turns members (member, site) into what they would observe (member, observation).

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
        E, w = resample(E, w, settings.regularization, rng)
    raise Unreachable(f"the observations are not within reach of the members in {MOST_STAGES} stages")


def run(problem: Problem, settings: ParticleSettings, rng: np.random.Generator) -> Record:
    """Cycle the weighted ensemble."""
    start_rng, model_rng, resampling_rng, keep_rng = rng.spawn(4)
    N, error_std = settings.members, model_error_std(settings, problem.model)
    model, operator = forecast_model(problem.model, settings), problem.instrument.operator
    with stepwise(problem, settings, start_rng) as run:
        E, w = run.first, np.full(N, 1 / N)
        for k in run.times:
            forecast(model, E, int(problem.steps[k]), error_std, model_rng)
            predicted = None if operator.direct else weighted_moments(observed(E, problem.sites[k], operator), w)
            kept = E[systematic(w, keep_rng)] if run.keep[k] else E
            y, r, sites = run.observations(k, kept, weighted_moments(E, w), predicted)
            see = partial(problem.instrument.see, variance=r, sites=sites)
            try:
                E, w = update(E, w, y, r, see, settings, resampling_rng)
            except Unreachable as why:
                raise Diverged(k, str(why)) from why
            if run.keep[k]:
                write_members(run.record, run.keep, k, E[systematic(w, keep_rng)])
            run.go_on(k, write_analysis(run.record, k, *weighted_moments(E, w)))
            if effective_size(w) < settings.resampling_threshold * N:
                E, w = resample(E, w, settings.regularization, resampling_rng)
    return run.record
