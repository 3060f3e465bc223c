"""Particle filter with the optimal proposal: every member is moved towards the observations before it is weighted.

Doucet, Godsill & Andrieu (2000), Stat. Comput. 10, 197-208; Bocquet, Pires & Wu (2010), Mon. Wea. Rev. 138, 2997-3023,
section 4. The forecast density is a sum of normal kernels around the members, with the covariance Q = s^2 P of the
weighted ensemble, s being ``kernel`` times the bandwidth of Scott's rule: it stands for the model error. Each member is
drawn from its own kernel given the observations, with the gain K = Q H^T (H Q H^T + R)^-1,

    x_j <- x_j + q_j + K (y - e_j - h(x_j + q_j)),    q_j ~ N(0, Q),  e_j ~ N(0, R)

and weighted by exp(-|(H Q H^T + R)^-1/2 (y - h(x_j))|^2 / 2), how well its kernel explains them, which differs less
among members than the likelihood does. H Q H^T and Q H^T are those of the ensemble; exact for a linear h. With
``kernel: 0`` it is the bootstrap filter. Resampling and regularization are those of
:mod:`assimilearn.assimilation.algebra.weights`.
Cost: N model runs and 2 N^2 (n + p) + p^3 / 3 flops, and N n^2 where members are drawn anew.
"""

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from assimilearn.assimilation.algebra.weights import effective_size, resample, reweighted, scott, unbiased
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.weighted import See, Unreachable, Weighted, run_weighted
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import MemberSettings, ModelErrorSettings


class OptPFSettings(ModelErrorSettings, MemberSettings):
    """Particle filter with the optimal proposal."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True
    stochastic_models: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    method: Literal["optpf"] = "optpf"
    members: int = Field(100, ge=2, description="size N of the ensemble")
    kernel: float = Field(
        0.3,
        ge=0,
        description="bandwidth of the kernels that the observations are assimilated into, as `regularization`",
    )
    resampling_threshold: float = Field(
        0.2, gt=0, le=1, description="share of N below which the effective number of members calls for resampling"
    )
    regularization: float = Field(
        1.0,
        ge=0,
        description="bandwidth of the normal kernel that moves the copies of a member, in units of Scott's rule",
    )


def update(
    E: np.ndarray,
    w: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    see: See,
    rng: np.random.Generator,
    kernel: float,
    n: int,
) -> Weighted:
    """Members drawn from their kernels given the observations, and their weights.

    ``see`` turns members (member, site + memory) into what they would observe (member, observation), with independent
    errors; n is the number of sites.

    Raises
    ------
    Unreachable
        If no member has a weight, or the variances overflow.
    """
    N, Y = len(E), see(E)
    root = kernel * scott(N, n) * np.sqrt(w / unbiased(w))[:, None]
    A, S = root * (E - w @ E), root * (Y - w @ Y)
    C = S.T @ S + np.diag(variance)
    try:
        precision = np.linalg.inv(C)
    except np.linalg.LinAlgError as error:
        raise Unreachable("the variances of what is observed are no numbers that can be inverted") from error
    d = y - Y
    log_factor = -0.5 * np.einsum("jo,op,jp->j", d, precision, d, optimize=True)
    if not np.isfinite(log_factor[w > 0].max()):
        raise Unreachable("no member can explain the observations: all are of likelihood zero")
    drawn = E + rng.standard_normal((N, N)) @ A
    departures = y + np.sqrt(variance) * rng.standard_normal(Y.shape) - see(drawn)
    return drawn + departures @ precision @ (S.T @ A), reweighted(w, log_factor)


def run(problem: Problem, settings: OptPFSettings, rng: np.random.Generator) -> Record:
    """Cycle the weighted ensemble."""
    n = problem.model.size

    def renewed(E: np.ndarray, w: np.ndarray, rng: np.random.Generator) -> Weighted:
        if effective_size(w) >= settings.resampling_threshold * settings.members:
            return E, w
        return resample(E, w, settings.regularization, rng, n)

    return run_weighted(problem, settings, rng, partial(update, kernel=settings.kernel, n=n), renewed)
