"""Local ensemble transform Kalman smoother with a fixed lag: the weights of the LETKF, taken by the past too.

Nerger, Schulte & Bunse-Gerstner (2014), Q. J. R. Meteorol. Soc. 140, 2249-2259: at every site the members of the last
``lag`` observation times are transformed like those of the present, by the observations around the site; see
:mod:`assimilearn.assimilation.cycling.smoothing` for the loop. They use the LESTKF; here it is the symmetric transform
of Hunt, Kostelich & Szunyogh (2007), Physica D 230, 112-126, as in :mod:`assimilearn.assimilation.methods.letkf`, which
with a lag of 0 this is. With a taper of 1 everywhere it is the global smoother
(:mod:`assimilearn.assimilation.methods.enks`).

Errors move while they are forecast, the taper stays where the observation is: the longer the lag, the more of what
localization keeps out would have been right. So the lag that is best is shorter than that of a global smoother.
Cost: 5 N^3 + N^2 (m + lag) flops for a site with m observations in reach; found tile by tile: linear in n.
"""

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.small import centre, recompose, scaled
from assimilearn.assimilation.algebra.transform import transform
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.smoothing import LaggedSettings, run_smoother
from assimilearn.assimilation.local.domain import domain_of, opened
from assimilearn.assimilation.local.products import most_between, reaching, tapers_of
from assimilearn.assimilation.local.tiles import observations_near_tiles
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import LocalSettings


class LETKSSettings(LaggedSettings, LocalSettings):
    """Local ensemble transform Kalman smoother with a fixed lag."""

    any_operator: ClassVar[bool] = True

    method: Literal["letks"] = "letks"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: float = Field(1.04, ge=1, description="factor on the anomalies of the analysis, after the update")


@njit(cache=True, error_model="numpy")
def letks_update(Z, Y, y, variance, sites, parameters, times):
    """One analysis, in place on the augmented ensemble Z (member, time and site + memory); Y is overwritten.

    ``parameters`` are those of :mod:`assimilearn.assimilation.local.domain`. The memory of a model stands after the
    sites of ``times``, and stays as it is.
    """
    domain, N = opened(parameters), Z.shape[0]
    n = domain.order.size
    mean = centre(Z)
    d = scaled(Y, y, variance)
    A, at_site = np.empty((N, times)), np.empty(times)
    near, first, tiles = observations_near_tiles(domain, sites)
    most = most_between(first)
    W, found, weight = np.empty((most, most_between(tiles))), np.empty(most, np.int64), np.empty(most)
    for tile in range(tiles.size - 1):
        chosen = domain.order[tiles[tile] : tiles[tile + 1]].astype(np.int64)
        kept = tapers_of(domain, chosen, sites, near[first[tile] : first[tile + 1]], W)
        for lane in range(chosen.size):
            site, count = chosen[lane], reaching(kept, W, lane, found, weight)
            if count == 0:
                continue
            S, at_hand = tapered(Y, d, found[:count], weight[:count])
            for t in range(times):
                at_site[t] = mean[t * n + site]
                for j in range(N):
                    A[j, t] = Z[j, t * n + site]
            transform(A, at_site, S, at_hand)
            for t in range(times):
                mean[t * n + site] = at_site[t]
                for j in range(N):
                    Z[j, t * n + site] = A[j, t]
    recompose(Z, mean, 1.0)


@njit(cache=True, error_model="numpy")
def tapered(S, d, found, weight):
    """The columns of S and entries of d that are ``found``, times the root of their weight."""
    near_S, near_d = np.empty((S.shape[0], found.size)), np.empty(found.size)
    for c in range(found.size):
        root = np.sqrt(weight[c])
        for j in range(S.shape[0]):
            near_S[j, c] = root * S[j, found[c]]
        near_d[c] = root * d[found[c]]
    return near_S, near_d


def run(problem: Problem, settings: LETKSSettings, rng: np.random.Generator) -> Record:
    """Cycle the augmented ensemble."""
    update = partial(letks_update, parameters=domain_of(problem, settings, "letks"), times=settings.lag + 1)
    return run_smoother(problem, settings, update, rng)
