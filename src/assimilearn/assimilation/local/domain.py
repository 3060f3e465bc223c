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

HEADER = 6
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
    order: np.ndarray
    nodes: np.ndarray


def domain_of(problem: Problem, settings: LocalizationSettings, method: str, most: int = MOST) -> np.ndarray:
    """The vector of :func:`encoded` for the geometry of a problem.

    Raises
    ------
    SettingsError
        If the model has no space.
    """
    problem.geometry.need_space(f"localization ({method})")
    geometry, instrument = problem.geometry, problem.instrument
    places = None if instrument.operator.direct else instrument.correlation.places
    return encoded(settings.taper, settings.localization_radius, geometry.positions, geometry.periods, places, most)


def encoded(
    taper: str,
    radius: float,
    positions: np.ndarray,
    periods: np.ndarray,
    places: np.ndarray | None = None,
    most: int = MOST,
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
    """
    periods = np.where(np.isfinite(periods), periods, 0.0)
    positions = within(positions, periods)
    places = positions[:0] if places is None else within(places, periods)
    order, nodes = tree_of(positions, most)
    header = [CODES[taper], radius, reach_of(taper, radius), positions.shape[1], len(positions), len(places)]
    arrays: tuple[Any, ...] = (periods, positions, places, order, nodes)
    return np.concatenate([np.array(header, dtype=float), *(np.ravel(array).astype(float) for array in arrays)])


def within(positions: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """``positions (point, axis)`` with periodic axes brought to 0 ... period."""
    return np.where(periods > 0, positions % np.where(periods > 0, periods, 1.0), positions)


@njit(cache=True, error_model="numpy")
def opened(parameters):
    """The :class:`Domain` of a vector: views of it, nothing is copied."""
    axes, n, p = int(parameters[3]), int(parameters[4]), int(parameters[5])
    start = HEADER
    periods = parameters[start : start + axes]
    start += axes
    sites = parameters[start : start + n * axes].reshape(n, axes)
    start += n * axes
    places = parameters[start : start + p * axes].reshape(p, axes)
    start += p * axes
    order = parameters[start : start + n]
    start += n
    nodes = parameters[start:].reshape((parameters.size - start) // (BOX + 2 * axes), BOX + 2 * axes)
    if p == 0:
        places = sites
    return Domain(int(parameters[0]), parameters[1], parameters[2], periods, sites, places, order, nodes)
