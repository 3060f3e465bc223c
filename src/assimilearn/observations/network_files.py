"""A network from a file: the sites that are observed at each time, as rows of a table or as padded rows.

CSV: a header line with ``time`` and ``site``, in any order and among other columns, then one line for each observation;
commas, semicolons or tabs between them. NetCDF: ``site_index(time, observation)`` with the coordinate ``time``, and
``valid`` beside it where rows are padded, or a missing value or -1 in the padding; a file of observations is one. Times
are in MTU.
"""

from pathlib import Path

import numpy as np

from assimilearn.clock import TOLERANCE
from assimilearn.errors import FileError
from assimilearn.observations.brought import read_brought
from assimilearn.observations.dates import Clock, model_times
from assimilearn.observations.forms import ROWS, ordered
from assimilearn.observations.tables import TABLES, read_table

ABSENT = -1
COLUMNS = ("time", "site")


def sites_from_file(path: str | Path, size: int, times: np.ndarray) -> np.ndarray:
    """The sites that a file lists for each of ``times (time,)``, none where it does not have the time.

    Parameters
    ----------
    path : path of a table (ending in .csv, .tsv or .txt) or a NetCDF file
    size : int
        Number of sites of the state.
    times : ndarray (time,)
        Observation times in MTU, increasing.

    Returns
    -------
    ndarray (time, observation), int64, rising within a time; ABSENT in the padding

    Raises
    ------
    FileError
        If the file cannot be read, lists a site that does not exist or one twice at a time, or times between two
        observation times, or none of them.
    """
    listed, sites = read_network(path)
    within, row, problems = rows_at(listed, times)
    sites = sites[within]
    strange = ~np.isin(sites, np.arange(size))
    if strange.any():
        problems.append(f"site {sites[np.argmax(strange)]:g} is not one of the sites 0 to {size - 1}")
    order = np.lexsort((sites, row))
    row, sites = row[order], sites[order]
    again = (np.diff(row) == 0) & (np.diff(sites) == 0)
    if again.any():
        first = int(np.argmax(again))
        problems.append(f"site {sites[first]:g} is listed twice at time {times[row[first]]:g} MTU")
    if problems:
        raise FileError(f"{path}: this network cannot be used: " + "; ".join(problems))
    place = np.arange(row.size) - np.searchsorted(row, row)
    result = np.full((times.size, int(place.max()) + 1), ABSENT)
    result[row, place] = sites
    return result


def rows_at(listed: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Which of the times ``listed (row,)`` are within ``times (time,)``, the index of each of these, and problems."""
    within = np.flatnonzero((listed > times[0] - 1e-9) & (listed < times[-1] + 1e-9))
    listed = listed[within]
    if not listed.size:
        return within, within, [f"it has no time from {times[0]:g} to {times[-1]:g} MTU, those of the truth"]
    distinct, which = np.unique(listed, return_inverse=True)
    row = np.abs(times[:, None] - distinct).argmin(axis=0)[which]
    spacing = np.diff(times).min() if times.size > 1 else 1.0
    between = np.abs(times[row] - listed) > TOLERANCE * spacing
    if not between.any():
        return within, row, []
    return within, row, [f"time {listed[np.argmax(between)]:g} MTU is not an observation time (setting `every`)"]


def read_network(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Time and site of every observation that a file lists, each (row,).

    Raises
    ------
    FileError
        If the file cannot be read; of a table the message says in which line.
    """
    path = Path(path)
    return from_table(path) if path.suffix.lower() in TABLES else from_netcdf(path)


def from_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Time and site of every observation, each (row,)."""
    table = read_table(path, "a header with time and site is needed, then a line for each observation")
    places = _places(path, table.header, [name.lower() for name in table.names])
    rows = [
        [number(path, line, n, fields[p]) for n, p in zip(COLUMNS, places, strict=True)]
        for line, fields in zip(table.lines, table.rows, strict=True)
    ]
    found = np.array(rows)
    return found[:, 0], found[:, 1]


def _places(path: Path, line: int, names: list[str]) -> list[int]:
    """Where time and site stand in the header."""
    for name in COLUMNS:
        if names.count(name) != 1:
            many = "twice or more" if name in names else "not at all"
            raise FileError(f"{path}, line {line}: a header with time and site is needed; {name} stands there {many}")
    return [names.index(name) for name in COLUMNS]


def number(path: Path, line: int, name: str, text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise FileError(f"{path}, line {line}: {name} is {text.strip()!r}, not a finite number")
    return value


def from_netcdf(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Time and site of every observation, each (row,)."""
    dataset = read_brought(path)
    missing = [name for name in ("time", "site_index") if name not in dataset.variables]
    if missing:
        raise FileError(f"{path}: a network needs {' and '.join(missing)}")
    try:
        sites = ordered(dataset, "site_index", ROWS)
        times, _ = model_times(dataset["time"].variable, Clock(), None)
        there = ordered(dataset, "valid", ROWS) == 1 if "valid" in dataset else (sites != ABSENT) & ~np.isnan(sites)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error
    if not np.isfinite(times).all():
        raise FileError(f"{path}: time is not finite at index {int(np.argmin(np.isfinite(times)))}")
    return np.repeat(times, there.sum(axis=1)), sites[there]
