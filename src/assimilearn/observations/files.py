"""Data that users bring: observations in any of their forms, and a truth if there is one (see data/README.md)."""

from typing import Any, Literal

import numpy as np
import xarray as xr

from assimilearn.clock import TOLERANCE, step_numbers
from assimilearn.errors import FileError
from assimilearn.models.fields import with_geometry
from assimilearn.models.geometry import ATTRIBUTE, Geometry, geometry_of, stations
from assimilearn.observations import correlation, operators, seasonal
from assimilearn.observations.checks import VARIABLES, entry_problems, refuse, time_problems
from assimilearn.observations.dates import Clock, clock_of, duration_of, model_times
from assimilearn.observations.forms import form_of, merged_reports, ordered, padded_rows, site_numbers
from assimilearn.observations.layout import pack
from assimilearn.observations.plausible import far_values
from assimilearn.observations.record_settings import RecordSettings
from assimilearn.observations.withholding import Withholding, withheld
from assimilearn.periods import TEST, TRAIN, Periods, period_flags

LARGEST_RECORD = 10_000_000  # sites: a larger number of a site is a mistake
SPARSEST = 20  # equally spaced times for each time that is there

AS_IT_IS = RecordSettings()


def ingest(
    dataset: xr.Dataset,
    periods: Periods,
    settings: RecordSettings = AS_IT_IS,
    geometry: Geometry | None = None,
    time_step: float | None = None,
    climate: xr.Dataset | None = None,
    rng: np.random.Generator | None = None,
    part: Literal["kept", "withheld"] = "kept",
) -> xr.Dataset:
    """Observations that a user brought, in the project's layout.

    Parameters
    ----------
    dataset : Dataset
        Of :func:`assimilearn.observations.record.read_record`, in one of the forms of
        :mod:`assimilearn.observations.forms`. The error standard deviation ``error_std`` is a variable with some or
        none of the dimensions, or an attribute. The attributes ``operator`` (JSON) and ``error_correlation_length``
        say if other than the state itself is observed, or errors of one time are correlated.
    periods : Periods
        Of a longer file the first ``periods.total`` times are used.
    settings : RecordSettings
    geometry : Geometry, optional
        Of the states of the model. Without a model it is that of the record: its stations or grid points.
    time_step : float, optional
        Step of the model in MTU; times must be multiples of it. Without a model it is the commonest time from one
        observation to the next, and times that the record lacks become times without observations.
    climate : Dataset, optional
        Climatology file: values far outside its climatology are refused.
    rng : numpy.random.Generator, optional
        Draws what is withheld.
    part : {"kept", "withheld"}
        Which of the two is given.

    Returns
    -------
    Dataset of the layout of :func:`assimilearn.observations.layout.pack`, with the attributes ``size``, ``time_step``
    and, if they apply, ``interval`` (MTU, of equally spaced times), those of the clock
    (:class:`assimilearn.observations.dates.Clock`) with ``date(time)``, and ``seasonal_cycle(time, site)``.

    Raises
    ------
    FileError
        If the file cannot be used; the message lists every problem with its contents.
    """
    own = geometry is None
    geometry = geometry or geometry_of_file(dataset)
    given = settings.error_std if isinstance(settings.error_std, float) else None
    padded = padded_rows(dataset, geometry.size, given)
    times, clock = model_times(padded["time"].variable, Clock.counting(settings.time_unit), time_step)
    padded = padded.assign_coords(time=("time", times))
    if time_step is None:
        padded, time_step = evenly(padded, clock, settings.every)
    told = _told(dataset, geometry)
    padded = _first_times(padded, periods)
    if correlation.ATTRIBUTE not in told:
        padded = merged_reports(padded)
    problems = time_problems(padded["time"].values, time_step) + entry_problems(padded, geometry.size)
    if not problems:
        problems = _far(padded, None if operators.ATTRIBUTE in told else climate, geometry, own)
    refuse(problems, "observations")
    steps = step_numbers(padded["time"].values, time_step)
    flags = period_flags(periods)
    value, std, sites, valid = (padded[name].values for name in VARIABLES)
    sites, valid = np.where(valid == 1, sites, 0).astype(np.int64), valid == 1
    cycle = None
    if settings.seasonal_cycle is not None:
        cycle = _cycle(value, sites, valid, flags, steps * time_step, clock, geometry, settings.seasonal_cycle)
        value = value - np.take_along_axis(cycle, sites, axis=1)
    if settings.withhold is not None:
        gone = _withheld(settings.withhold, flags, geometry, rng)[np.arange(len(sites))[:, None], sites]
        valid = valid & (gone if part == "withheld" else ~gone)
    packed = pack(steps * time_step, flags, sites, value, std, valid)
    units = geometry.units if own else str(dataset[form_of(dataset)].attrs.get("units", "1"))
    for name in ("value", "error_std"):
        packed[name].attrs["units"] = units
    if cycle is not None:
        text = {"units": packed["value"].attrs["units"], "long_name": "cycle that was taken out of the values"}
        packed[seasonal.VARIABLE] = (("time", "site"), cycle.astype(np.float32), text)
    attributes = {
        **{"size": geometry.size, "time_step": time_step, **geometry.attributes},
        **{**_interval(steps, time_step), **told, **clock.attributes},
    }
    packed = packed.assign_coords(clock.coordinates(packed["time"].values))
    return with_geometry(packed.assign_attrs(attributes), geometry)


def geometry_of_file(dataset: xr.Dataset) -> Geometry:
    """Where the sites of a record are, as the file says, or sites without positions."""
    if ATTRIBUTE in dataset.attrs:
        return geometry_of({"size": dataset.attrs.get("size", dataset.sizes.get("site")), **dataset.attrs})
    units = dataset[form_of(dataset)].attrs.get("units", "1")
    if "observations" in dataset:
        count = dataset.sizes.get("site", 0)
        numbers = dataset["site"].values if "site" in dataset.variables else np.arange(count)
        count = int(np.max(numbers, initial=-1)) + 1
    else:
        count = int(np.nanmax(dataset["site_index"].values, initial=-1)) + 1
    if not 0 < count <= LARGEST_RECORD:
        raise FileError(f"the sites of a record are numbered from 0; the largest number here is {count - 1}")
    return stations({"value": str(units) or "1"}, [str(k) for k in range(count)])


def evenly(padded: xr.Dataset, clock: Clock, every: str | None) -> tuple[xr.Dataset, float]:
    """Rows at equally spaced times from the first to the last, empty where the record has none, and their spacing.

    Parameters
    ----------
    padded : Dataset
        Rows of :func:`assimilearn.observations.forms.padded_rows`, ``time`` in MTU.
    clock : Clock
    every : the spacing as a duration; by default the commonest

    Raises
    ------
    FileError
        If times do not increase, or one is not a multiple of the spacing after the first.
    """
    times = padded["time"].values
    refuse(time_problems(times, None), "observations")
    if times.size < 2:
        raise FileError("a record needs two times or more")
    spacing = _commonest(np.diff(times)) if every is None else _in_mtu(every, clock)
    steps = np.rint((times - times[0]) / spacing).astype(np.int64)
    off = np.abs((times - times[0]) / spacing - steps) > TOLERANCE
    again = np.append(False, np.diff(steps) == 0)
    if off.any() or again.any():
        first = times[np.argmax(off | again)]
        raise FileError(
            f"{np.count_nonzero(off | again)} of {times.size} times are no multiples of {spacing:g} MTU after the "
            f"first, first {_when(first, clock)}: say the time from one observation time to the next, of which all are "
            "multiples, as `data: {every: ...}`"
        )
    if steps[-1] + 1 > SPARSEST * times.size:
        raise FileError(
            f"of {steps[-1] + 1} times {spacing:g} MTU apart only {times.size} are there: is `every` right?"
        )
    even = times[0] + spacing * np.arange(steps[-1] + 1)
    filled = padded.assign(valid=padded["valid"].astype(float)).reindex(
        time=even, method="nearest", tolerance=TOLERANCE * spacing
    )
    return filled.assign(valid=filled["valid"].fillna(0)), spacing


def _commonest(spacings: np.ndarray) -> float:
    """The commonest of some numbers, to a millionth."""
    rounded = np.round(spacings / spacings.min(), 6)
    values, counts = np.unique(rounded, return_counts=True)
    return float(np.median(spacings[rounded == values[counts.argmax()]]))


def _in_mtu(every: str, clock: Clock) -> float:
    """A duration in MTU of the clock."""
    length = duration_of(every)
    if clock.months is not None and length.months is not None:
        return length.months / clock.months
    if clock.unit is not None and length.seconds is not None:
        return length.seconds / clock.unit
    raise FileError(f"every: {every} is no multiple of the unit of the times, which is {clock.label} (`time_unit`)")


def _when(time: float, clock: Clock) -> str:
    """A time in words: a date where there is one."""
    return f"{time:g} MTU" if clock.reference is None else str(clock.dates(np.array([time]))[0])


def _far(padded: xr.Dataset, climate: xr.Dataset | None, geometry: Geometry, own: bool) -> list[str]:
    """Problems with values far outside the climatology; without one, of each field apart."""
    value, std, sites, valid = (padded[name].values for name in VARIABLES)
    seen, times = np.where(valid == 1, value, np.nan), padded["time"].values
    if climate is not None or not own:
        return far_values(seen, times, std, climate, sites, "value")
    problems = []
    for name, where in geometry.slices.items():
        of_field = np.where((sites >= where.start) & (sites < where.stop), seen, np.nan)
        problems += far_values(of_field, times, std, None, sites, name)
    return problems


def _cycle(
    value: np.ndarray,
    sites: np.ndarray,
    valid: np.ndarray,
    flags: np.ndarray,
    times: np.ndarray,
    clock: Clock,
    geometry: Geometry,
    settings: seasonal.SeasonalCycle,
) -> np.ndarray:
    """The cycle of every site at all times, (time, site)."""
    if clock.reference is None:
        raise FileError("a seasonal cycle needs dates: times since a date, with `time_unit` in the study")
    by_site = np.full((len(value), geometry.size), np.nan)
    row, column = np.nonzero(valid)
    by_site[row, sites[row, column]] = value[row, column]
    return seasonal.fitted_cycle(by_site, clock.dates(times), flags == TRAIN, settings)


def _withheld(
    settings: Withholding, flags: np.ndarray, geometry: Geometry, rng: np.random.Generator | None
) -> np.ndarray:
    """Which times and sites are withheld, bool (time, site)."""
    count = geometry.fields[0].size
    names = geometry.stations.names if geometry.stations is not None else tuple(map(str, range(count)))
    rng = np.random.default_rng(0) if rng is None else rng
    try:
        return withheld(settings, flags == TEST, np.arange(geometry.size) % count, names, rng)
    except ValueError as error:
        raise FileError(f"withhold: {error}") from error


def ingest_truth(dataset: xr.Dataset, observations: xr.Dataset, climate: xr.Dataset | None = None) -> xr.Dataset:
    """A truth that a user brought, at the observation times.

    Parameters
    ----------
    dataset : Dataset
        ``state(time, site)``; it may hold more times than are needed.
    observations : Dataset
        Of :func:`ingest`: its times, periods, clock and sites, and the cycle that was taken out of it.
    climate : Dataset, optional
        Climatology file: values far outside its climatology are refused.

    Returns
    -------
    Dataset, the truth artifact.

    Raises
    ------
    FileError
        If there is no such variable, its sites are others, a time is missing or a value is not finite.
    """
    from assimilearn.models.truth import truth_dataset  # with the models comes the compiler

    if "state" not in dataset or "time" not in dataset.variables:
        raise FileError("a truth is needed as state(time, site) with the coordinate time")
    geometry, time_step = geometry_of(observations.attrs), float(observations.attrs["time_step"])
    size, clock = geometry.size, clock_of(observations.attrs)
    own, _ = model_times(dataset["time"].variable, clock, time_step)
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
    cycle = observations[seasonal.VARIABLE].values if seasonal.VARIABLE in observations else 0.0
    truth = truth_dataset(times, flags, states[nearest] - cycle, time_step)
    truth = truth.assign_coords(clock.coordinates(times)).assign_attrs(clock.attributes)
    return with_geometry(truth, geometry)


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


def _told(dataset: xr.Dataset, geometry: Geometry) -> dict[str, Any]:
    """The attributes on operator and error correlation that the file has, once it is certain that they can be used."""
    told = xr.Dataset(attrs=dataset.attrs)
    operators.operator_of(told, geometry)
    correlation.correlation_of(told, geometry)
    names = (operators.ATTRIBUTE, correlation.ATTRIBUTE)
    return {name: dataset.attrs[name] for name in names if name in dataset.attrs}


def _interval(steps: np.ndarray, time_step: float) -> dict[str, float]:
    """The attribute ``interval`` where the times, as numbers of steps, are equally spaced."""
    spacings = np.unique(np.diff(steps))
    return {"interval": float(spacings[0]) * time_step} if spacings.size == 1 else {}
