"""Localized iterative ensemble Kalman smoother: the analysis at the start of a window, for every site its own.

Bocquet (2016), Q. J. R. Meteorol. Soc. 142, 1075-1089, by local analysis, with his static localization: at each site of
the start s of the window the weights w (member,) and the transform T (member, member) are those that the observations
around that site call for, each discounted by the taper of its distance. The taper is not moved with the flow inside
the window, though what an observation at the end tells of the start lies upstream. So where errors travel far within
the window, localization keeps out what would have been right and lets in what is not: longer windows and larger
intervals want a larger radius, with more members, and beyond some length they lose. See
:mod:`assimilearn.assimilation.sliding` for the loop and for what is recorded,
:mod:`assimilearn.assimilation.ienks` for the method without localization.

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
of the local filter even if the model is linear. With delta the first iteration is the last if it is: the
LETKF (lag 0 of :mod:`assimilearn.assimilation.letks`) for a model that changes nothing; with a taper of 1 everywhere
the IEnKS.

The slopes need a model that is smooth on the scale of the bundle, ``bundle`` times the anomalies: a random forest,
which is constant by pieces, wants a large share. Elsewhere a small one is better: the anomalies of the prior are wider
than those of the analysis, and averages over their width are not slopes at x. The first iteration takes what the
forecast shows that the window before ends with, as it is.
Only the actions of T and T^2 on one vector each are needed (:mod:`assimilearn.assimilation.krylov`).
Cost: N + 1 model runs over the window, and 8/3 N^3 + 3/2 N^2 m flops for a site with m observations in reach, in each
iteration.
"""

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import scaled
from assimilearn.assimilation.krylov import inverse_and_root
from assimilearn.assimilation.nearby import by_site, nearby, taper_around
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import LocalizationSettings
from assimilearn.assimilation.sliding import SlidingSettings, run_sliding
from assimilearn.assimilation.stepping import forecast
from assimilearn.assimilation.tapers import ring_taper

SITES = 16  # worked on side by side


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
def local_step(w, A, S, d, sites, taper, transformed):
    """One iteration at every site: moves w in place and writes T A; returns the length of the step, rms over sites.

    Parameters
    ----------
    w, A, transformed : ndarray (member, site)
        Weights; anomalies of the prior, and of the analysis.
    S : ndarray (member, observation)
    d : ndarray (observation,)
        With what the observations have been made to change: d + delta.
    sites : ndarray (observation,)
    taper : ndarray
        At distances 0, 1, 2 ...
    """
    N, n = A.shape
    order, first = by_site(sites, n)
    factor, found, weight = taper_around(taper, n), np.empty(d.size, np.int64), np.empty(d.size)
    square = 0.0
    for begin in range(0, n, SITES):
        width = min(SITES, n - begin)
        # two lanes for each site: S d in the first, from which its weights are solved, and its anomalies in the second
        C, a = np.zeros((N, N, 2 * width)), np.zeros((N, 2 * width))
        for lane in range(width):
            count = nearby(begin + lane, order, first, factor, found, weight)
            add_products(S, d, found[:count], weight[:count], C, a, lane)
            for j in range(N):
                a[j, width + lane] = A[j, begin + lane]
                for i in range(j + 1):
                    C[j, i, width + lane] = C[j, i, lane]
        solution, root = np.empty((N, 2 * width)), np.empty((N, 2 * width))
        inverse_and_root(C, a, solution, root)
        for j in range(N):
            for lane in range(width):
                square += (solution[j, lane] - w[j, begin + lane]) ** 2
                w[j, begin + lane] = solution[j, lane]
                transformed[j, begin + lane] = root[j, width + lane]
    return np.sqrt(square / n)


@njit(cache=True, error_model="numpy")
def add_products(S, d, found, weight, C, pull, lane):
    """Add to one lane S S^T, its lower triangle, and S d, of the observations ``found``, times their weights."""
    for i in range(S.shape[0]):
        for j in range(i + 1):
            for c in range(found.size):
                C[i, j, lane] += weight[c] * S[i, found[c]] * S[j, found[c]]
        for c in range(found.size):
            pull[i, lane] += weight[c] * S[i, found[c]] * d[found[c]]


def minimize(
    problem: Problem,
    settings: LIEnKSSettings,
    taper: np.ndarray,
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
    taper : ndarray
        At distances 0, 1, 2 ...
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
    S = problem.instrument.see(newest, variance, sites)
    d = scaled(S, y, variance)
    for iteration in range(settings.iterations):
        length = local_step(w, A, S, d, sites, taper, transformed)
        increment = (w * A).sum(axis=0) / np.sqrt(N - 1)
        if not length > settings.tolerance or iteration == settings.iterations - 1:  # also where it is NaN
            break
        directions = settings.bundle * np.vstack([A, increment])
        bundle = prior_mean + increment + directions
        forecast(problem.model, bundle, steps)
        Y = problem.instrument.see(bundle, variance, sites)
        S, delta = Y[:-1], (Y[-1] - Y[:-1].mean(axis=0)) / np.sqrt(variance)
        d = scaled(S, y, variance) + delta / settings.bundle
        S /= settings.bundle
    return prior_mean + increment + transformed


def run(problem: Problem, settings: LIEnKSSettings, rng: np.random.Generator) -> Record:
    """Slide the window over the observation times."""
    taper = ring_taper(settings.taper, settings.localization_radius, problem.model.size)
    return run_sliding(problem, settings, partial(minimize, problem, settings, taper), rng)
