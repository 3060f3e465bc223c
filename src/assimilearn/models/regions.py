"""Named parts of a state, such as land and sea, of which scores are wanted apart."""

from collections.abc import Mapping

import numpy as np
from pydantic import Field, field_validator

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.settings import Settings

TAKEN = ("observed", "unobserved", "pooled", "typical", "median", "mean", "std")
"""What else may follow "rmse_" in the names of scores."""


class Region(Settings):
    """Sites of a state: those that meet all that is said."""

    fields: list[str] | None = Field(None, min_length=1, description="fields that it is of; by default all")
    within: dict[str, tuple[float, float]] = Field(
        {}, description="lowest and highest coordinate, by the name of the axis, as `{x: [0, 19]}`; ends belong to it"
    )
    stations: list[str] | None = Field(None, min_length=1, description="stations of a record; by default all")

    @field_validator("within")
    @classmethod
    def _rises(cls, within: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for axis, (low, high) in within.items():
            if low > high:
                raise ValueError(f"{axis} must rise from its lowest to its highest coordinate")
        return within

    def sites(self, geometry: Geometry) -> np.ndarray:
        """Which sites belong to it, bool (site,).

        Raises
        ------
        SettingsError
            If a field, an axis or a station does not exist, or no site belongs to it.
        """
        inside = np.isin(geometry.field_of, numbers("field", self.fields, geometry.names))
        if self.stations is not None:
            names = geometry.stations.names if geometry.stations is not None else ()
            station = np.arange(geometry.size) % max(len(names), 1)
            inside &= np.isin(station, numbers("station", self.stations, names))
        axes = [axis.name for axis in geometry.axes]
        for axis, (low, high) in self.within.items():
            numbers("axis", [axis], axes)
            along = geometry.coordinates[:, axes.index(axis)]
            inside &= (along >= low) & (along <= high)
        if not inside.any():
            raise SettingsError("no site belongs to it")
        return inside


def numbers(what: str, chosen: list[str] | None, there: "tuple[str, ...] | list[str]") -> list[int]:
    """Places of the names ``chosen`` among those that are ``there``; all of them for None.

    Raises
    ------
    SettingsError
        If one is not there.
    """
    for name in chosen or ():
        if name not in there:
            raise SettingsError(f"there is no {what} {name!r}; there are {', '.join(there) or 'none'}")
    return [number for number, name in enumerate(there) if chosen is None or name in chosen]


Regions = Mapping[str, Region]


def masks(regions: Regions, geometry: Geometry) -> dict[str, np.ndarray]:
    """Which sites belong to each region, bool (site,), by name.

    Raises
    ------
    SettingsError
        If one is not a part of states on this geometry, or has the name of another score.
    """
    found = {}
    for name, region in regions.items():
        if name in TAKEN or name in geometry.names:
            raise SettingsError(f"regions.{name}: rmse_{name} is another score: call the region otherwise")
        try:
            found[name] = region.sites(geometry)
        except SettingsError as error:
            raise SettingsError(f"regions.{name}: {error}") from error
    return found
