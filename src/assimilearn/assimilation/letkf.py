"""Local ensemble transform Kalman filter: an ETKF at every site, with the observations around it.

Hunt, Kostelich & Szunyogh (2007), Physica D 230, 112-126, with their symmetric square root; the error variance of an
observation is divided by the taper of its distance (section 2.3 there). With the anomalies a (member,) of one site,
and the S and d of the observations in its reach, scaled by the root of the taper:

    x_a = x_f + ((I + S S^T)^-1 a)^T S d / sqrt(N-1),     a_a = (I + S S^T)^-1/2 a

so only the action on one vector is needed at each site (:mod:`assimilearn.assimilation.krylov`); no eigenvectors are
computed. S S^T is a weighted sum over the sites in reach, with weights that depend on the distance alone: a
convolution along the ring. Cost: N^2 m / 2 + 2/3 N^3 multiplications for a site with m sites in reach: linear in n.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import centre, recompose, scaled
from assimilearn.assimilation.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.krylov import inverse_and_root
from assimilearn.assimilation.nearby import by_site, most_at_a_site, taper_around
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import INFLATION, FilterSettings, Inflation, LocalSettings
from assimilearn.assimilation.tapers import ring_taper
from assimilearn.kernels import FAST

LANES = 32  # sites worked on side by side, at least: loops over fewer are compiled into scalar code


class LETKFSettings(FilterSettings, LocalSettings):
    """Local ensemble transform Kalman filter."""

    any_operator: ClassVar[bool] = True

    method: Literal["letkf"] = "letkf"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: Inflation = Field(1.04, description=INFLATION)  # type: ignore[assignment]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def letkf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are the taper at distances 0, 1, 2 ..."""
    N, n = E.shape
    factor = taper_around(parameters, n)
    mean = centre(E)
    d = scaled(Y, y, variance)
    order, first = by_site(sites, n)
    lanes = even_share(n)
    near = np.empty((most_at_a_site(first), N + 1, lanes + factor.size - 1))
    C, a, weighted = np.empty((N, N, lanes)), np.empty((N, lanes)), np.empty((N, lanes))
    inverse, root = np.empty((N, lanes)), np.empty((N, lanes))
    for site in range(0, n, lanes):
        gather(site - (factor.size // 2), Y, d, order, first, near)
        tapered_products(near, factor, C, weighted)
        width = min(lanes, n - site)
        for j in range(N):
            for lane in range(lanes):
                a[j, lane] = E[j, site + lane] if lane < width else 0.0
        inverse_and_root(C, a, inverse, root)
        for j in range(N):
            for lane in range(width):
                mean[site + lane] += inverse[j, lane] * weighted[j, lane] / np.sqrt(N - 1)
                E[j, site + lane] = root[j, lane]
    recompose(E, mean, 1.0)


@njit(cache=True, error_model="numpy")
def even_share(n):
    """Sites of one batch, if n are shared out evenly to batches of LANES or more; a multiple of four.

    Never a constant: the compiler would unroll loops over lanes before it could vectorise them.
    """
    batches = max(n // LANES, 1)
    return max((n + batches - 1) // batches + 3, LANES) // 4 * 4


@njit(cache=True, error_model="numpy")
def gather(start, S, d, order, first, near):
    """Write the columns of S, then d, at the sites from ``start`` on, round the ring; zero where nothing is observed.

    ``near`` is (layer, member + 1, site): the k-th observation of a site is in layer k.
    """
    N, n = S.shape[0], first.size - 1
    for layer in range(near.shape[0]):
        for k in range(near.shape[2]):
            place = (start + k) % n
            o = first[place] + layer
            if o < first[place + 1]:
                for j in range(N):
                    near[layer, j, k] = S[j, order[o]]
                near[layer, N, k] = d[order[o]]
            else:
                for j in range(N + 1):
                    near[layer, j, k] = 0.0


@njit(cache=True, fastmath=FAST, error_model="numpy")
def tapered_products(near, factor, C, weighted):
    """Write S S^T, its lower triangle, and S d, each summed around every lane with the weights ``factor``."""
    N, product = weighted.shape[0], np.empty(near.shape[2])
    for i in range(N):
        for j in range(i + 1):
            multiply(near, i, j, product)
            convolve(product, factor, C[i, j])
        multiply(near, i, N, product)
        convolve(product, factor, weighted[i])


@njit(cache=True, fastmath=FAST, error_model="numpy")
def multiply(near, i, j, product):
    """Write the products of rows i and j, summed over layers."""
    for k in range(product.size):
        product[k] = near[0, i, k] * near[0, j, k]
    for layer in range(1, near.shape[0]):
        for k in range(product.size):
            product[k] += near[layer, i, k] * near[layer, j, k]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def convolve(product, factor, target):
    """Write the sum over k of factor[k] product[lane + k]; four at a time, which saves most traffic of the target."""
    whole = factor.size // 4
    for lane in range(target.size):
        target[lane] = 0.0
    for quarter in range(whole):
        f0, f1, f2, f3 = factor[4 * quarter], factor[4 * quarter + 1], factor[4 * quarter + 2], factor[4 * quarter + 3]
        p = product[4 * quarter :]
        for lane in range(target.size):
            target[lane] += f0 * p[lane] + f1 * p[lane + 1] + f2 * p[lane + 2] + f3 * p[lane + 3]
    for k in range(4 * whole, factor.size):
        p = product[k:]
        for lane in range(target.size):
            target[lane] += factor[k] * p[lane]


def run(problem: Problem, settings: LETKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    taper = ring_taper(settings.taper, settings.localization_radius, problem.model.size)
    return run_filter(problem, ensemble_filter(letkf_update, settings, taper), settings, rng)
