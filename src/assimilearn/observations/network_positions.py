"""A network of points between sites from a table: positions by the names of the axes, of stations or of moving points.

A header line with the names of the axes, such as ``x`` and ``y``, or ``longitude`` and ``latitude``, then one line for
each point. With a column ``time`` (MTU) a line is one observation; without it every point is observed at every time.
A column ``field`` names the field that is observed; by default it is the first.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry, Row
from assimilearn.observations.network_files import ABSENT, number, rows_at
from assimilearn.observations.tables import TABLES, Table, read_table


class Points(NamedTuple):
    """Observed points of a network, padded with ABSENT sites.

    Attributes
    ----------
    sites : ndarray (time, observation)
        The sites that they are nearest to.
    coordinates : ndarray (time, observation, axis)
    row : Row
        Interpolation to them, (time * observation, corner).
    """

    sites: np.ndarray
    coordinates: np.ndarray
    row: Row


def points_from_file(path: str | Path, geometry: Geometry, times: np.ndarray) -> Points:
    """The points that a table lists for each of ``times (time,)``.

    Raises
    ------
    SettingsError
        If the model has no grid.
    FileError
        If the table cannot be read, lacks an axis, names a field that does not exist, has a point outside of the
        domain, or lists times between two observation times, or none of them.
    """
    geometry.need_grid("a network of points between sites")
    axes, path = [axis.name for axis in geometry.axes], Path(path)
    if path.suffix.lower() not in TABLES:
        raise FileError(f"{path}: points between sites come from a table: {', '.join(TABLES)}")
    table = read_table(path, f"a header with {' and '.join(axes)} is needed, then a line for each point")
    names = [name.lower() for name in table.names]
    if missing := [name for name in axes if names.count(name.lower()) != 1]:
        raise FileError(f"{path}, line {table.header}: {missing[0]} must stand in the header once, as an axis")
    coordinates = np.stack([_column(path, table, names.index(name.lower()), name) for name in axes], axis=1)
    fields = _fields(path, table, names, geometry)
    sites, weights, nearest = _interpolated(path, geometry, coordinates, fields)
    if "time" in names:
        listed = _column(path, table, names.index("time"), "time")
        point, row, problems = rows_at(listed, times)
        if problems:
            raise FileError(f"{path}: this network cannot be used: " + "; ".join(problems))
    else:
        row, point = np.indices((times.size, len(coordinates))).reshape(2, -1)
    order = np.argsort(row, kind="stable")
    point, row = point[order], row[order]
    place = np.arange(row.size) - np.searchsorted(row, row)
    shape = times.size, int(place.max()) + 1
    which = np.full(shape, ABSENT)
    which[row, place] = point
    there = which >= 0
    of_rows = np.where(there.reshape(-1, 1), weights[which.reshape(-1)], 0.0)
    return Points(np.where(there, nearest[which], ABSENT), coordinates[which], Row(sites[which.reshape(-1)], of_rows))


def _column(path: Path, table: Table, place: int, name: str) -> np.ndarray:
    """The numbers of one column, (line,)."""
    lines = zip(table.lines, table.rows, strict=True)
    return np.array([number(path, line, name, fields[place]) for line, fields in lines])


def _fields(path: Path, table: Table, names: list[str], geometry: Geometry) -> np.ndarray:
    """Numbers of the observed fields, (line,)."""
    if "field" not in names:
        return np.zeros(len(table.rows), dtype=int)
    listed = [fields[names.index("field")].strip() for fields in table.rows]
    for line, name in zip(table.lines, listed, strict=True):
        if name not in geometry.names:
            raise FileError(f"{path}, line {line}: no field {name!r}; there are {', '.join(geometry.names)}")
    return np.array([geometry.names.index(name) for name in listed])


def _interpolated(
    path: Path, geometry: Geometry, coordinates: np.ndarray, fields: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sites and weights (point, corner) of the interpolation, and the nearest sites (point,)."""
    corners = 2 ** len(geometry.axes)
    sites, weights = np.zeros((len(fields), corners), dtype=np.int64), np.zeros((len(fields), corners))
    nearest = np.zeros(len(fields), dtype=np.int64)
    for k, name in enumerate(geometry.names):
        here = fields == k
        if here.any():
            try:
                sites[here], weights[here] = geometry.interpolation(coordinates[here], name)
            except SettingsError as error:
                raise FileError(f"{path}: {error}") from error
            nearest[here] = geometry.nearest(coordinates[here], name)
    return sites, weights, nearest
