"""Local ensemble transform Kalman filter: an ETKF at every site, with the observations around it.

Hunt, Kostelich & Szunyogh (2007), Physica D 230, 112-126, with their symmetric square root; the error variance of an
observation is divided by the taper of its distance (section 2.3 there). With the anomalies a (member,) of one site,
and the S and d of the observations in its reach, scaled by the root of the taper:

    x_a = x_f + ((I + S S^T)^-1 a)^T S d / sqrt(N-1),     a_a = (I + S S^T)^-1/2 a

so only the action on one vector is needed at each site (:mod:`assimilearn.assimilation.algebra.krylov`); no
eigenvectors are computed. Sites are worked on in tiles of near ones: S S^T and S d of all sites of a tile are one
matrix product (:mod:`assimilearn.assimilation.local.products`). Cost: N^2 m + 4/3 N^3 flops for a site with m
observations in reach of its tile: linear in n.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.krylov import inverse_and_root
from assimilearn.assimilation.algebra.small import centre, recompose, scaled
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.local.domain import domain_of, opened
from assimilearn.assimilation.local.products import most_between, tapered_products, tapers_of
from assimilearn.assimilation.local.tiles import observations_near_tiles
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import INFLATION, FilterSettings, Inflation, LocalSettings


class LETKFSettings(FilterSettings, LocalSettings):
    """Local ensemble transform Kalman filter."""

    any_operator: ClassVar[bool] = True

    method: Literal["letkf"] = "letkf"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: Inflation = Field(1.04, description=INFLATION)  # type: ignore[assignment]


@njit(cache=True, error_model="numpy")
def letkf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are those of :mod:`assimilearn.assimilation.local.domain`."""
    N = E.shape[0]
    domain = opened(parameters)
    mean = centre(E)
    d = scaled(Y, y, variance)
    near, first, tiles = observations_near_tiles(domain, sites)
    lanes = most_between(tiles)
    W = np.empty((most_between(first), lanes))
    C, a, weighted = np.empty((N, N, lanes)), np.zeros((N, lanes)), np.empty((N, lanes))
    inverse, root = np.empty((N, lanes)), np.empty((N, lanes))
    for tile in range(tiles.size - 1):
        chosen = domain.order[tiles[tile] : tiles[tile + 1]].astype(np.int64)
        kept = tapers_of(domain, chosen, sites, near[first[tile] : first[tile + 1]], W)
        if kept.size == 0:
            continue
        tapered_products(Y, d, kept, W, C, weighted)
        for j in range(N):
            for lane in range(chosen.size):
                a[j, lane] = E[j, chosen[lane]]
        inverse_and_root(C, a, inverse, root)
        for j in range(N):
            for lane in range(chosen.size):
                mean[chosen[lane]] += inverse[j, lane] * weighted[j, lane] / np.sqrt(N - 1)
                E[j, chosen[lane]] = root[j, lane]
    recompose(E, mean, 1.0)


def run(problem: Problem, settings: LETKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    domain = domain_of(problem, settings, "letkf")
    return run_filter(problem, ensemble_filter(letkf_update, settings, domain), settings, rng)
