"""Data that users bring: observations in any of three forms, and a truth if there is one (see data/README.md)."""

from typing import Any

import numpy as np
import xarray as xr

from assimilearn.clock import TOLERANCE, step_numbers
from assimilearn.errors import FileError
from assimilearn.models.geometry import geometry_of
from assimilearn.observations import correlation, operators
from assimilearn.observations.checks import VARIABLES, entry_problems, refuse, time_problems
from assimilearn.observations.dates import Clock, clock_of, model_times
from assimilearn.observations.forms import merged_reports, ordered, padded_rows, site_numbers
from assimilearn.observations.layout import pack
from assimilearn.observations.plausible import far_values
from assimilearn.periods import Periods, period_flags


def ingest(
    dataset: xr.Dataset,
    periods: Periods,
    size: int,
    time_step: float,
    error_std: float | None = None,
    *,
    time_unit: float | None = None,
    climate: xr.Dataset | None = None,
) -> xr.Dataset:
    """Observations that a user brought, in the project's layout.

    Parameters
    ----------
    dataset : Dataset
        Of :func:`assimilearn.observations.brought.read_brought`, in one of the forms of
        :mod:`assimilearn.observations.forms`. The error standard deviation ``error_std`` is a variable with some or
        none of the dimensions, or an attribute. The attributes ``operator`` (JSON) and ``error_correlation_length``
        say if other than the state itself is observed, or errors of one time are correlated.
    periods : Periods
        Of a longer file the first ``periods.total`` times are used.
    size : int
        Number of sites of the model.
    time_step : float
        Step of the model in MTU; times must be multiples of it.
    error_std : float, optional
        Used instead of what the file says.
    time_unit : float, optional
        Seconds in one MTU, for files whose times are in physical units; those with dates are counted from the first.
    climate : Dataset, optional
        Model file: values far outside its climatology are refused.

    Returns
    -------
    Dataset of the layout of :func:`assimilearn.observations.layout.pack`, with the attributes ``size``, ``time_step``
    and, if they apply, ``interval`` (MTU, of equally spaced times) and those of the clock
    (:class:`assimilearn.observations.dates.Clock`).

    Raises
    ------
    FileError
        If the file cannot be used; the message lists every problem with its contents.
    """
    padded = padded_rows(dataset, size, error_std)
    times, clock = model_times(padded["time"].variable, Clock(time_unit), time_step)
    padded = padded.assign_coords(time=("time", times))
    told = _told(dataset, size)
    padded = _first_times(padded, periods)
    if correlation.ATTRIBUTE not in told:
        padded = merged_reports(padded)
    problems = time_problems(padded["time"].values, time_step) + entry_problems(padded, size)
    value, std, sites, valid = (padded[name].values for name in VARIABLES)
    if not problems:
        of_state = None if operators.ATTRIBUTE in told else climate
        seen = np.where(valid == 1, value, np.nan)
        problems = far_values(seen, padded["time"].values, std, of_state, sites, "value")
    refuse(problems, "observations")
    steps = step_numbers(padded["time"].values, time_step)
    packed = pack(steps * time_step, period_flags(periods), sites, value, std, valid == 1)
    units = str(dataset["observations" if "observations" in dataset else "value"].attrs.get("units", "1"))
    for name in ("value", "error_std"):
        packed[name].attrs["units"] = units
    attributes = {"size": size, "time_step": time_step, **_interval(steps, time_step), **told, **clock.attributes}
    return packed.assign_attrs(attributes)


def ingest_truth(
    dataset: xr.Dataset, observations: xr.Dataset, size: int, time_step: float, climate: xr.Dataset | None = None
) -> xr.Dataset:
    """A truth that a user brought, at the observation times.

    Parameters
    ----------
    dataset : Dataset
        ``state(time, site)``; it may hold more times than are needed.
    observations : Dataset
        Of :func:`ingest`: its times, periods and clock.
    size : int
        Number of sites of the model.
    time_step : float
        Step of the model in MTU.
    climate : Dataset, optional
        Model file: values far outside its climatology are refused.

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
        raise FileError("a truth is needed as state(time, site) with the coordinate time")
    own, _ = model_times(dataset["time"].variable, clock_of(observations), time_step)
    refuse(time_problems(own, None), "true states")
    states = ordered(dataset, "state", ("time", "site"))
    sites = site_numbers(dataset, states.shape[1], size)
    problems = [f"there are {sites.size} sites; the model has {size}"] if sites.size != size else []
    refuse(problems, "true states")
    states = states[:, np.argsort(sites, kind="stable")]
    times, flags = observations["time"].values, observations["period"].values
    nearest = _nearest(own, times)
    absent = np.abs(own[nearest] - times) > TOLERANCE * time_step
    if absent.any():
        first = times[np.argmax(absent)]
        problems.append(f"{np.count_nonzero(absent)} of {times.size} observation times are absent, first {first:g} MTU")
    bad = ~np.isfinite(states[nearest])
    if bad.any():
        first = times[np.argwhere(bad)[0, 0]]
        problems.append(f"state is missing or not finite in {np.count_nonzero(bad)} places, first at {first:g} MTU")
    problems += far_values(states[nearest], times, 0.0, climate, np.arange(size), "state")
    refuse(problems, "true states")
    return truth_dataset(times, flags, states[nearest], time_step)


def _nearest(own: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Index of the entry of ``own``, which increases, nearest to each of ``times``."""
    after = np.minimum(np.searchsorted(own, times), own.size - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(times - own[before]) < np.abs(own[after] - times), before, after)


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
