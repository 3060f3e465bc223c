"""Localized iterative ensemble Kalman smoother: the analysis at the start of a window, for every site its own.

Bocquet (2016), Q. J. R. Meteorol. Soc. 142, 1075-1089, by local analysis, with his static localization: at each site of
the start s of the window the weights w (member,) and the transform T (member, member) are those that the observations
around that site call for, each discounted by the taper of its distance. The taper is not moved with the flow inside
the window, though what an observation at the end tells of the start lies upstream. So where errors travel far within
the window, localization keeps out what would have been right and lets in what is not: longer windows and larger
intervals want a larger radius, with more members, and beyond some length they lose. See
:mod:`assimilearn.assimilation.cycling.sliding` for the loop and for what is recorded,
:mod:`assimilearn.assimilation.methods.ienks` for the method without localization.

All sites are carried through the window together, in the "bundle" variant: the mean x of the estimate with the
anomalies of the prior ensemble, made small. The members of the "transform" variant would carry those of the analysis,
T A, with another T at each site, which no one matrix can remove from what they show at the end; of the bundle there is
nothing to remove, and T is applied once, at the end. With S the sensitivities at x of the observations around a site,
times the root of the taper, and d their innovations, both scaled, each iteration solves at each site

    w = (I + S S^T)^-1 S (d + delta),     T = (I + S S^T)^-1/2

where delta is what the observations are made to change by x - x_0, all sites together, to first order: a further member
of the bundle, in that direction, shows it. Where w is the same at all sites that an observation depends on, delta is
S^T w, and this is the Gauss-Newton step (I + S S^T)^-1 (S d - w). Elsewhere that step would ask each site to make up
for what the others, which see other observations, leave unexplained: it converges slowly, to weights that are not those
of the local filter even if the model is linear. With delta the first iteration is the last if it is: the LETKF (lag 0
of :mod:`assimilearn.assimilation.methods.letks`) for a model that changes nothing; with a taper of 1 everywhere the
IEnKS.

The slopes need a model that is smooth on the scale of the bundle, ``bundle`` times the anomalies: a random forest,
which is constant by pieces, wants a large share. Elsewhere a small one is better: the anomalies of the prior are wider
than those of the analysis, and averages over their width are not slopes at x. The first iteration takes what the
forecast shows that the window before ends with, as it is.
Only the actions of T and T^2 on one vector each are needed (:mod:`assimilearn.assimilation.algebra.krylov`).
Cost: N + 1 model runs over the window, and 8/3 N^3 + 3/2 N^2 m flops for a site with m observations in reach, in each
iteration.
"""

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.krylov import inverse_and_root
from assimilearn.assimilation.algebra.small import scaled
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.sliding import SlidingSettings, run_sliding
from assimilearn.assimilation.cycling.stepping import forecast
from assimilearn.assimilation.local.domain import domain_of, opened
from assimilearn.assimilation.local.products import most_between, tapered_products, tapers_of
from assimilearn.assimilation.local.tiles import observations_near_tiles
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import LocalizationSettings


class LIEnKSSettings(LocalizationSettings, SlidingSettings):
    """Localized iterative ensemble Kalman smoother."""

    any_operator: ClassVar[bool] = True

    method: Literal["lienks"] = "lienks"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: float = Field(1.04, ge=1, description="factor on the anomalies of the analysis, after the update")
    bundle: float = Field(
        1e-3,
        gt=0,
        le=1,
        description="size of the anomalies that are carried through the window to find the slopes there, as a share of "
        "those of the ensemble; a model that is not smooth needs a large one",
    )


@njit(cache=True, error_model="numpy")
def local_step(w, A, S, d, sites, parameters, transformed):
    """One iteration at every site: moves w in place and writes T A; returns the length of the step, rms over sites.

    Parameters
    ----------
    w, A, transformed : ndarray (member, site)
        Weights; anomalies of the prior, and of the analysis.
    S : ndarray (member, observation)
    d : ndarray (observation,)
        With what the observations have been made to change: d + delta.
    sites : ndarray (observation,)
    parameters : ndarray
        Those of :mod:`assimilearn.assimilation.local.domain`.
    """
    domain = opened(parameters)
    near, first, tiles = observations_near_tiles(domain, sites)
    N, lanes, square = A.shape[0], most_between(tiles), 0.0
    W = np.empty((most_between(first), lanes))
    C, gradient = np.empty((N, N, lanes)), np.empty((N, lanes))
    # two lanes for each site: S d in the first, from which its weights are solved, and its anomalies in the second
    twice, a = np.empty((N, N, 2 * lanes)), np.zeros((N, 2 * lanes))
    solution, root = np.empty((N, 2 * lanes)), np.empty((N, 2 * lanes))
    for tile in range(tiles.size - 1):
        chosen = domain.order[tiles[tile] : tiles[tile + 1]].astype(np.int64)
        kept = tapers_of(domain, chosen, sites, near[first[tile] : first[tile + 1]], W)
        tapered_products(S, d, kept, W, C, gradient)
        for j in range(N):
            a[j, :lanes] = gradient[j]
            for lane in range(chosen.size):
                a[j, lanes + lane] = A[j, chosen[lane]]
            for i in range(j + 1):
                twice[j, i, :lanes] = C[j, i]
                twice[j, i, lanes:] = C[j, i]
        inverse_and_root(twice, a, solution, root)
        for j in range(N):
            for lane in range(chosen.size):
                square += (solution[j, lane] - w[j, chosen[lane]]) ** 2
                w[j, chosen[lane]] = solution[j, lane]
                transformed[j, chosen[lane]] = root[j, lanes + lane]
    return np.sqrt(square / A.shape[1])


def minimize(
    problem: Problem,
    settings: LIEnKSSettings,
    domain: np.ndarray,
    E: np.ndarray,
    newest: np.ndarray,
    steps: int,
    y: np.ndarray,
    variance: np.ndarray,
    sites: np.ndarray,
) -> np.ndarray:
    """The analysis ensemble at the start of the window.

    Parameters
    ----------
    domain : ndarray
        Of :mod:`assimilearn.assimilation.local.domain`.
    E, newest : ndarray (member, site)
        The ensemble at the start, and its forecast at the end of the window.
    steps : int
        Model steps between them.
    y, variance, sites : ndarray (observation,)
        At the end of the window.
    """
    N = len(E)
    prior_mean = E.mean(axis=0)
    A = E - prior_mean
    w, transformed = np.zeros_like(A), np.empty_like(A)
    S = problem.observation.see(newest, variance, sites)
    d = scaled(S, y, variance)
    for iteration in range(settings.iterations):
        length = local_step(w, A, S, d, sites, domain, transformed)
        increment = (w * A).sum(axis=0) / np.sqrt(N - 1)
        if not length > settings.tolerance or iteration == settings.iterations - 1:  # also where it is NaN
            break
        directions = settings.bundle * np.vstack([A, increment])
        bundle = prior_mean + increment + directions
        forecast(problem.model, bundle, steps)
        Y = problem.observation.see(bundle, variance, sites)
        S, delta = Y[:-1], (Y[-1] - Y[:-1].mean(axis=0)) / np.sqrt(variance)
        d = scaled(S, y, variance) + delta / settings.bundle
        S /= settings.bundle
    return prior_mean + increment + transformed


def run(problem: Problem, settings: LIEnKSSettings, rng: np.random.Generator) -> Record:
    """Slide the window over the observation times."""
    domain = domain_of(problem, settings, "lienks")
    return run_sliding(problem, settings, partial(minimize, problem, settings, domain), rng)
