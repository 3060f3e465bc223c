"""Where the numbers of a state are: named fields on a grid, flattened to sites.

A state is a flat vector of sites. Its **fields** (variables) stand on grids that cover one domain: no space at all, a
line or ring, a plane or channel, a section of a sphere. Each axis of the domain is periodic or bounded. Sites are
numbered field by field, the last axis fastest.

The sites of a record are those of its **stations**, which stand anywhere and have names: every field then has one site
at each. Stations without positions are a state without space.

Fields may differ in resolution: on a periodic axis of length L, the n points of a field stand L / n apart; on a bounded
one they include both ends and stand L / (n - 1) apart.

Distances are Euclidean, the short way round on periodic axes. On the sphere they are those of the chord, in km: 0.1 %
shorter than the great circle at 1,000 km. Correlation functions of Euclidean space stay positive definite on chords
(Gaspari & Cohn 1999, Q. J. R. Meteorol. Soc. 125, 723-757, section 2).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field as Setting
from pydantic import ValidationError, model_validator

from assimilearn.errors import FileError, SettingsError
from assimilearn.settings import Settings

EARTH_RADIUS = 6371.0  # km, mean radius
ATTRIBUTE = "geometry"
"""Name of the attribute of a file that holds the geometry of its states, as JSON."""


class Axis(Settings):
    """One axis of the domain."""

    name: str = Setting(min_length=1, max_length=40, description="x, y, z, longitude or latitude")
    length: float = Setting(gt=0, description="from one end to the other; on a periodic axis the period")
    periodic: bool = Setting(True, description="whether the end meets the beginning")
    origin: float = Setting(0.0, description="coordinate of the first point")
    units: str = Setting("1", description="of the coordinate")

    def points(self, count: int) -> np.ndarray:
        """Coordinates of ``count`` equally spaced points."""
        spacing = self.length / (count if self.periodic else max(count - 1, 1))
        return self.origin + spacing * np.arange(count)


class FieldGrid(Settings):
    """One variable and the shape of its grid."""

    name: str = Setting(min_length=1, max_length=80, description="name of the variable")
    shape: tuple[int, ...] = Setting(
        (), description="points along each axis; of a field without space the number of values, 1 if empty"
    )
    units: str = Setting("1", description="of its values")

    @property
    def size(self) -> int:
        """Number of sites."""
        return int(np.prod(self.shape, dtype=np.int64))


class Stations(Settings):
    """Where the sites of a record stand, which is on no grid.

    Parameters
    ----------
    names : of the stations
    coordinates : (station, axis), in the units of the axes; none where positions are not known
    """

    names: tuple[str, ...] = Setting(min_length=1)
    coordinates: tuple[tuple[float, ...], ...] = ()


class Row(NamedTuple):
    """Linear interpolation: weights of sites, one row a point.

    Attributes
    ----------
    sites : ndarray (point, corner), int64
    weights : ndarray (point, corner)
        They sum to 1 in each row; corners that are not needed have weight 0.
    """

    sites: np.ndarray
    weights: np.ndarray


class Geometry(Settings):
    """Fields on the grids of one domain.

    Parameters
    ----------
    fields : the variables, in the order of their sites
    axes : of the domain, in the order of the shapes; none for a model without space
    stations : where every field has its sites, if not on a grid; the shape of each is then their number
    """

    fields: tuple[FieldGrid, ...] = Setting(min_length=1)
    axes: tuple[Axis, ...] = ()
    stations: Stations | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Geometry":
        names = [field.name for field in self.fields]
        if len(set(names)) < len(names):
            raise ValueError("fields: two have the same name")
        for field in self.fields:
            if min(field.shape, default=1) < 1:
                raise ValueError(f"fields: {field.name} has an axis without points")
            if self.stations is not None:
                if tuple(field.shape) != (len(self.stations.names),):
                    raise ValueError(f"fields: {field.name} must have one value at each station")
            elif self.axes and len(field.shape) != len(self.axes):
                raise ValueError(f"fields: {field.name} has {len(field.shape)} axes; the domain has {len(self.axes)}")
        if self.stations is not None and self.axes:
            places = self.stations.coordinates
            if len(places) != len(self.stations.names) or any(len(place) != len(self.axes) for place in places):
                raise ValueError("stations: each needs a coordinate along every axis")
        return self

    # ---- sizes and fields ---------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Number n of sites of a state."""
        return sum(field.size for field in self.fields)

    @property
    def names(self) -> list[str]:
        """Names of the fields."""
        return [field.name for field in self.fields]

    @property
    def units(self) -> str:
        """The units of all fields, "1" where they have different ones."""
        units = {field.units for field in self.fields}
        return units.pop() if len(units) == 1 else "1"

    @property
    def has_space(self) -> bool:
        """Whether sites have positions."""
        return bool(self.axes)

    @property
    def on_grid(self) -> bool:
        """Whether sites are the points of grids."""
        return self.has_space and self.stations is None

    @property
    def is_sphere(self) -> bool:
        """Whether positions are longitude and latitude."""
        return {axis.name for axis in self.axes} == {"longitude", "latitude"}

    @property
    def is_ring(self) -> bool:
        """Whether this is one field on one periodic axis."""
        return len(self.fields) == 1 and self.on_grid and len(self.axes) == 1 and self.axes[0].periodic

    @property
    def homogeneous(self) -> bool:
        """Whether all grid points are alike: all axes are periodic, and all fields stand on one grid."""
        return (
            self.on_grid
            and all(axis.periodic for axis in self.axes)
            and len({field.shape for field in self.fields}) == 1
            and not self.is_sphere
        )

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Where the sites of each field stand in a state."""
        ends = np.cumsum([0, *(field.size for field in self.fields)])
        return {field.name: slice(int(a), int(b)) for field, a, b in zip(self.fields, ends[:-1], ends[1:], strict=True)}

    @cached_property
    def field_of(self) -> np.ndarray:
        """Number of the field of each site, (site,), int64."""
        return np.repeat(np.arange(len(self.fields)), [field.size for field in self.fields])

    def split(self, states: Any) -> dict[str, Any]:
        """``states (..., site)`` as {field: array (..., *grid)}; NumPy or torch."""
        lead = tuple(states.shape[:-1])
        return {f.name: states[..., self.slices[f.name]].reshape(lead + tuple(f.shape)) for f in self.fields}

    def join(self, fields: Mapping[str, Any]) -> Any:
        """The inverse of :meth:`split`.

        Raises
        ------
        SettingsError
            If a field is missing, unknown or of another shape.
        """
        if set(fields) != set(self.names):
            raise SettingsError(f"the fields are {', '.join(self.names)}; given are {', '.join(map(str, fields))}")
        parts = []
        for field in self.fields:
            values, axes = fields[field.name], len(field.shape)
            lead, grid = tuple(values.shape[: values.ndim - axes]), tuple(values.shape[values.ndim - axes :])
            if grid != tuple(field.shape):
                raise SettingsError(f"the field {field.name} has the shape {grid}; its grid has {tuple(field.shape)}")
            parts.append(values.reshape((*lead, field.size)))
        return joined(parts)

    # ---- space --------------------------------------------------------------------------------------------------

    def need_space(self, what: str) -> None:
        """Raise SettingsError where ``what`` asks for distances and sites have none."""
        if not self.has_space:
            raise SettingsError(f"{what} needs distances between sites, and this model has no space")

    def need_grid(self, what: str) -> None:
        """Raise SettingsError where ``what`` asks for grid points and sites are none."""
        self.need_space(what)
        if not self.on_grid:
            raise SettingsError(f"{what} needs points of a grid, and these sites are stations")

    @cached_property
    def coordinates(self) -> np.ndarray:
        """Coordinates (site, axis) of the sites, in the units of the axes."""
        if self.axes and self.stations is not None:
            return np.tile(np.array(self.stations.coordinates, dtype=float), (len(self.fields), 1))
        grids = [self.grid_coordinates(field.shape) for field in self.fields] if self.axes else []
        return np.concatenate(grids) if grids else np.empty((self.size, 0))

    def grid_coordinates(self, shape: Sequence[int]) -> np.ndarray:
        """Coordinates (point, axis) of a grid of any ``shape`` on this domain."""
        axes = [axis.points(count) for axis, count in zip(self.axes, shape, strict=True)]
        return np.stack([c.ravel() for c in np.meshgrid(*axes, indexing="ij")], axis=-1)

    @cached_property
    def positions(self) -> np.ndarray:
        """Positions (site, dimension) between which distances are Euclidean: coordinates, on the sphere in km."""
        return self.embedded(self.coordinates)

    @cached_property
    def periods(self) -> np.ndarray:
        """Period of each dimension of :attr:`positions`, 0 where it is not periodic."""
        if self.is_sphere:
            return np.zeros(3)
        return np.array([axis.length if axis.periodic else 0.0 for axis in self.axes])

    def embedded(self, coordinates: np.ndarray) -> np.ndarray:
        """Positions (..., dimension) of ``coordinates (..., axis)``."""
        if not self.is_sphere:
            return coordinates
        order = [axis.name for axis in self.axes]
        longitude = np.deg2rad(coordinates[..., order.index("longitude")])
        latitude = np.deg2rad(coordinates[..., order.index("latitude")])
        across = np.cos(latitude)
        unit = [across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)]
        return EARTH_RADIUS * np.stack(unit, axis=-1)

    def distance(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Distances between ``positions (..., dimension)``, which are broadcast against each other."""
        apart = np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float))
        period = self.periods
        wrapped = np.where(period > 0, period, 1.0)
        apart = np.where(period > 0, np.minimum(apart % wrapped, wrapped - apart % wrapped), apart)
        return np.sqrt(np.sum(apart**2, axis=-1))

    def between(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Distances between sites, given by number and broadcast against each other."""
        return self.distance(self.positions[one], self.positions[other])

    def tree(self, positions: np.ndarray | None = None) -> Any:
        """A k-d tree of ``positions (point, dimension)``, by default those of the sites.

        Returns
        -------
        scipy.spatial.cKDTree
            To be asked with :meth:`inside` of a position.
        """
        from scipy.spatial import cKDTree

        self.need_space("a search for neighbours")
        points = self.positions if positions is None else positions
        return cKDTree(self.inside(points), boxsize=self.periods if self.periods.any() else None)

    def inside(self, positions: np.ndarray) -> np.ndarray:
        """``positions`` with periodic dimensions brought to 0 ... period."""
        period = self.periods
        wrapped = np.where(period > 0, period, 1.0)
        found = np.where(period > 0, positions % wrapped, positions)
        return np.where((period > 0) & (found >= wrapped), 0.0, found)  # -1e-17 % 40 is 40

    def nearest(self, coordinates: np.ndarray, field: str | None = None) -> np.ndarray:
        """The site nearest to each of ``coordinates (point, axis)``, (point,), int64; of one field or of the first."""
        where = self.slices[field or self.names[0]]
        tree = self.tree(self.positions[where])
        return where.start + tree.query(self.inside(self.embedded(coordinates)))[1].astype(np.int64)

    def neighbours(self, radius: float, field: str | None = None) -> list[np.ndarray]:
        """Sites within ``radius`` of each site, itself included, in rising order; of all fields or of one."""
        where = self.slices[field] if field else slice(0, self.size)
        tree = self.tree(self.positions[where])
        found = tree.query_ball_point(self.inside(self.positions), radius * (1 + 1e-12), return_sorted=True)
        return [where.start + np.array(sites, dtype=np.int64) for sites in found]

    def stencil(self, radius: int, block: int = 1) -> np.ndarray:
        """Sites that a local function of each grid point, or of each block of them, sees: (point, input), int64.

        Of every field the points up to ``radius`` grid points away along each axis, in the order of the fields and
        then of the offsets; beyond the end of a bounded axis stands -1. All fields must stand on one grid. Blocks are
        ``block`` points long along each axis, and ``radius`` is counted from their edges.

        Raises
        ------
        SettingsError
            If the model has no space, fields stand on different grids, the stencil is wider than a periodic axis, or
            an axis is not made of whole blocks.
        """
        self.need_grid("a stencil")
        shape = self.fields[0].shape
        if any(field.shape != shape for field in self.fields):
            raise SettingsError("a stencil needs all fields on one grid, and these have different ones")
        for count, where in zip(shape, self.axes, strict=True):
            if where.periodic and 2 * radius + block > count:
                raise SettingsError(
                    f"a stencil of radius {radius} is wider than the {count} points of axis {where.name}"
                )
            if count % block:
                raise SettingsError(f"the {count} points of axis {where.name} are not made of whole blocks of {block}")
        offsets = np.arange(-radius, radius + block)
        index: Any = []
        for axis, (count, where) in enumerate(zip(shape, self.axes, strict=True)):
            at = np.arange(0, count, block)[:, None] + offsets
            at = at % count if where.periodic else np.where((at >= 0) & (at < count), at, -1)
            ones = [1] * (2 * len(shape))
            ones[axis], ones[len(shape) + axis] = len(at), offsets.size
            index.append(at.reshape(ones))
        index = np.broadcast_arrays(*index)
        outside = np.logical_or.reduce([at < 0 for at in index])
        flat = np.ravel_multi_index([np.maximum(at, 0) for at in index], shape)
        points = np.where(outside, -1, flat).reshape(-1, offsets.size ** len(shape))
        starts = [self.slices[name].start for name in self.names]
        return np.concatenate([np.where(points < 0, -1, points + start) for start in starts], axis=1).astype(np.int64)

    def interpolation(self, coordinates: np.ndarray, field: str | None = None) -> Row:
        """Linear (on two axes bilinear) interpolation of one field to ``coordinates (point, axis)``.

        Parameters
        ----------
        coordinates : ndarray (point, axis)
            In the units of the axes; periodic axes wrap.
        field : str, optional
            By default the first.

        Raises
        ------
        SettingsError
            If a point lies outside a bounded axis, or the model has no space.
        """
        self.need_grid("interpolation")
        name = field or self.names[0]
        shape = self.fields[self.names.index(name)].shape
        coordinates = np.asarray(coordinates, dtype=float)
        corners: list[tuple[np.ndarray, np.ndarray]] = []
        for a, (count, axis) in enumerate(zip(shape, self.axes, strict=True)):
            spacing = axis.length / (count if axis.periodic else max(count - 1, 1))
            place = (coordinates[:, a] - axis.origin) / spacing
            if not axis.periodic and ((place < -1e-9) | (place > count - 1 + 1e-9)).any():
                first = int(np.argmax((place < -1e-9) | (place > count - 1 + 1e-9)))
                raise SettingsError(f"{axis.name} = {coordinates[first, a]:g} lies outside the domain")
            low = np.floor(place).astype(np.int64)
            share = place - low
            high = low + 1
            if axis.periodic:
                low, high = low % count, high % count
            else:
                low, high = np.clip(low, 0, count - 1), np.clip(high, 0, count - 1)
            corners.append((np.stack([low, high], axis=-1), np.stack([1 - share, share], axis=-1)))
        sites, weights = np.zeros((len(coordinates), 1), dtype=np.int64), np.ones((len(coordinates), 1))
        for (index, share), count in zip(corners, shape, strict=True):
            sites = (sites[:, :, None] * count + index[:, None, :]).reshape(len(coordinates), -1)
            weights = (weights[:, :, None] * share[:, None, :]).reshape(len(coordinates), -1)
        return Row(self.slices[name].start + sites, weights)

    # ---- files --------------------------------------------------------------------------------------------------

    @property
    def attributes(self) -> dict[str, str]:
        """What a file says of its states besides ``size``; nothing for the plain ring, which is the default."""
        text = json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, separators=(",", ":"))
        return {} if self == ring(self.size) else {ATTRIBUTE: text}


def joined(parts: Sequence[Any]) -> Any:
    """Arrays or tensors (..., site) one after the other along their sites."""
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts, axis=-1)
    import torch

    return torch.cat(list(parts), dim=-1)


@lru_cache(maxsize=64)  # models are asked for their size at every step
def ring(size: int, name: str = "x", spacing: float = 1.0) -> Geometry:
    """One field on a ring of ``size`` sites, ``spacing`` apart."""
    axis = Axis(name="x", length=size * spacing)
    return Geometry(fields=(FieldGrid(name=name, shape=(size,)),), axes=(axis,))


def without_space(names: Iterable[str] | Mapping[str, int]) -> Geometry:
    """Variables without positions, with their number of values each, by default one."""
    sizes = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, 1)
    return Geometry(fields=tuple(FieldGrid(name=name, shape=(count,)) for name, count in sizes.items()))


def stations(
    fields: Mapping[str, str],
    names: Sequence[str],
    coordinates: Mapping[str, np.ndarray] | None = None,
    units: Mapping[str, str] | None = None,
) -> Geometry:
    """Fields with one value at each station.

    Parameters
    ----------
    fields : {name: units}
    names : of the stations
    coordinates : {axis: (station,)}, as latitude and longitude, or x and y; none if positions are not known
    units : of the axes, by name; degrees of latitude and longitude
    """
    grids = tuple(FieldGrid(name=name, shape=(len(names),), units=unit) for name, unit in fields.items())
    told = {"latitude": "degrees_north", "longitude": "degrees_east", **(units or {})}
    axes = []
    for name, values in (coordinates or {}).items():
        low, high = float(np.min(values)), float(np.max(values))
        axes.append(Axis(name=name, origin=low, length=high - low or 1.0, periodic=False, units=told.get(name, "1")))
    columns = [np.asarray(values, dtype=float).tolist() for values in (coordinates or {}).values()]
    where = Stations(names=tuple(names), coordinates=tuple(zip(*columns, strict=True)))
    return Geometry(fields=grids, axes=tuple(axes), stations=where)


def grid(
    fields: Mapping[str, Sequence[int]],
    spacing: float | Sequence[float] = 1.0,
    periodic: bool | Sequence[bool] = True,
    axes: Sequence[str] | None = None,
    units: str = "1",
) -> Geometry:
    """Fields on a line or ring (one axis), a plane or channel (two), or a box (three).

    Parameters
    ----------
    fields : {name: shape}
        All with the same number of axes. Fields with other shapes than the first cover the same domain.
    spacing : float, or one for each axis
        Between the points of the first field.
    periodic : bool, or one for each axis
    axes : names of the axes, by default x; y, x; z, y, x
    units : of the coordinates
    """
    grids = tuple(FieldGrid(name=name, shape=tuple(shape)) for name, shape in fields.items())
    count = len(grids[0].shape)
    names = list(axes) if axes is not None else ["z", "y", "x"][3 - count :]
    apart = [float(spacing)] * count if isinstance(spacing, int | float) else list(map(float, spacing))
    closed = [periodic] * count if isinstance(periodic, bool) else list(periodic)
    made = tuple(
        Axis(name=n, length=d * (k if p else max(k - 1, 1)), periodic=p, units=units)
        for n, d, k, p in zip(names, apart, grids[0].shape, closed, strict=True)
    )
    return Geometry(fields=grids, axes=made)


def section(
    fields: Mapping[str, Sequence[int]], latitude: tuple[float, float], longitude: tuple[float, float] | None = None
) -> Geometry:
    """Fields (latitude, longitude) on a section of the sphere.

    Parameters
    ----------
    fields : {name: (points along latitude, points along longitude)}
    latitude, longitude : first and last point in degrees; without ``longitude`` all the way round
    """
    grids = tuple(FieldGrid(name=name, shape=tuple(shape)) for name, shape in fields.items())
    up = Axis(
        name="latitude", origin=latitude[0], length=latitude[1] - latitude[0], periodic=False, units="degrees_north"
    )
    if longitude is None:
        along = Axis(name="longitude", length=360.0, units="degrees_east")
    else:
        width = longitude[1] - longitude[0]
        along = Axis(name="longitude", origin=longitude[0], length=width, periodic=False, units="degrees_east")
    return Geometry(fields=grids, axes=(up, along))


def geometry_of(attributes: Mapping[str, Any]) -> Geometry:
    """The geometry that a file states in its attributes; without any it is the ring of ``size`` sites.

    Raises
    ------
    FileError
        If it cannot be read, or does not have ``size`` sites.
    """
    size = int(attributes["size"])
    text = attributes.get(ATTRIBUTE)
    if text is None:
        return ring(size)
    try:
        found = Geometry.model_validate(json.loads(text))
    except (ValidationError, ValueError, TypeError) as error:
        raise FileError(f"the attribute {ATTRIBUTE} of the file cannot be used: {error}") from error
    if found.size != size:
        raise FileError(f"the attribute {ATTRIBUTE} of the file has {found.size} sites, its attribute size {size}")
    return found
