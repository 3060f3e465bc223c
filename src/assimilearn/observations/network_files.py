"""A network from a file: the sites that are observed at each time, as rows of a table or as padded rows.

CSV: a header line with ``time`` and ``site``, then one line for each observation. NetCDF: ``site_index(time,
observation)`` with the coordinate ``time``, and ``valid`` beside it where rows are padded, or -1 in the padding; a file
of observations is one. Times are in MTU.
"""

from pathlib import Path

import numpy as np

from assimilearn import store
from assimilearn.clock import TOLERANCE
from assimilearn.errors import FileError

ABSENT = -1


def sites_from_file(path: str | Path, size: int, times: np.ndarray) -> np.ndarray:
    """The sites that a file lists for each of ``times (time,)``, none where it does not have the time.

    Parameters
    ----------
    path : path of a CSV (ending in .csv) or NetCDF file
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
    listed, sites = from_csv(Path(path)) if str(path).endswith(".csv") else from_netcdf(Path(path))
    within = (listed > times[0] - 1e-9) & (listed < times[-1] + 1e-9)
    listed, sites = listed[within], sites[within]
    nearest = np.abs(times[:, None] - np.unique(listed)).argmin(axis=0) if listed.size else np.empty(0, int)
    row = nearest[np.unique(listed, return_inverse=True)[1]] if listed.size else nearest
    spacing = np.diff(times).min() if times.size > 1 else 1.0
    between = np.abs(times[row] - listed) > TOLERANCE * spacing
    strange = ~np.isin(sites, np.arange(size))
    problems = []
    if not listed.size:
        problems.append(f"it has no time from {times[0]:g} to {times[-1]:g} MTU, those of the truth")
    if between.any():
        problems.append(f"time {listed[np.argmax(between)]:g} MTU is not an observation time (setting `every`)")
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


def from_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Time and site of every observation, each (row,)."""
    try:
        with open(path, encoding="utf-8") as file:
            names = [name.strip() for name in file.readline().split(",")]
            columns = [names.index(name) for name in ("time", "site")]
            table = np.loadtxt(file, delimiter=",", usecols=columns, ndmin=2)
    except FileNotFoundError as error:
        raise FileError(f"{path}: no such file") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: needed is a header line with time and site, then numbers ({error})") from error
    return table[:, 0], table[:, 1]


def from_netcdf(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Time and site of every observation, each (row,)."""
    dataset = store.read(path, require=["time", "site_index"])
    sites = dataset["site_index"]
    if sites.dims != ("time", "observation") or sites.dtype.kind not in "iuf":
        raise FileError(f"{path}: site_index must hold numbers with the dimensions (time, observation)")
    padding = (sites.values == ABSENT) | np.isnan(sites.values)
    there = dataset["valid"].values == 1 if "valid" in dataset else ~padding
    return np.repeat(dataset["time"].values.astype(float), there.sum(axis=1)), sites.values[there].astype(float)
