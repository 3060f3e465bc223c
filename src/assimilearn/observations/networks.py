"""Networks: what is observed at which time.

Each is a settings class; all give observed sites ``(time, observation)``, int32, with ABSENT filling the rows that hold
fewer: rising within a time, and those of a longer record begin with those of a shorter one. A network of points between
sites gives their places too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry, Row
from assimilearn.observations.network_files import ABSENT, sites_from_file
from assimilearn.observations.network_positions import points_from_file
from assimilearn.observations.network_sums import sums_from_file
from assimilearn.settings import Settings


class NetworkSettings(Settings):
    """Settings of any network, and what the program must know of it."""

    @property
    def file(self) -> Path | None:
        """Path of the file that it comes from, if it does."""
        return None

    @property
    def between_sites(self) -> bool:
        """Whether it is one of points between sites."""
        return False

    @property
    def first(self) -> int:
        """Index of the first observed site along each axis."""
        return 0

    @property
    def needed(self) -> int:
        """Places that there must be."""
        return 0


class OfFields(NetworkSettings):
    """Settings of a network that may be one of some fields only."""

    fields: list[str] | None = Field(None, min_length=1, description="fields that are observed; by default all")


class Drawn(OfFields):
    """Settings of a network of random places."""

    count: int = Field(20, ge=1, description="number of observed places at a time")
    places: Literal["sites", "anywhere"] = Field(
        "sites", description="sites without replacement, or points anywhere in the domain, interpolated linearly"
    )

    @property
    def between_sites(self) -> bool:
        """Whether points may be anywhere."""
        return self.places == "anywhere"

    @property
    def needed(self) -> int:
        """Places that there must be: any number of points, but only as many sites as the model has."""
        return 0 if self.between_sites else self.count


class AllSites(OfFields):
    """Every site at every time."""

    method: Literal["all"] = "all"


class EverySite(OfFields):
    """Every ``stride``-th site along each axis, the same at every time."""

    method: Literal["every"] = "every"
    stride: int = Field(2, ge=1, description="distance between two observed sites")
    offset: int = Field(0, ge=0, description="first observed site")

    @property
    def first(self) -> int:
        """The offset."""
        return self.offset


class FixedRandom(Drawn):
    """Places drawn once."""

    method: Literal["fixed_random"] = "fixed_random"


class MovingRandom(Drawn):
    """Places drawn anew at every time (Brajard et al. 2020)."""

    method: Literal["moving_random"] = "moving_random"


class MovingEvery(OfFields):
    """Sites equally spaced in the order of the state, all moved by one offset that is drawn anew at every time.

    In two dimensions they stand on slanting lines that move, as those of satellites do (Sakov & Oke 2008).
    """

    method: Literal["moving_every"] = "moving_every"
    count: int = Field(20, ge=1, description="number of observed sites at a time")


class Checkerboard(OfFields):
    """Sites whose grid indices have an even sum at the first, third ... observation time, the others between."""

    method: Literal["checkerboard"] = "checkerboard"


class Half(OfFields):
    """The first half of the last axis: observed land beside an unobserved ocean (Lorenz & Emanuel 1998)."""

    method: Literal["half"] = "half"


class NetworkFile(NetworkSettings):
    """The sites, points or weighted sums that a file lists; of sites and points none at times that it does not list."""

    method: Literal["file"] = "file"
    path: str = Field(
        description="CSV with the columns time and site, or NetCDF with site_index(time, observation); of points "
        "between sites CSV with the names of the axes, of weighted sums CSV with observation, site and weight: "
        "data/README.md"
    )
    places: Literal["sites", "anywhere", "sums"] = Field(
        "sites",
        description="what the file lists: sites, points anywhere in the domain, interpolated linearly, or weights of "
        "sites whose sums are observed: any linear H",
    )

    @property
    def between_sites(self) -> bool:
        """Whether it lists anything but sites."""
        return self.places != "sites"

    @property
    def file(self) -> Path:
        """Path of the file."""
        return Path(self.path)


Network = Annotated[
    AllSites | EverySite | FixedRandom | MovingRandom | MovingEvery | Checkerboard | Half | NetworkFile,
    Field(discriminator="method"),
]


class Places(NamedTuple):
    """What a network observes.

    Attributes
    ----------
    sites : ndarray (time, observation), int32
        Observed sites, or those nearest to observed points; ABSENT where a row holds fewer than another.
    coordinates : ndarray (time, observation, axis) or None
        Of points between sites, in the units of the axes.
    row : Row or None
        Interpolation to these points, (time * observation, corner).
    """

    sites: np.ndarray
    coordinates: np.ndarray | None = None
    row: Row | None = None


def observed_places(network: Network, geometry: Geometry, times: np.ndarray, rng: np.random.Generator) -> Places:
    """What ``network`` observes.

    Parameters
    ----------
    network : settings of one of the networks
    geometry : Geometry
        Of the state.
    times : ndarray (time,)
        Observation times in MTU.
    rng : numpy.random.Generator
        Used by the random networks only.

    Raises
    ------
    SettingsError
        If more sites are observed than exist, a field does not exist, or points are asked for without space.
    FileError
        If the file of a network cannot be used.
    """
    count = len(times)
    if isinstance(network, NetworkFile):
        return listed_places(network, geometry, times)
    fields = chosen_fields(network.fields, geometry)
    if isinstance(network, Drawn) and network.places == "anywhere":
        return _anywhere(network.count, fields, geometry, count, rng, moving=isinstance(network, MovingRandom))
    possible = np.concatenate([np.arange(geometry.slices[f].start, geometry.slices[f].stop) for f in fields])
    match network:
        case AllSites():
            sites = _fixed(possible, count)
        case EverySite():
            sites = _fixed(_every(network, fields, geometry), count)
        case FixedRandom():
            sites = _fixed(_drawn(network.count, possible, rng), count)
        case MovingRandom():
            sites = np.stack([_drawn(network.count, possible, rng) for _ in range(count)])
        case MovingEvery():
            sites = _moving_every(network.count, possible, count, rng)
        case Checkerboard():
            sites = _checkerboard(fields, geometry, count)
        case Half():
            sites = _fixed(possible[_first_half(fields, geometry)], count)
    return Places(sites.astype(np.int32))


def listed_places(network: NetworkFile, geometry: Geometry, times: np.ndarray) -> Places:
    """What the file of a network lists for each of ``times``.

    Raises
    ------
    FileError
        If it cannot be used.
    """
    if network.between_sites:
        sums = network.places == "sums"
        points = (
            sums_from_file(network.path, geometry, len(times))
            if sums
            else points_from_file(network.path, geometry, times)
        )
        return Places(points.sites.astype(np.int32), points.coordinates, points.row)
    return Places(sites_from_file(network.path, geometry.size, times).astype(np.int32))


def chosen_fields(names: Sequence[str] | None, geometry: Geometry) -> list[str]:
    """Names of fields, in the order of the state; all of them for None.

    Raises
    ------
    SettingsError
        If one does not exist.
    """
    absent = [name for name in names or [] if name not in geometry.names]
    if absent:
        raise SettingsError(f"the network observes the field {absent[0]!r}; there are {', '.join(geometry.names)}")
    return [name for name in geometry.names if names is None or name in names]


def _fixed(sites: np.ndarray, times: int) -> np.ndarray:
    """The same ``sites`` at each of ``times`` times."""
    return np.tile(sites, (times, 1))


def _indices(fields: Sequence[str], geometry: Geometry) -> tuple[np.ndarray, list[np.ndarray]]:
    """Sites of the fields, and for each of them its grid indices (site, axis); without space all are on one axis."""
    starts = [geometry.slices[name] for name in fields]
    sites = [np.arange(where.start, where.stop) for where in starts]
    if not geometry.has_space:
        return np.concatenate(sites), [np.arange(sum(map(len, sites)))[:, None]]
    shapes = [geometry.fields[geometry.names.index(name)].shape for name in fields]
    return np.concatenate(sites), [np.indices(shape).reshape(len(shape), -1).T for shape in shapes]


def _every(network: EverySite, fields: Sequence[str], geometry: Geometry) -> np.ndarray:
    """Sites whose grid indices are offset, offset + stride, ... on every axis."""
    sites, indices = _indices(fields, geometry)
    longest = max(int(index.max()) for index in indices)
    if network.offset > longest:
        raise SettingsError(f"the network starts at site {network.offset}; the state has sites 0 to {longest}")
    chosen = [((i >= network.offset) & ((i - network.offset) % network.stride == 0)).all(axis=1) for i in indices]
    return sites[np.concatenate(chosen)]


def _drawn(count: int, possible: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``count`` different sites out of the ``possible`` ones, rising."""
    refuse_more(count, possible.size)
    return possible[np.sort(rng.choice(possible.size, count, replace=False, shuffle=False))]


def refuse_more(count: int, there_are: int) -> None:
    """Raise SettingsError if a network observes more sites than there are."""
    if count > there_are:
        raise SettingsError(f"the network observes {count} sites; the state has only {there_are}")


def _moving_every(count: int, possible: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """Entries floor(n k / count) of the ``possible`` sites, k = 0, 1, ..., and an offset below n / count each time."""
    refuse_more(count, possible.size)
    offset = rng.integers(possible.size // count, size=times)
    return possible[np.arange(count) * possible.size // count + offset[:, None]]


def _checkerboard(fields: Sequence[str], geometry: Geometry, times: int) -> np.ndarray:
    """Sites with an even and an odd sum of indices in turn; the shorter rows end with ABSENT."""
    sites, indices = _indices(fields, geometry)
    odd = np.concatenate([index.sum(axis=1) % 2 for index in indices])
    rows = np.full((2, max(int((odd == 0).sum()), int((odd == 1).sum()))), ABSENT)
    for turn in (0, 1):
        chosen = sites[odd == turn]
        rows[turn, : chosen.size] = chosen
    return rows[np.arange(times) % 2]


def _first_half(fields: Sequence[str], geometry: Geometry) -> np.ndarray:
    """Whether each site of the fields is in the first half of the last axis."""
    _, indices = _indices(fields, geometry)
    return np.concatenate([index[:, -1] < (index[:, -1].max() + 1) // 2 for index in indices])


def _anywhere(
    count: int, fields: Sequence[str], geometry: Geometry, times: int, rng: np.random.Generator, moving: bool
) -> Places:
    """Points of a uniform density over the domain, each of one of the fields at random."""
    geometry.need_space("a network of points between sites")
    draws = times if moving else 1
    uniform = rng.random((draws, count, len(geometry.axes) + 1))
    if not moving:
        uniform = np.broadcast_to(uniform, (times, *uniform.shape[1:]))
    which = np.minimum((uniform[..., -1] * len(fields)).astype(int), len(fields) - 1)
    coordinates = spread_evenly(uniform[..., :-1], geometry)
    flat, chosen = coordinates.reshape(times * count, -1), which.reshape(-1)
    corners = 2 ** len(geometry.axes)
    sites, weights = np.zeros((times * count, corners), dtype=np.int64), np.zeros((times * count, corners))
    nearest = np.zeros(times * count, dtype=np.int32)
    for number, name in enumerate(fields):
        here = chosen == number
        if here.any():
            sites[here], weights[here] = geometry.interpolation(flat[here], name)
            nearest[here] = geometry.nearest(flat[here], name)
    return Places(nearest.reshape(times, count), coordinates, Row(sites, weights))


def spread_evenly(uniform: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Coordinates of equal density from numbers ``uniform (..., axis)`` in 0 ... 1; on the sphere equal by area."""
    parts = []
    for a, axis in enumerate(geometry.axes):
        if geometry.is_sphere and axis.name == "latitude":
            low, high = np.sin(np.deg2rad([axis.origin, axis.origin + axis.length]))
            parts.append(np.rad2deg(np.arcsin(low + (high - low) * uniform[..., a])))
        else:
            parts.append(axis.origin + axis.length * uniform[..., a])
    return np.stack(parts, axis=-1)
