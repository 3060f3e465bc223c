"""Times of files that users bring: in model time units, or in physical units with or without a date.

A study says how long one model time unit (MTU) is, as ``time_unit: "6 hours"``. Times with a date are then counted from
the first observation time; durations are divided. Nothing is guessed: physical times without a stated unit are refused.
"""

import re
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn.errors import FileError

SECONDS = {"microsecond": 1e-6, "millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
SHORT = {
    **{"us": "microsecond", "microsec": "microsecond", "ms": "millisecond", "msec": "millisecond", "s": "second"},
    **{"sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day"},
}
MODEL = {"", "1", "mtu", "mtus", "model time unit", "model time units", "model_time_unit", "model_time_units"}
"""Spellings of the model time unit, in lower case."""

REFERENCE, CALENDAR, UNIT = "time_reference", "time_calendar", "time_unit_seconds"
"""Attributes of observations that had dates: that of time 0, its calendar, and the length of one MTU."""


class Clock(NamedTuple):
    """How physical times become model times.

    Attributes
    ----------
    unit : float or None
        Seconds in one MTU.
    reference, calendar : str or None
        Date of time 0; None if the first time of the file is to be it.
    """

    unit: float | None = None
    reference: str | None = None
    calendar: str | None = None

    @property
    def attributes(self) -> dict[str, Any]:
        """What a file says of it."""
        told = {REFERENCE: self.reference, CALENDAR: self.calendar, UNIT: self.unit}
        return {name: value for name, value in told.items() if value is not None}


def clock_of(observations: xr.Dataset) -> Clock:
    """The clock that observations were brought in with."""
    unit = observations.attrs.get(UNIT)
    reference, calendar = (observations.attrs.get(name) for name in (REFERENCE, CALENDAR))
    return Clock(None if unit is None else float(unit), reference, calendar)


def seconds_of(duration: str) -> float:
    """Seconds of a duration such as "6 hours" or "0.5 days".

    Raises
    ------
    ValueError
        If it is not a positive number and a unit of time.
    """
    match = re.fullmatch(r"\s*([0-9.eE+-]+)?\s*([A-Za-z]+)\s*", duration)
    unit = _unit(match.group(2)) if match else None
    try:
        number = float(match.group(1) or 1) if match else np.nan
    except ValueError:
        number = np.nan
    if unit is None or not (np.isfinite(number) and number > 0):
        units = ", ".join(f"{name}s" for name in SECONDS)
        raise ValueError(f'expected a number and a unit, as "6 hours"; units are {units}')
    return number * SECONDS[unit]


def _unit(name: str) -> str | None:
    """The name of a unit of time in :data:`SECONDS`, however it is written; None if it is not one."""
    lower = name.lower()
    singular = lower[:-1] if lower.endswith("s") and lower not in SHORT else lower
    found = SHORT.get(lower, SHORT.get(singular, singular))
    return found if found in SECONDS else None


def model_times(time: xr.Variable, clock: Clock, time_step: float | None) -> tuple[np.ndarray, Clock]:
    """Times in MTU, and the clock with the reference that was found.

    Parameters
    ----------
    time : Variable (time,)
    clock : Clock
    time_step : float or None
        Step of the model in MTU: times in single precision are brought to the multiple that they stand for.

    Raises
    ------
    FileError
        If the times are not numbers, or are in physical units and the study does not say how long one MTU is.
    """
    if time.ndim != 1:
        raise FileError(f"time must have one dimension; it has {', '.join(map(str, time.dims)) or 'none'}")
    if time.dtype.kind not in "fiu":
        raise FileError(f"time must hold numbers, in MTU or with a unit; it holds {_kind(time)}")
    units = str(time.attrs.get("units", "")).strip()
    values = time.values.astype(float)
    if units.lower() in MODEL:
        return _from_single(values, time.dtype, time_step), clock
    unit_length = clock.unit
    if unit_length is None:
        raise FileError(
            f"time is in {units!r}: say how long one model time unit is, as `data: {{time_unit: 6 hours}}` (option "
            "--time-unit of the verb), or bring times in MTU"
        )
    word, _, since = units.partition(" since ")
    unit = _unit(word.strip())
    if unit is None:
        raise FileError(f"time is in {units!r}, no unit of a fixed length: use days, hours, minutes or seconds")
    seconds = values * SECONDS[unit]
    if since:
        seconds, clock = _from_reference(seconds, time, since.strip(), clock)
    elif clock.reference is not None:
        raise FileError(f"time is in {units!r} without a date; the observations count from {clock.reference}")
    return _from_single(seconds / unit_length, time.dtype, time_step), clock


def _from_reference(seconds: np.ndarray, time: xr.Variable, since: str, clock: Clock) -> tuple[np.ndarray, Clock]:
    """Seconds after the reference of the clock, by default the first time."""
    import cftime

    calendar = str(time.attrs.get("calendar", "standard")).lower()
    units, finite = f"seconds since {since}", seconds[np.isfinite(seconds)]
    try:
        if clock.reference is None:
            first = cftime.num2date(finite.min() if finite.size else 0.0, units, calendar)
            clock = clock._replace(reference=first.isoformat(sep=" "), calendar=calendar)
            return seconds - (finite.min() if finite.size else 0.0), clock
        if cftime.num2date(0, units, calendar).calendar != cftime.num2date(0, units, clock.calendar).calendar:
            raise FileError(f"time has the calendar {calendar!r}, the observations have {clock.calendar!r}")
        start = cftime.date2num(cftime.num2date(0, f"seconds since {clock.reference}", calendar), units, calendar)
    except (ValueError, OverflowError, TypeError) as error:
        told = f"{time.attrs.get('units')!r}, calendar {calendar!r}"
        raise FileError(f"the dates of time cannot be read ({told}): {error}") from error
    return seconds - float(start), clock


def _from_single(times: np.ndarray, dtype: np.dtype, time_step: float | None) -> np.ndarray:
    """Times that were kept in single precision, at the multiples of the time step that they stand for."""
    if time_step is None or dtype.kind != "f" or dtype.itemsize > 4:
        return times
    with np.errstate(invalid="ignore"):
        steps = np.rint(times / time_step)
        rounding = np.abs(times) * np.finfo(np.float32).eps / time_step
    if (rounding > 0.25).any():
        first = times[np.argmax(rounding > 0.25)]
        raise FileError(
            f"time is kept in single precision, which at {first:g} MTU cannot tell steps of {time_step:g} MTU apart: "
            "keep it in double precision"
        )
    return np.where(np.abs(times / time_step - steps) <= rounding, steps * time_step, times)


def _kind(variable: xr.Variable) -> str:
    return "text" if variable.dtype.kind in "OSU" else str(variable.dtype)
