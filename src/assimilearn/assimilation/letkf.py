"""Local ensemble transform Kalman filter: an ETKF at every site, with the observations around it.

Hunt, Kostelich & Szunyogh (2007), Physica D 230, 112-126, with their symmetric square root; the error variance of an
observation is divided by the taper of its distance (section 2.3 there). With the anomalies a (member,) of one site,
and the S and d of the observations in its reach, scaled by the root of the taper:

    x_a = x_f + ((I + S S^T)^-1 a)^T S d / sqrt(N-1),     a_a = (I + S S^T)^-1/2 a

so only the action on one vector is needed at each site (:mod:`assimilearn.assimilation.krylov`); no eigenvectors are
computed. Cost: N^2 q / 2 + 4/3 N^3 multiplications for a site with q observations in reach: linear in n.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import centre, recompose, scaled
from assimilearn.assimilation.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.krylov import INTERVALS, POLES, inverse_and_root, inverse_root_poles
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import LocalSettings
from assimilearn.assimilation.tapers import ring_taper
from assimilearn.models.lorenz96 import FAST

LANES = 32  # sites worked on side by side, at most: they fill the cache, not more
TABLE = INTERVALS * 2 * POLES


class LETKFSettings(LocalSettings):
    """Local ensemble transform Kalman filter."""

    any_operator: ClassVar[bool] = True

    method: Literal["letkf"] = "letkf"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: float = Field(1.04, ge=1, description="factor on the anomalies of the analysis, after the update")


@njit(cache=True, fastmath=FAST, error_model="numpy")
def letkf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are the poles of the inverse root, then the taper."""
    N, n = E.shape
    poles, taper = parameters[:TABLE].copy().reshape(INTERVALS, 2, POLES), parameters[TABLE:]
    mean = centre(E)
    d = scaled(Y, y, variance)
    S = Y.T.copy()  # (observation, member): one observation is one stretch of memory
    order, first = by_site(sites, n)
    near = np.empty((most_near(first, taper.size - 1), N))
    batches = (n + LANES - 1) // LANES
    lanes = (n + batches - 1) // batches
    C, a, weighted = np.empty((N, N, lanes)), np.empty((N, lanes)), np.empty((N, lanes))
    inverse, root = np.empty((N, lanes)), np.empty((N, lanes))
    for site in range(0, n, lanes):
        gather(site, S, d, order, first, taper, near, C, weighted)
        width = min(lanes, n - site)
        a[:] = 0.0
        for j in range(N):
            for lane in range(width):
                a[j, lane] = E[j, site + lane]
        inverse_and_root(C, a, poles, inverse, root)
        for j in range(N):
            for lane in range(width):
                mean[site + lane] += inverse[j, lane] * weighted[j, lane] / np.sqrt(N - 1)
                E[j, site + lane] = root[j, lane]
    recompose(E, mean, 1.0)


@njit(cache=True, fastmath=FAST, error_model="numpy")
def gather(site, S, d, order, first, taper, near, C, weighted):
    """Write S S^T and S d, tapered, for the sites from ``site`` on, as many as C has lanes; zero beyond the last."""
    n, N, reach = first.size - 1, S.shape[1], taper.size - 1
    weighted[:] = 0.0
    for lane in range(C.shape[2]):
        count = 0
        for offset in range(min(2 * reach + 1, n) if site + lane < n else 0):
            place = (site + lane - reach + offset) % n
            root = np.sqrt(taper[min(abs(offset - reach), n - abs(offset - reach))])
            for k in range(first[place], first[place + 1]):
                o = order[k]
                for j in range(N):
                    near[count, j] = root * S[o, j]
                    weighted[j, lane] += root * near[count, j] * d[o]
                count += 1
        products = np.dot(near[:count].T, near[:count])
        for i in range(N):
            for j in range(N):
                C[i, j, lane] = products[i, j]


@njit(cache=True, error_model="numpy")
def by_site(sites, n):
    """Observations in the order of their sites, and where those of each site begin (site + 1,)."""
    first = np.zeros(n + 1, np.int64)
    for site in sites:
        first[site + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    order, free = np.empty(sites.size, np.int64), first[:n].copy()
    for o in range(sites.size):
        order[free[sites[o]]] = o
        free[sites[o]] += 1
    return order, first


@njit(cache=True, error_model="numpy")
def most_near(first, reach):
    """The largest number of observations in the reach of a site."""
    n, most = first.size - 1, 0
    for i in range(n):
        count = 0
        for offset in range(min(2 * reach + 1, n)):
            place = (i - reach + offset) % n
            count += first[place + 1] - first[place]
        most = max(most, count)
    return most


def letkf_parameters(taper: np.ndarray) -> np.ndarray:
    """Parameters of the update for a taper at distances 0, 1, 2 ... sites."""
    return np.concatenate([inverse_root_poles().ravel(), taper])


def run(problem: Problem, settings: LETKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    taper = ring_taper(settings.taper, settings.localization_radius, problem.model.size)
    return run_filter(problem, ensemble_filter(letkf_update, settings, letkf_parameters(taper)), settings, rng)
