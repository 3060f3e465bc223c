"""A network of weighted sums from a table: any linear H, the rows of which are listed entry by entry.

A header line with ``observation``, ``site`` and ``weight``, then one line for each entry of H that is not 0. Every
observation is made at every time. Where distances count, it stands at the site of its largest weight.
"""

from pathlib import Path

import numpy as np

from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry, Row
from assimilearn.observations.network_files import number
from assimilearn.observations.network_positions import Points
from assimilearn.observations.tables import TABLES, read_table

COLUMNS = ("observation", "site", "weight")


def sums_from_file(path: str | Path, geometry: Geometry, times: int) -> Points:
    """The weighted sums that a table lists, the same at each of ``times`` times.

    Raises
    ------
    FileError
        If the table cannot be read, lacks a column, names a site that does not exist or one twice in a sum, or a sum
        has no weight but 0.
    """
    path = Path(path)
    if path.suffix.lower() not in TABLES:
        raise FileError(f"{path}: weighted sums come from a table: {', '.join(TABLES)}")
    table = read_table(path, f"a header with {', '.join(COLUMNS)} is needed, then a line for each weight")
    names = [name.lower() for name in table.names]
    if missing := [name for name in COLUMNS if names.count(name) != 1]:
        raise FileError(f"{path}, line {table.header}: {missing[0]} must stand in the header once")
    which, site, weight = (
        np.array(
            [number(path, at, name, row[names.index(name)]) for at, row in zip(table.lines, table.rows, strict=True)]
        )
        for name in COLUMNS
    )
    strange = ~np.isin(site, np.arange(geometry.size))
    if strange.any():
        at = int(np.argmax(strange))
        raise FileError(f"{path}, line {table.lines[at]}: site {site[at]:g} is not one of 0 to {geometry.size - 1}")
    rows = matrix_rows(path, which, site.astype(np.int64), weight)
    main = rows.sites[np.arange(len(rows.sites)), np.abs(rows.weights).argmax(axis=1)]
    return Points(
        np.tile(main, (times, 1)),
        np.tile(geometry.coordinates[main], (times, 1, 1)),
        Row(np.tile(rows.sites, (times, 1)), np.tile(rows.weights, (times, 1))),
    )


def matrix_rows(path: Path, which: np.ndarray, site: np.ndarray, weight: np.ndarray) -> Row:
    """Rows (observation, corner) of the entries of H, in the order of the numbers of the observations."""
    labels, row = np.unique(which, return_inverse=True)
    order = np.lexsort((site, row))
    row, site, weight = row[order], site[order], weight[order]
    again = (np.diff(row) == 0) & (np.diff(site) == 0)
    if again.any():
        at = int(np.argmax(again))
        raise FileError(f"{path}: observation {labels[row[at]]:g} has two weights of site {site[at]}")
    place = np.arange(row.size) - np.searchsorted(row, row)
    sites, weights = (np.zeros((labels.size, int(place.max()) + 1), dtype=kind) for kind in (np.int64, float))
    sites[row, place], weights[row, place] = site, weight
    nothing = ~weights.any(axis=1)
    if nothing.any():
        raise FileError(f"{path}: observation {labels[np.argmax(nothing)]:g} has no weight but 0")
    return Row(sites, weights)
