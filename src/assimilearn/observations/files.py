"""Data that users bring: observations in either of two forms, and a truth if there is one (see data/README.md)."""

from typing import Any

import numpy as np
import xarray as xr

from assimilearn.clock import TOLERANCE, step_numbers
from assimilearn.errors import FileError
from assimilearn.models.geometry import geometry_of
from assimilearn.observations import correlation, operators
from assimilearn.observations.checks import VARIABLES, entry_problems, refuse, time_problems
from assimilearn.observations.layout import pack
from assimilearn.periods import Periods, period_flags

ROWS = ("time", "observation")


def ingest(
    dataset: xr.Dataset, periods: Periods, size: int, time_step: float, error_std: float | None = None
) -> xr.Dataset:
    """Observations that a user brought, in the project's layout.

    Parameters
    ----------
    dataset : Dataset
        Either gridded, ``observations(time, site)`` with NaN where nothing was observed, or padded: ``value`` and
        ``site_index`` (time, observation), ``valid`` beside them or NaN in ``value``. The error standard deviation
        ``error_std`` is a variable with some or none of these dimensions, or an attribute. The attributes ``operator``
        (JSON) and ``error_correlation_length`` (sites) say if other than the state itself is observed, or errors of one
        time are correlated.
    periods : Periods
        Of a longer file the first ``periods.total`` times are used.
    size : int
        Number of sites of the model.
    time_step : float
        Step of the model in MTU; times must be multiples of it.
    error_std : float, optional
        Used instead of what the file says.

    Returns
    -------
    Dataset of the layout of :func:`assimilearn.observations.layout.pack`, with the attributes ``size``, ``time_step``
    and, if the times are equally spaced, ``interval`` (MTU).

    Raises
    ------
    FileError
        If the file cannot be used; the message lists every problem with its contents.
    """
    if "time" not in dataset.variables:
        raise FileError("observations need the coordinate time, in MTU")
    if "observations" in dataset:
        padded = _from_grid(dataset, size, error_std)
    elif "value" in dataset and "site_index" in dataset:
        padded = _from_rows(dataset, error_std)
    else:
        found = ", ".join(sorted(map(str, dataset.variables)))
        raise FileError(
            "observations are needed as observations(time, site), or as value and site_index (time, observation); "
            f"the file holds {found}"
        )
    padded = _first_times(padded, periods)
    refuse(time_problems(padded["time"].values, time_step) + entry_problems(padded, size), "observations")
    steps = step_numbers(padded["time"].values, time_step)
    value, std, sites, valid = (padded[name].values for name in VARIABLES)
    packed = pack(steps * time_step, period_flags(periods), sites, value, std, valid == 1)
    return packed.assign_attrs(size=size, time_step=time_step, **_interval(steps, time_step), **_told(dataset, size))


def ingest_truth(dataset: xr.Dataset, times: np.ndarray, flags: np.ndarray, size: int, time_step: float) -> xr.Dataset:
    """A truth that a user brought, at the observation times.

    Parameters
    ----------
    dataset : Dataset
        ``state(time, site)``; it may hold more times than are needed.
    times, flags : ndarray (time,)
        Observation times in MTU and their periods.
    size : int
        Number of sites of the model.
    time_step : float
        Step of the model in MTU.

    Returns
    -------
    Dataset, the truth artifact.

    Raises
    ------
    FileError
        If there is no such variable, its sites are not ``size``, a time is missing or a value is not finite.
    """
    from assimilearn.models.truth import truth_dataset  # with the models comes the compiler

    if "state" not in dataset or "time" not in dataset.variables:
        raise FileError("a truth is needed as state(time, site) with the coordinate time in MTU")
    refuse(time_problems(dataset["time"].values, None), "true states")
    states = _ordered(dataset, "state", ("time", "site"))
    own = dataset["time"].values.astype(float)
    nearest = _nearest(own, times)
    absent = np.abs(own[nearest] - times) > TOLERANCE * time_step
    problems = []
    if states.shape[1] != size:
        problems.append(f"there are {states.shape[1]} sites; the model has {size}")
    if absent.any():
        first = times[np.argmax(absent)]
        problems.append(f"{np.count_nonzero(absent)} of {times.size} observation times are absent, first {first:g} MTU")
    if not np.isfinite(states[nearest]).all():
        problems.append("state is not finite at some observation times")
    refuse(problems, "true states")
    return truth_dataset(times, flags, states[nearest], time_step)


def _nearest(own: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Index of the entry of ``own``, which increases, nearest to each of ``times``."""
    after = np.minimum(np.searchsorted(own, times), own.size - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(times - own[before]) < np.abs(own[after] - times), before, after)


def _from_grid(dataset: xr.Dataset, size: int, error_std: float | None) -> xr.Dataset:
    """Rows of all sites from ``observations(time, site)``; what is NaN is not valid."""
    values = _ordered(dataset, "observations", ("time", "site"))
    if values.shape[1] != size:
        raise FileError(f"observations has {values.shape[1]} sites; the model has {size}")
    std = _error_std(dataset, dataset["observations"], ("time", "site"), error_std)
    return _rows(dataset, values, std, np.broadcast_to(np.arange(size), values.shape), ~np.isnan(values))


def _from_rows(dataset: xr.Dataset, error_std: float | None) -> xr.Dataset:
    """Rows as they are; without ``valid`` what is NaN is not valid."""
    values = _ordered(dataset, "value", ROWS)
    valid = _ordered(dataset, "valid", ROWS) if "valid" in dataset else ~np.isnan(values)
    std = _error_std(dataset, dataset["value"], ROWS, error_std)
    return _rows(dataset, values, std, _ordered(dataset, "site_index", ROWS), valid)


def _rows(dataset: xr.Dataset, *columns: np.ndarray) -> xr.Dataset:
    """A dataset of the variables VARIABLES from ``columns``, each (time, observation)."""
    return xr.Dataset(
        {name: (ROWS, column) for name, column in zip(VARIABLES, columns, strict=True)},
        coords={"time": dataset["time"].variable},
    )


def _ordered(dataset: xr.Dataset, name: str, dims: tuple[str, str]) -> np.ndarray:
    """The numbers of a variable, its dimensions in the order ``dims``."""
    variable = dataset[name].variable
    if set(variable.dims) != set(dims) or variable.dtype.kind not in "fiub":
        found = f"{name}({', '.join(map(str, variable.dims))}) of type {variable.dtype}"
        raise FileError(f"{name} must hold numbers with the dimensions {', '.join(dims)}; found is {found}")
    return variable.transpose(*dims).values.astype(float)


def _error_std(dataset: xr.Dataset, observed: xr.DataArray, dims: tuple[str, str], given: float | None) -> np.ndarray:
    """Error standard deviation of every entry of ``observed``: ``given``, or else a variable, or else an attribute."""
    std: Any = given
    if std is None and "error_std" in dataset:
        std = dataset["error_std"].variable
    if std is None:
        std = observed.attrs.get("error_std", dataset.attrs.get("error_std"))
    if std is None:
        raise FileError("error_std is neither in the file, as a variable or an attribute, nor in the settings")
    try:
        variable = std if isinstance(std, xr.Variable) else xr.Variable((), float(std))
        return variable.set_dims({dim: observed.sizes[dim] for dim in dims}).transpose(*dims).values.astype(float)
    except (TypeError, ValueError) as error:
        raise FileError(f"error_std must be one number, or numbers along {', '.join(dims)}: {error}") from error


def _first_times(padded: xr.Dataset, periods: Periods) -> xr.Dataset:
    """The times that the periods ask for."""
    found = padded.sizes["time"]
    if found < periods.total:
        raise FileError(
            f"there are {found} observation times; the periods ask for {periods.total}: shorten them "
            f"(spinup {periods.spinup}, train {periods.train}, gap 2 x {periods.gap}, "
            f"validation {periods.validation}, test {periods.test})"
        )
    return padded.isel(time=slice(periods.total))


def _told(dataset: xr.Dataset, size: int) -> dict[str, Any]:
    """The attributes on operator and error correlation that the file has, once it is certain that they can be used."""
    told = xr.Dataset(attrs=dataset.attrs)
    geometry = geometry_of({**dataset.attrs, "size": size})
    operators.operator_of(told, geometry)
    correlation.correlation_of(told, geometry)
    names = (operators.ATTRIBUTE, correlation.ATTRIBUTE)
    return {name: dataset.attrs[name] for name in names if name in dataset.attrs}


def _interval(steps: np.ndarray, time_step: float) -> dict[str, float]:
    """The attribute ``interval`` where the times, as numbers of steps, are equally spaced."""
    spacings = np.unique(np.diff(steps))
    return {"interval": float(spacings[0]) * time_step} if spacings.size == 1 else {}
