"""Local rank histogram filter: each observation moves the ensemble of what it observes by Bayes' rule.

The ensemble of what is observed stands for its rank histogram distribution
(:mod:`assimilearn.assimilation.algebra.rank_histogram`), of any shape, where the EAKF takes a normal one. The posterior
members are those of the same ranks (Anderson 2010, Mon. Wea. Rev. 138, 4186-4198). Their increments are regressed on
the sites within reach, times the taper (Anderson 2003, Mon. Wea. Rev. 131, 634-642): on the values, or with
``regression: probit`` on the normal quantiles of the ranks, which keeps a relation that is monotonic but not linear,
and values within ``bounds`` (Anderson 2023, Mon. Wea. Rev. 151, 2759-2777). With probit regression inflation is that of
these quantiles, before the update.

Members beyond the bounds, where the model or the climatology has brought them, are moved onto them before an update.
The memory of a model has no place and no bounds, and stays as it is.
Cost: N log N for each observation and site in its reach.
"""

from typing import ClassVar, Literal, Self

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from assimilearn.assimilation.algebra.rank_histogram import posterior, probit_of, probits, spread, value_of
from assimilearn.assimilation.cycling.filtering import Filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.start import first_ensemble
from assimilearn.assimilation.local.domain import PLACES, domain_of, encoded, labelled, opened
from assimilearn.assimilation.local.tapers import between_fields, squared_distances, taper_squares
from assimilearn.assimilation.local.tiles import NEXT, TILE, ends_of_tiles, gap_to_box, observations_by_tile
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import INFLATION, AfterUpdate, FilterSettings, Inflation, LocalSettings

HEADER = 4
LANES = 16


class RHFSettings(FilterSettings, LocalSettings):
    """Local rank histogram filter, with bounds also known as quantile-conserving filter."""

    any_operator: ClassVar[bool] = True

    method: Literal["rhf"] = "rhf"
    members: int = Field(20, ge=2, description="size N of the ensemble")
    inflation: Inflation = Field(1.05, description=INFLATION)  # type: ignore[assignment]
    localization_radius: float | None = Field(  # type: ignore[assignment]
        None,
        gt=0,
        description="standard deviation L of the Gaussian that the taper follows, in the units of the positions "
        "(sites on a ring); by default an observation reaches all sites",
    )
    regression: Literal["linear", "probit"] = Field(
        "linear",
        description="regress increments on the values of a site, or on the normal quantiles of their ranks",
    )
    bounds: tuple[float | None, float | None] = Field(
        (None, None), description="least and largest value of the state, null for none; needs probit regression"
    )

    @property
    def local(self) -> bool:
        """Whether an observation reaches only the sites around it."""
        return self.localization_radius is not None

    @property
    def after_update(self) -> AfterUpdate:
        """Probit regression inflates before the update."""
        return AfterUpdate() if self.regression == "probit" else super().after_update

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.parameters:
            raise ValueError("parameters: they have no place, so a localized method cannot estimate them")
        low, high = self.bounds
        if (low, high) != (None, None) and self.regression != "probit":
            raise ValueError("bounds: only regression: probit keeps values within them")
        if low is not None and high is not None and not low < high:
            raise ValueError("bounds: the first must be below the second")
        relaxed = self.relaxation_to_prior_spread or self.relaxation_to_prior_perturbations
        if self.regression == "probit" and (relaxed or self.rotation or self.inflation == "adaptive"):
            raise ValueError("regression: with probit the ensemble can be inflated by a number, and nothing else")
        return self


@njit(cache=True, error_model="numpy")
def rhf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E.

    Parameters are 1 for probit regression, the bounds, the inflation before the update, and those of
    :mod:`assimilearn.assimilation.local.domain`.
    """
    probit, low, high, inflation = parameters[0] > 0, parameters[1], parameters[2], parameters[3]
    domain = opened(parameters[HEADER:])
    X, seen = np.ascontiguousarray(E.T), np.ascontiguousarray(Y.T)
    # what functions of the state observe has bounds that are not known here
    direct = parameters[HEADER + PLACES] == 0
    least, most = (low, high) if direct else (-np.inf, np.inf)
    if probit:
        prepare(X[: domain.order.size], inflation, low, high)  # without a memory after the sites, which stays as it is
        prepare(seen, inflation, least, most)
    at_sites = labelled(domain, domain.sites, domain.site_field)
    at_places = labelled(domain, domain.places, domain.place_field)
    where = np.empty((y.size, at_places.shape[1]))
    for o in range(y.size):
        where[o] = at_places[sites[o]]
    nodes, order, first = observations_by_tile(domain, sites)
    tiles = ends_of_tiles(domain.nodes)
    for o in range(y.size):
        x = seen[o].copy()
        moved = posterior(x, y[o], variance[o], least, most)
        if probit:
            in_probits(x, moved, least, most)
        here, tree = where[o], domain.nodes
        regress(domain, tree, domain.order, tiles, here, at_sites, X, x, moved, probit, low, high)
        regress(domain, nodes, order, first, here, where, seen, x, moved, probit, least, most)
    for i in range(E.shape[1]):
        for j in range(E.shape[0]):
            E[j, i] = X[i, j]


@njit(cache=True, error_model="numpy")
def prepare(X, inflation, low, high):
    """Move members (row, member) onto the bounds that they are beyond, and inflate their normal quantiles, in place."""
    for i in range(X.shape[0]):
        for j in range(X.shape[1]):
            X[i, j] = min(max(X[i, j], low), high)
        if inflation != 1:
            order = np.argsort(X[i])
            s = X[i][order]
            std = spread(s)
            if std > 0:
                z = probits(s)
                for j in range(order.size):
                    X[i, order[j]] = value_of(s, std, inflation * z[j], low, high)


@njit(cache=True, error_model="numpy")
def in_probits(x, moved, low, high):
    """Turn members and their posterior values into normal quantiles in the distribution of the members, in place."""
    order = np.argsort(x)
    s = x[order]
    std = spread(s)
    if not std > 0:
        moved[:] = x
        return
    z = probits(s)
    for j in range(order.size):
        moved[j] = probit_of(s, std, moved[j], low, high)
        x[order[j]] = z[j]


@njit(cache=True, error_model="numpy")
def regress(domain, nodes, order, first, here, where, X, x, moved, probit, low, high):
    """Regress the increments ``moved - x (member,)`` on the rows of X (row, member) within reach of ``here (axis,)``.

    ``where (row, axis)`` are the positions of the rows, which stand in the ``order`` of the tiles.
    """
    N, mean = x.size, x.mean()
    square = ((x - mean) ** 2).sum()
    if not square > 0:
        return
    reach, t, factor = domain.reach**2, 0, np.empty(1)
    axes = domain.periods.size
    position = np.empty((axes, 1))
    while t < nodes.shape[0]:
        if gap_to_box(nodes[t], here, domain.periods) >= reach:
            t = int(nodes[t, NEXT])
            continue
        tile = int(nodes[t, TILE])
        if tile > 0:
            for k in range(first[tile - 1], first[tile]):
                row = int(order[k])
                position[:, 0] = where[row, :axes]
                squared_distances(position, here, domain.periods, factor)
                largest = taper_squares(factor, domain.taper, domain.radius)
                if domain.factors.size > 0:  # positions end with the number of a field
                    largest = between_fields(domain.factors, here[axes], where[row, axes:], factor)
                if largest > 0:
                    if probit:
                        regress_ranks(X[row], x - mean, moved - x, factor[0] / square, low, high)
                    else:
                        gain = 0.0
                        for j in range(N):
                            gain += X[row, j] * (x[j] - mean)
                        gain *= factor[0] / square
                        for j in range(N):
                            X[row, j] += gain * (moved[j] - x[j])
        t += 1


@njit(cache=True, error_model="numpy")
def regress_ranks(values, anomalies, increments, factor, low, high):
    """Regress increments of normal quantiles on those of the members (member,), and move these, in place."""
    order = np.argsort(values)
    s = values[order]
    std = spread(s)
    if not std > 0:
        return
    z, gain = probits(s), 0.0
    for j in range(order.size):
        gain += z[j] * anomalies[order[j]]
    gain *= factor
    for j in range(order.size):
        increment = gain * increments[order[j]]
        if increment != 0:
            values[order[j]] = value_of(s, std, z[j] + increment, low, high)


def without_distances(problem: Problem) -> np.ndarray:
    """The domain in which everything is at one place."""
    operator = problem.observation.operator
    places = None if operator.direct else np.zeros((len(problem.observation.correlation.places), 1))
    return encoded("boxcar", 1.0, np.zeros((problem.model.size, 1)), np.zeros(1), places, LANES)


def run(problem: Problem, settings: RHFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    low, high = settings.bounds
    least, most = -np.inf if low is None else low, np.inf if high is None else high
    probit = settings.regression == "probit"
    header = [float(probit), least, most, settings.inflation if probit else 1.0]
    domain = domain_of(problem, settings, "rhf", LANES) if settings.local else without_distances(problem)
    parameters = np.concatenate([header, domain])

    def start(problem: Problem, used: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        forecast, analysis = first_ensemble(problem, used, rng, members=settings.members)
        return np.clip(forecast, least, most), np.clip(analysis, least, most)

    return run_filter(problem, Filter(rhf_update, parameters, start), settings, rng)
