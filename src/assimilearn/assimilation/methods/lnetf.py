"""Local nonlinear ensemble transform filter: mean and covariance of the weighted members, by a transform at every site.

Toedter & Ahrens (2015), Mon. Wea. Rev. 143, 1347-1367. With the weights w (member,) of a site, those of the particle
filter given the observations around it, the analysis has the weighted mean and covariance of the members there:

    x_a = sum of w_j x_j,     a_a = sqrt(N) (diag(w) - w w^T)^1/2 a

with the symmetric root, so that neighbouring sites stay in step. The logarithm of the likelihood of an observation is
multiplied by the taper of its distance. The paper rotates the anomalies at random (``rotation``), which keeps both
moments. The weights of a few members are noisy: ``error_scale`` multiplies the error standard deviations that they see.
A site with fewer than ``smallest_share`` N effective members sees larger error variances, as in
:mod:`assimilearn.assimilation.methods.lpf`.
Cost: N m for the weights and 9 N^3 flops for the root, for a site with m observations in reach: linear in n.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.small import centre
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.local.domain import domain_of, opened
from assimilearn.assimilation.local.products import most_between, reaching, tapers_of
from assimilearn.assimilation.local.tiles import observations_near_tiles
from assimilearn.assimilation.methods.lpf import log_likelihood, temper
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import LocalSettings


class LNETFSettings(LocalSettings):
    """Local nonlinear ensemble transform filter."""

    any_operator: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    method: Literal["lnetf"] = "lnetf"
    members: int = Field(40, ge=2, description="size N of the ensemble")
    inflation: float = Field(1.06, ge=1, description="factor on the anomalies of the analysis, after the update")
    rotation: bool = Field(True, description="rotate the anomalies at random after each update, keeping their mean")
    error_scale: float = Field(
        1.2, gt=0, description="factor on the error standard deviations of the observations in the likelihood"
    )
    smallest_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of N below which the effective number of members of a site must not fall: the error "
        "variances are then enlarged there; 0 for never",
    )


@njit(cache=True, error_model="numpy")
def lnetf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are the smallest share, the error scale, and those of the domain.

    A memory after the sites stays as it is.
    """
    N = E.shape[0]
    smallest, larger, domain = parameters[0] * N, parameters[1] ** 2 * variance, opened(parameters[2:])
    mean = centre(E)
    log_factor, w, a = np.empty(N), np.empty(N), np.empty(N)
    near, first, tiles = observations_near_tiles(domain, sites)
    most = most_between(first)
    W, found, weight = np.empty((most, most_between(tiles))), np.empty(most, np.int64), np.empty(most)
    for tile in range(tiles.size - 1):
        chosen = domain.order[tiles[tile] : tiles[tile + 1]].astype(np.int64)
        kept = tapers_of(domain, chosen, sites, near[first[tile] : first[tile + 1]], W)
        for lane in range(chosen.size):
            site = chosen[lane]
            count = reaching(kept, W, lane, found, weight)
            if count == 0:
                for j in range(N):
                    E[j, site] += mean[site]
                continue
            log_likelihood(Y, y, larger, found[:count], weight[:count], log_factor)
            temper(log_factor, smallest, w)
            for j in range(N):
                a[j] = E[j, site]
            moved, shift = through_root(w, a), 0.0
            for j in range(N):
                shift += w[j] * a[j]
            for j in range(N):
                E[j, site] = mean[site] + shift + moved[j]
    for j in range(N):
        for i in range(domain.order.size, E.shape[1]):
            E[j, i] += mean[i]


@njit(cache=True, error_model="numpy")
def through_root(w, a):
    """sqrt(N) (diag(w) - w w^T)^1/2 a for weights w and anomalies a, (member,); NaN if a weight is not finite.

    The matrix has the eigenvector of ones for the value 0, so the result has no mean.
    """
    N = w.size
    M = np.empty((N, N))
    for i in range(N):
        for j in range(N):
            M[i, j] = -w[i] * w[j]
        M[i, i] += w[i]
        if not np.isfinite(w[i]):  # LAPACK would raise
            return np.full(N, np.nan)
    values, vectors = np.linalg.eigh(M)
    return np.dot(vectors, np.sqrt(N * np.maximum(values, 0.0)) * np.dot(np.ascontiguousarray(vectors.T), a))


def run(problem: Problem, settings: LNETFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    header = [settings.smallest_share, settings.error_scale]
    parameters = np.concatenate([header, domain_of(problem, settings, "lnetf")])
    return run_filter(problem, ensemble_filter(lnetf_update, settings, parameters), settings, rng)
