"""Errors that are correlated between the places observed at one time: what a file says of them.

The correlation falls exponentially with the distance d, exp(-d / length): a covariance on a ring, a line, a plane and
on the chords of a sphere, for every length; on a plane that is periodic both ways, for lengths well below the period.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry
from assimilearn.observations.operators import ENTRIES

ATTRIBUTE = "error_correlation_length"


class Correlation(NamedTuple):
    """Where observations are, and how far their errors are correlated.

    Attributes
    ----------
    length : float
        Distance at which the correlation has fallen to 1/e; 0 if errors are independent.
    places : ndarray (row, dimension)
        Positions of the rows that observations refer to: sites, or rows of an operator's table.
    periods : ndarray (dimension,)
        0 where a dimension is not periodic.
    """

    length: float
    places: np.ndarray
    periods: np.ndarray


NOWHERE = Correlation(0.0, np.empty((0, 0)), np.empty(0))
"""Independent errors, of observations whose places nobody asks for."""


def correlation_of(observations: xr.Dataset, geometry: Geometry) -> Correlation:
    """What a file of observations says of the places and the correlation of its errors.

    Raises
    ------
    FileError
        If the attribute ``error_correlation_length`` is not a positive number, or there are no distances.
    """
    length = observations.attrs.get(ATTRIBUTE, 0.0)
    stated = ATTRIBUTE in observations.attrs
    if stated and not (isinstance(length, int | float | np.number) and np.isfinite(length) and length > 0):
        raise FileError(f"the attribute {ATTRIBUTE} of the observations must be a positive distance: {length!r}")
    if stated and not geometry.has_space:
        raise FileError(f"the attribute {ATTRIBUTE} of the observations needs distances, and the model has no space")
    return Correlation(float(length), places_of(observations, geometry), geometry.periods)


def places_of(observations: xr.Dataset, geometry: Geometry) -> np.ndarray:
    """Positions (row, dimension) of the rows that the observations refer to."""
    names = [axis.name for axis in geometry.axes]
    if ENTRIES[0] not in observations or not names:
        return geometry.positions
    missing = [name for name in names if name not in observations.variables]
    if missing:
        raise FileError(f"observations with {ENTRIES[0]} need their place: {', '.join(missing)} (time, observation)")
    coordinates = np.stack([observations[name].values.astype(float).reshape(-1) for name in names], axis=-1)
    if not np.isfinite(coordinates).all():
        raise FileError(f"{' or '.join(names)} of the observations is not finite")
    return geometry.embedded(coordinates)
