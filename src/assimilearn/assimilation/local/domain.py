"""Where sites and observations are, as local updates take it: one vector, so that all updates share a signature.

Positions are points between which distances are Euclidean; an axis with a positive period is periodic, and the distance
along it is the shorter way round. A ring is one axis. Sites are gathered to tiles of near sites, whose lanes are worked
on side by side (:mod:`assimilearn.assimilation.local.tiles`). Cost of all searches: linear in the number of sites, but
for a logarithm.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from assimilearn.assimilation.local.tapers import CODES, reach_of
from assimilearn.assimilation.local.tiles import BOX, MOST, tree_of
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import LocalizationSettings
from assimilearn.observations.rows import Operator

HEADER = 7
PLACES = 5  # entry of the header: how many places there are besides the sites, 0 where observations are of sites


class Domain(NamedTuple):
    """What a local update knows of space.

    Attributes
    ----------
    taper : int
        Number of the taper in :data:`assimilearn.assimilation.local.tapers.CODES`.
    radius, reach : float
        Localization radius, and the distance beyond which the taper counts as zero.
    periods : ndarray (axis,)
        0 where an axis is not periodic.
    sites, places : ndarray (site, axis) and (place, axis)
        Positions of the sites, and of what observations refer to by number: by default the sites themselves.
    factors : ndarray (field, field)
        Factors on the taper between fields; (0, 0) where all are 1.
    site_field, place_field : ndarray (site,) and (place,)
        Numbers of the fields of sites and places; empty where there are no factors.
    order : ndarray (site,)
        Sites in the order of the tiles.
    nodes : ndarray (node, 5 + 2 axes)
        The tree of tiles.
    """

    taper: int
    radius: float
    reach: float
    periods: np.ndarray
    sites: np.ndarray
    places: np.ndarray
    factors: np.ndarray
    site_field: np.ndarray
    place_field: np.ndarray
    order: np.ndarray
    nodes: np.ndarray


def domain_of(problem: Problem, settings: LocalizationSettings, method: str, most: int = MOST) -> np.ndarray:
    """The vector of :func:`encoded` for the geometry of a problem.

    Raises
    ------
    SettingsError
        If the model has no space, or not the fields that the settings name.
    """
    problem.geometry.need_space(f"localization ({method})")
    geometry, observation = problem.geometry, problem.observation
    operator = observation.operator
    places = None if operator.direct else observation.correlation.places
    fields = Fields(settings.field_factors(geometry), geometry.field_of, field_of_rows(operator, geometry.field_of))
    where = geometry.positions, geometry.periods, places
    return encoded(settings.taper, settings.localization_radius, *where, most, fields)


class Fields(NamedTuple):
    """Factors (field, field) on the taper between fields, and the numbers of those of sites and of places."""

    factors: np.ndarray
    of_sites: np.ndarray
    of_places: np.ndarray


ALIKE = Fields(np.empty((0, 0)), np.empty(0), np.empty(0))
"""No field is told from another."""


def field_of_rows(operator: Operator, field_of: np.ndarray) -> np.ndarray:
    """The field of what observations refer to by number: of a sum over several, that of the largest weight."""
    if operator.direct:
        return field_of
    return field_of[operator.site[np.arange(len(operator.site)), np.abs(operator.weight).argmax(axis=1)]]


def encoded(
    taper: str,
    radius: float,
    positions: np.ndarray,
    periods: np.ndarray,
    places: np.ndarray | None = None,
    most: int = MOST,
    fields: Fields = ALIKE,
) -> np.ndarray:
    """The vector from which :func:`opened` makes a :class:`Domain`.

    Parameters
    ----------
    taper : str
        One of :data:`assimilearn.assimilation.local.taper_functions.TAPERS`.
    radius : float
        Localization radius, in the units of the positions.
    positions : ndarray (site, axis)
    periods : ndarray (axis,)
        0 or infinite where an axis is not periodic.
    places : ndarray (place, axis), optional
        Positions of what observations refer to by number; by default the sites.
    most : int
        Sites of a tile.
    fields : Fields
    """
    periods = np.where(np.isfinite(periods), periods, 0.0)
    positions = within(positions, periods)
    places = positions[:0] if places is None else within(places, periods)
    order, nodes = tree_of(positions, most)
    if not fields.factors.size:
        fields = ALIKE
    header = [CODES[taper], radius, reach_of(taper, radius), positions.shape[1], len(positions), len(places)]
    header.append(len(fields.factors))
    arrays: tuple[Any, ...] = (periods, positions, places, *fields, order, nodes)
    return np.concatenate([np.array(header, dtype=float), *(np.ravel(array).astype(float) for array in arrays)])


def within(positions: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """``positions (point, axis)`` with periodic axes brought to 0 ... period."""
    return np.where(periods > 0, positions % np.where(periods > 0, periods, 1.0), positions)


@njit(cache=True, error_model="numpy")
def opened(parameters):
    """The :class:`Domain` of a vector: views of it, nothing is copied."""
    axes, n, p, F = int(parameters[3]), int(parameters[4]), int(parameters[5]), int(parameters[6])
    start = HEADER
    periods = parameters[start : start + axes]
    start += axes
    sites = parameters[start : start + n * axes].reshape(n, axes)
    start += n * axes
    places = parameters[start : start + p * axes].reshape(p, axes)
    start += p * axes
    factors = parameters[start : start + F * F].reshape(F, F)
    start += F * F
    marked = n if F > 0 else 0
    site_field = parameters[start : start + marked]
    start += marked
    marked = 0 if F == 0 else n if p == 0 else p
    place_field = parameters[start : start + marked]
    start += marked
    order = parameters[start : start + n]
    start += n
    nodes = parameters[start:].reshape((parameters.size - start) // (BOX + 2 * axes), BOX + 2 * axes)
    if p == 0:
        places = sites
    fields = factors, site_field, place_field
    return Domain(int(parameters[0]), parameters[1], parameters[2], periods, sites, places, *fields, order, nodes)


@njit(cache=True, error_model="numpy")
def labelled(domain, where, field):
    """Positions ``where (place, axis)``, followed by the numbers of their fields if these have factors."""
    if domain.factors.size == 0:
        return where
    places, axes = where.shape
    found = np.empty((places, axes + 1))
    for k in range(places):
        for axis in range(axes):
            found[k, axis] = where[k, axis]
        found[k, axes] = field[k]
    return found
