"""Local particle filter: at every site the members are weighted by the observations around it, and transported.

Weights of the whole state collapse onto one member unless there are exponentially many; those of one site, by the few
observations near it, do not. Of the local particle filters that Farchi & Bocquet (2018), Nonlin. Processes Geophys. 25,
765-807, review, this is the ensemble transform at every site of Cheng & Reich (2015), in "Nonlinear Data Assimilation",
Springer, 75-118, in its cheapest form: the distance that is transported is that at the site alone. The weight of member
j at a site is

    w_j ~ exp(-beta sum over observations of taper(distance) (y - h(x_j))^2 / (2 variance))

and the members at that site are replaced by those of equal weight that are nearest to them: the ensemble transform of
Reich (2013), SIAM J. Sci. Comput. 35, A2013-A2024, whose optimal coupling in one dimension keeps the order, so that
it is found by sorting. Where the sorted weighted members fill the unit interval with pieces of length w, the new member
of rank r is the mean over the piece from r/N to (r+1)/N. Members keep their ranks at every site: neighbouring sites
stay in step, which drawing anew at each site would not achieve, and nothing is random. The weighted mean is kept
exactly, the variance is lost in part, and given back by a factor on the anomalies of the site (the second-order
accuracy of Acevedo, de Wiljes & Reich 2017, SIAM J. Sci. Comput. 39, A1834-A1850, in one dimension).

Where fewer than ``smallest_share`` N effective members would be left, beta < 1 is the largest that leaves as many, an
error variance that is larger for that site (as in Poterjoy, Wicker & Buehner 2019, Mon. Wea. Rev. 147, 1107-1126);
elsewhere it is 1. Members cannot be drawn beyond the extremes of the forecast: once all are far from the truth, they
follow the nearest one and lose their spread, whatever the inflation. So a little noise after each model step
(``model_error``) is part of the method, also where the model is perfect.
Cost: N (m + log N) for a site with m observations in reach; found tile by tile: linear in n.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.local.domain import domain_of, opened
from assimilearn.assimilation.local.products import most_between, reaching, tapers_of
from assimilearn.assimilation.local.tiles import observations_near_tiles
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import LocalSettings

HALVINGS = 20  # of the interval in which beta is sought


class LPFSettings(LocalSettings):
    """Local particle filter with a transport of the members at each site."""

    any_operator: ClassVar[bool] = True
    streams: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    method: Literal["lpf"] = "lpf"
    members: int = Field(40, ge=2, description="size N of the ensemble")
    inflation: float = Field(1.02, ge=1, description="factor on the anomalies of the analysis, after the update")
    model_error: Annotated[float, Field(ge=0)] | Literal["residual"] | None = Field(
        0.05,
        description="standard deviation of the noise added to every site of every member after each model step; "
        '"residual" takes the one-step error that a trained emulator states; without any the members soon agree',
    )
    localization_radius: float = Field(
        3.0,
        gt=0,
        description="in sites: standard deviation L of the Gaussian that the taper follows; "
        "Gaspari and Cohn's function then ends at 3.65 L",
    )
    smallest_share: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="share of N below which the effective number of members of a site must not fall: the error "
        "variances are then enlarged there; 0 for never",
    )


@njit(cache=True, error_model="numpy")
def lpf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on the sites of E; parameters are the smallest share, and those of the domain."""
    N = E.shape[0]
    smallest, domain = parameters[0] * N, opened(parameters[1:])
    log_factor, w, x = np.empty(N), np.empty(N), np.empty(N)
    near, first, tiles = observations_near_tiles(domain, sites)
    most = most_between(first)
    W, found, weight = np.empty((most, most_between(tiles))), np.empty(most, np.int64), np.empty(most)
    for tile in range(tiles.size - 1):
        chosen = domain.order[tiles[tile] : tiles[tile + 1]].astype(np.int64)
        kept = tapers_of(domain, chosen, sites, near[first[tile] : first[tile + 1]], W)
        for lane in range(chosen.size):
            count = reaching(kept, W, lane, found, weight)
            log_likelihood(Y, y, variance, found[:count], weight[:count], log_factor)
            temper(log_factor, smallest, w)
            for j in range(N):
                x[j] = E[j, chosen[lane]]
            transport(x, w)
            for j in range(N):
                E[j, chosen[lane]] = x[j]


@njit(cache=True, error_model="numpy")
def log_likelihood(Y, y, variance, found, weight, log_factor):
    """Write the logarithm of the likelihood of every member given the observations ``found``, each times its weight."""
    for j in range(log_factor.size):
        log_factor[j] = 0.0
    for k in range(found.size):
        o = found[k]
        for j in range(log_factor.size):
            log_factor[j] -= 0.5 * weight[k] * (y[o] - Y[j, o]) ** 2 / variance[o]


@njit(cache=True, error_model="numpy")
def temper(log_factor, smallest, w):
    """Write weights w ~ exp(beta log_factor), beta the largest in 0 ... 1 that leaves ``smallest`` effective ones."""
    if weigh(log_factor, 1.0, w) >= smallest:
        return
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        beta = (low + high) / 2
        if weigh(log_factor, beta, w) >= smallest:
            low = beta
        else:
            high = beta
    weigh(log_factor, low, w)


@njit(cache=True, error_model="numpy")
def weigh(log_factor, beta, w):
    """Write normalized weights; the effective number of members 1 / sum(w^2)."""
    largest, total, square = log_factor.max(), 0.0, 0.0
    for j in range(w.size):
        w[j] = np.exp(beta * (log_factor[j] - largest))
        total += w[j]
    for j in range(w.size):
        w[j] /= total
        square += w[j] ** 2
    return 1 / square


@njit(cache=True, error_model="numpy")
def transport(x, w):
    """Replace x (member,) of weights w by values of equal weight, in the same order, with their mean and variance."""
    N = x.size
    mean = variance = 0.0
    for j in range(N):
        mean += w[j] * x[j]
    rest = 1.0
    for j in range(N):
        variance += w[j] * (x[j] - mean) ** 2
        rest -= w[j] ** 2
    order = np.argsort(x)
    moved = np.zeros(N)
    fill(x, w, order, moved)
    left = 0.0
    for j in range(N):
        left += (moved[j] - mean) ** 2 / (N - 1)
    factor = np.sqrt(variance / (rest * left)) if left > 0 and rest > 0 else 1.0
    for j in range(N):
        x[j] = mean + factor * (moved[j] - mean)


@njit(cache=True, error_model="numpy")
def fill(x, w, order, moved):
    """Write the means of the N equal pieces of the unit interval, which the sorted members fill in proportion to w."""
    N, source, left = x.size, 0, w[order[0]]
    for rank in range(N):
        room = 1.0 / N
        for _ in range(N + 1):  # each turn fills the room or takes the next member
            if not room > 0:
                break
            part = min(room, left) if source < N - 1 else room  # the last member takes what rounding leaves
            moved[order[rank]] += N * part * x[order[source]]
            room -= part
            left -= part
            if left <= 0 and source < N - 1:
                source += 1
                left = w[order[source]]


def run(problem: Problem, settings: LPFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    parameters = np.concatenate([[settings.smallest_share], domain_of(problem, settings, "lpf")])
    return run_filter(problem, ensemble_filter(lpf_update, settings, parameters), settings, rng)
