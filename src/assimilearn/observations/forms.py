"""The forms in which people bring observations, and how each becomes padded rows.

* **grid**: ``observations(time, site)``, NaN where nothing was observed; a coordinate ``site`` says which site a column
  is of.
* **rows**: ``value`` and ``site_index`` (time, observation), with ``valid`` beside them, or NaN in the padding.
* **list**: ``value``, ``site_index`` and ``time`` along one dimension, one entry for each observation.
"""

import logging
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.observations.checks import VARIABLES

ROWS = ("time", "observation")
EXPECTED = (
    "observations are needed as observations(time, site), as value and site_index (time, observation), or as value, "
    "site_index and time along one dimension"
)


LOG = logging.getLogger(__name__)
DISAGREEING, MANY = 6.0, 0.1
"""Mean square of the differences of reports that should be of one site over that of their errors, and the share of all
values: beyond both, the sites are wrong."""


def padded_rows(dataset: xr.Dataset, size: int, error_std: float | None) -> xr.Dataset:
    """Observations in any of the forms as rows: the variables VARIABLES (time, observation) and ``time`` as it is.

    Raises
    ------
    FileError
        If the file has none of the forms, or a variable has other dimensions than its form asks for.
    """
    if form_of(dataset) == "observations":
        return _from_grid(dataset, size, error_std)
    one = dataset["value"].dims
    if len(one) == 1 and dataset["time"].dims == one and dataset["site_index"].dims == one:
        return _from_list(dataset, error_std)
    return _from_rows(dataset, error_std)


def form_of(dataset: xr.Dataset) -> str:
    """The variable that holds what was observed: "observations" of a grid, "value" of rows and lists.

    Raises
    ------
    FileError
        If there is none, or no time.
    """
    if "time" not in dataset.variables:
        raise FileError("observations need the coordinate time")
    if "observations" in dataset:
        return "observations"
    if "value" in dataset and "site_index" in dataset:
        return "value"
    raise FileError(f"{EXPECTED}; the file holds {', '.join(sorted(map(str, dataset.variables)))}")


def site_numbers(dataset: xr.Dataset, count: int, size: int) -> np.ndarray:
    """Which site of the model each of ``count`` entries along ``site`` is, (entry,).

    The coordinate ``site`` says so; without one they are all sites, in order.

    Raises
    ------
    FileError
        If the coordinate holds text, the same site twice, or something that is not a site.
    """
    if "site" not in dataset.variables:
        if count != size:
            raise FileError(
                f"there are {count} sites; the model has {size}: a coordinate `site` can say which of them these are"
            )
        return np.arange(size)
    named = dataset["site"].values
    if named.dtype.kind not in "iuf":
        raise FileError("the coordinate site holds text: it must hold the numbers of the model's sites, from 0")
    strange = ~np.isin(named, np.arange(size))
    if strange.any():
        first = named[np.argmax(strange)]
        raise FileError(f"the coordinate site holds {first:g}, which is not one of the sites 0 to {size - 1}")
    sites = named.astype(np.int64)
    if np.unique(sites).size < sites.size:
        raise FileError(f"the coordinate site holds {sites[_first_repeat(sites)]} twice")
    return sites


def _first_repeat(values: np.ndarray) -> int:
    """Index of the first value that stood before."""
    _, first = np.unique(values, return_index=True)
    return int(np.setdiff1d(np.arange(values.size), first)[0])


def _from_grid(dataset: xr.Dataset, size: int, error_std: float | None) -> xr.Dataset:
    """Rows of all sites from ``observations(time, site)``; what is NaN is not valid."""
    values = ordered(dataset, "observations", ("time", "site"))
    sites = site_numbers(dataset, values.shape[1], size)
    std = _error_std(dataset, dataset["observations"], ("time", "site"), error_std)
    order = np.argsort(sites, kind="stable")
    sites = np.broadcast_to(sites[order], values.shape)
    values = values[:, order]
    return _rows(dataset["time"].variable, values, std[:, order], sites, ~np.isnan(values))


def _from_rows(dataset: xr.Dataset, error_std: float | None) -> xr.Dataset:
    """Rows as they are; without ``valid`` what is NaN is not valid."""
    values, sites = ordered(dataset, "value", ROWS), ordered(dataset, "site_index", ROWS)
    if "valid" in dataset:
        valid = ordered(dataset, "valid", ROWS)
        valid = np.where(np.isnan(valid), 0.0, valid)
    else:
        valid = ~(np.isnan(values) | np.isnan(sites))
    std = _error_std(dataset, dataset["value"], ROWS, error_std)
    return _rows(dataset["time"].variable, values, std, sites, valid)


def _from_list(dataset: xr.Dataset, error_std: float | None) -> xr.Dataset:
    """Rows from entries along one dimension; entries with the same time are one row, in their order."""
    (dim,) = dataset["value"].dims
    values, sites = (ordered(dataset, name, (str(dim),)) for name in ("value", "site_index"))
    std = _error_std(dataset, dataset["value"], (str(dim),), error_std)
    time = dataset["time"].variable
    if time.dtype.kind not in "fiu" or not np.isfinite(time.values.astype(float)).all():
        raise FileError("time of a list of observations must hold finite numbers")
    valid = ~(np.isnan(values) | np.isnan(sites))
    if "valid" in dataset:
        valid &= ordered(dataset, "valid", (str(dim),)) == 1
    times, row = np.unique(time.values, return_inverse=True)
    by_row = np.argsort(row, kind="stable")
    place = np.empty(row.size, dtype=np.int64)
    place[by_row] = np.arange(row.size) - np.searchsorted(row[by_row], row[by_row])
    columns = []
    for column, empty in ((values, np.nan), (std, np.nan), (sites, 0.0), (valid, False)):
        padded = np.full((times.size, int(place.max(initial=0)) + 1), empty)
        padded[row, place] = column
        columns.append(padded)
    return _rows(xr.Variable("time", times, time.attrs), *columns)


def _rows(time: xr.Variable, *columns: np.ndarray) -> xr.Dataset:
    """A dataset of the variables VARIABLES from ``columns``, each (time, observation)."""
    variables = {name: (ROWS, column) for name, column in zip(VARIABLES, columns, strict=True)}
    return xr.Dataset(variables, coords={"time": time})


def ordered(dataset: xr.Dataset, name: str, dims: tuple[str, ...]) -> np.ndarray:
    """The numbers of a variable as floats, its dimensions in the order ``dims``."""
    variable = dataset[name].variable
    if set(variable.dims) != set(dims) or variable.dtype.kind not in "fiub":
        found = f"{name}({', '.join(map(str, variable.dims))}) of type {variable.dtype}"
        raise FileError(f"{name} must hold numbers with the dimensions {', '.join(dims)}; found is {found}")
    return variable.transpose(*dims).values.astype(float)


def _error_std(dataset: xr.Dataset, observed: xr.DataArray, dims: tuple[str, ...], given: float | None) -> np.ndarray:
    """Error standard deviation of every entry of ``observed``: ``given``, or else a variable, or else an attribute."""
    std: Any = given
    if std is None and "error_std" in dataset:
        std = dataset["error_std"].variable
        told = [str(std.attrs.get(name, "")) for name in ("long_name", "standard_name")]
        if any("variance" in text.lower() for text in told):
            raise FileError(f"error_std calls itself {' '.join(told).strip()!r}: a standard deviation is needed")
        ours, theirs = (str(v.attrs.get("units", "1")).strip() for v in (observed, std))
        if theirs not in ("", "1", ours) and ours not in ("", "1"):
            raise FileError(f"error_std is in {theirs!r} and {observed.name} in {ours!r}: bring both in one unit")
    if std is None:
        std = observed.attrs.get("error_std", dataset.attrs.get("error_std"))
    if std is None:
        raise FileError("error_std is neither in the file, as a variable or an attribute, nor in the settings")
    try:
        if not isinstance(std, xr.Variable) and np.size(std) != 1:
            raise ValueError(f"the attribute holds {np.size(std)} of them")
        variable = std if isinstance(std, xr.Variable) else xr.Variable((), float(std))
        return variable.set_dims({dim: observed.sizes[dim] for dim in dims}).transpose(*dims).values.astype(float)
    except (TypeError, ValueError) as error:
        raise FileError(f"error_std must be one number, or numbers along {', '.join(dims)}: {error}") from error


def merged_reports(padded: xr.Dataset) -> xr.Dataset:
    """Reports of one site at one time merged to one; the log says how many were.

    The mean is weighted by 1 / error_std^2, and has the standard deviation (sum of 1 / error_std^2)^-1/2: what a filter
    would make of them one after the other.

    Raises
    ------
    FileError
        If there are many, and they differ by far more than their errors: then they are hardly of one site.
    """
    value, std, sites, valid = (padded[name].values.copy() for name in VARIABLES)
    there = (valid == 1) & np.isfinite(value) & (std > 0)
    gone, squares = 0, []
    for k in range(len(value)):
        order = np.argsort(np.where(there[k], sites[k], -1.0), kind="stable")
        order = order[there[k, order]]
        again = np.flatnonzero(np.diff(sites[k, order]) == 0) + 1
        for site in np.unique(sites[k, order[again]]):
            group = order[sites[k, order] == site]
            smallest = std[k, group].min()
            weight = (smallest / std[k, group]) ** 2
            mean = np.sum(weight * value[k, group]) / weight.sum()
            with np.errstate(over="ignore"):
                squares.append(np.sum(((value[k, group] - mean) / std[k, group]) ** 2) / (group.size - 1))
            value[k, group[0]] = mean
            std[k, group[0]] = smallest / np.sqrt(weight.sum())
            valid[k, group[1:]] = 0
            gone += group.size - 1
    if squares:
        ratio = float(np.mean(squares))
        if ratio > DISAGREEING and gone > MANY * there.sum():
            raise FileError(
                f"{gone} reports are of a site that has another at the same time, and they differ by "
                f"{np.sqrt(ratio):.1f} times their errors: does site_index count from 0?"
            )
        LOG.warning(
            "%d reports of a site that had another at the same time were merged with it; they differ by %.1f times "
            "their errors",
            *(gone, np.sqrt(ratio)),
        )
    return _rows(padded["time"].variable, value, std, sites, valid)
