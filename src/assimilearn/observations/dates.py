"""Times of files that users bring: in model time units, or in physical units with or without a date.

A study says how long one model time unit (MTU) is, as ``time_unit: "6 hours"`` or ``"1 month"``. Times with a date are
then counted from the first observation time; durations are divided. Months are those of the calendar: a time is the
number of months since that of the first, whatever the day. Nothing is guessed: physical times without a stated unit are
refused. Files keep the date of time 0, its calendar and the unit, and with them ``date(time)``.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn.errors import FileError

SECONDS = {"microsecond": 1e-6, "millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
SECONDS["week"] = 7 * SECONDS["day"]
MONTHS_OF = {"month": 1, "year": 12}
SHORT = {
    **{"us": "microsecond", "microsec": "microsecond", "ms": "millisecond", "msec": "millisecond", "s": "second"},
    **{"sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day"},
}
MODEL = {"", "1", "mtu", "mtus", "model time unit", "model time units", "model_time_unit", "model_time_units"}
"""Spellings of the model time unit, in lower case."""

REFERENCE, CALENDAR, UNIT, MONTHS = "time_reference", "time_calendar", "time_unit_seconds", "time_unit_months"
"""Attributes of files that had dates: that of time 0, its calendar, and the length of one MTU, in seconds or months."""


class Duration(NamedTuple):
    """A length of time.

    Attributes
    ----------
    seconds : float or None
    months : int or None
        Of the calendar; one of the two is given.
    """

    seconds: float | None = None
    months: int | None = None


class Clock(NamedTuple):
    """How physical times become model times.

    Attributes
    ----------
    unit : float or None
        Seconds in one MTU.
    reference, calendar : str or None
        Date of time 0; None if the first time of the file is to be it.
    months : int or None
        Calendar months in one MTU, instead of seconds.
    """

    unit: float | None = None
    reference: str | None = None
    calendar: str | None = None
    months: int | None = None

    @classmethod
    def counting(cls, time_unit: str | None) -> "Clock":
        """The clock whose MTU is ``time_unit``, as "6 hours"; it takes MTU alone without one."""
        length = Duration() if time_unit is None else duration_of(time_unit)
        return cls(length.seconds, months=length.months)

    @property
    def attributes(self) -> dict[str, Any]:
        """What a file says of it."""
        told = {REFERENCE: self.reference, CALENDAR: self.calendar, UNIT: self.unit, MONTHS: self.months}
        return {name: value for name, value in told.items() if value is not None}

    @property
    def label(self) -> str:
        """The unit of its times, for the axes of figures: "h", "days", "6 h", ... and "MTU" where none is known."""
        if self.months is not None:
            return {1: "months", 12: "years"}.get(self.months, f"{self.months} months")
        if self.unit is None:
            return "MTU"
        for name, text in (("day", "days"), ("hour", "h"), ("minute", "min"), ("second", "s")):
            count = self.unit / SECONDS[name]
            if count >= 1 or name == "second":
                return text if count == 1 else f"{count:g} {text}"
        return "MTU"

    def dates(self, times: np.ndarray) -> np.ndarray:
        """The dates of ``times`` in MTU, (time,), cftime objects of its calendar; it must have a reference."""
        import cftime

        if self.months is None:
            found = cftime.num2date(
                np.asarray(times) * (self.unit or 1.0), f"seconds since {self.reference}", self.calendar
            )
            return np.atleast_1d(found)
        first = cftime.num2date(0, f"seconds since {self.reference}", self.calendar)
        months = first.month - 1 + np.rint(np.atleast_1d(times) * self.months).astype(int)
        dates = [cftime.datetime(first.year + m // 12, m % 12 + 1, 1, calendar=first.calendar) for m in months.tolist()]
        return np.array(dates)

    def coordinates(self, times: np.ndarray, dim: str = "time", name: str = "date") -> dict[str, Any]:
        """``date(time)``, in days since the reference, for files with these ``times``; nothing without a reference.

        ``dim`` and ``name`` are those of the dimension and the coordinate.
        """
        if self.reference is None:
            return {}
        import cftime

        units = f"days since {self.reference}"
        days = (
            cftime.date2num(self.dates(times), units, self.calendar)
            if self.months
            else times * (self.unit or 1.0) / 86400.0
        )
        attributes = {"units": units, "calendar": self.calendar, "long_name": "date", "standard_name": "time"}
        return {name: (dim, np.asarray(days, dtype=float), attributes)}


MODEL_TIME = Clock()
"""Times in MTU, without dates."""


def clock_of(attributes: Mapping[Any, Any]) -> Clock:
    """The clock that the attributes of a file tell."""
    unit, months = (attributes.get(name) for name in (UNIT, MONTHS))
    reference, calendar = (attributes.get(name) for name in (REFERENCE, CALENDAR))
    return Clock(None if unit is None else float(unit), reference, calendar, None if months is None else int(months))


def duration_of(text: str) -> Duration:
    """A duration such as "6 hours", "0.5 days" or "1 month".

    Raises
    ------
    ValueError
        If it is not a positive number and a unit of time, or a part of a month.
    """
    match = re.fullmatch(r"\s*([0-9.eE+-]+)?\s*([A-Za-z]+)\s*", text)
    name = match.group(2).lower().removesuffix("s") if match else ""
    unit = _unit(match.group(2)) if match else None
    try:
        number = float(match.group(1) or 1) if match else np.nan
    except ValueError:
        number = np.nan
    positive = bool(np.isfinite(number) and number > 0)
    if name in MONTHS_OF and positive and number == int(number):
        return Duration(months=int(number) * MONTHS_OF[name])
    if unit is None or not positive:
        units = ", ".join(f"{name}s" for name in (*SECONDS, *MONTHS_OF))
        raise ValueError(f'expected a number and a unit, as "6 hours"; units are {units}')
    return Duration(seconds=number * SECONDS[unit])


OF_DATES = {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"}
"""Attributes of times that :func:`seconds_of_dates` gives."""


def seconds_of_dates(texts: Iterable[str]) -> np.ndarray:
    """Seconds since 1970-01-01 of dates as ISO 8601 writes them, "2013-01-01T06:00:00Z" or "2013-01-01".

    Raises
    ------
    FileError
        If one cannot be read.
    """
    start = datetime(1970, 1, 1, tzinfo=UTC)
    seconds = []
    for text in texts:
        try:
            date = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise FileError(
                f"the date {text.strip()!r} cannot be read: write it as 2013-01-31 or 2013-01-31T06:00"
            ) from error
        seconds.append(((date if date.tzinfo else date.replace(tzinfo=UTC)) - start).total_seconds())
    return np.array(seconds)


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
    if time.dtype.kind in "OU":
        time = xr.Variable(time.dims, seconds_of_dates(map(str, time.values)), OF_DATES)
    if time.dtype.kind not in "fiu":
        raise FileError(f"time must hold numbers, in MTU or with a unit, or dates as text; it holds {time.dtype}")
    units = str(time.attrs.get("units", "")).strip()
    values = time.values.astype(float)
    if units.lower() in MODEL:
        return _from_single(values, time.dtype, time_step), clock
    if clock.unit is None and clock.months is None:
        raise FileError(
            f"time is in {units!r}: say how long one model time unit is, as `data: {{time_unit: 6 hours}}`, or bring "
            "times in MTU"
        )
    word, _, since = units.partition(" since ")
    unit = _unit(word.strip())
    if clock.months is not None and since and word.strip().lower().removesuffix("s") in MONTHS_OF:
        return _from_months(values, word, time, since.strip(), clock)
    if unit is None:
        raise FileError(f"time is in {units!r}, no unit of a fixed length: use days, hours, minutes or seconds")
    seconds = values * SECONDS[unit]
    if clock.months is not None:
        return _in_months(seconds, time, since.strip(), clock)
    if since:
        seconds, clock = _from_reference(seconds, time, since.strip(), clock)
    elif clock.reference is not None:
        raise FileError(f"time is in {units!r} without a date; the observations count from {clock.reference}")
    return _from_single(seconds / (clock.unit or 1.0), time.dtype, time_step), clock


def _from_months(
    values: np.ndarray, word: str, time: xr.Variable, since: str, clock: Clock
) -> tuple[np.ndarray, Clock]:
    """The same of times that are given as months or years since a date."""
    import cftime

    calendar = str(time.attrs.get("calendar", "standard")).lower()
    try:
        first = cftime.num2date(0, f"days since {since}", calendar)
        count = np.floor(values * MONTHS_OF[word.strip().lower().removesuffix("s")] + 1e-6).astype(int)
        months = (first.month - 1 + count).tolist()
        dates = [cftime.datetime(first.year + m // 12, m % 12 + 1, 1, calendar=first.calendar) for m in months]
        seconds = cftime.date2num(dates, f"seconds since {since}", calendar)
    except (ValueError, OverflowError, TypeError) as error:
        raise FileError(f"the dates of time cannot be read ({time.attrs.get('units')!r}): {error}") from error
    return _in_months(np.asarray(seconds, dtype=float), time, since, clock)


def _in_months(seconds: np.ndarray, time: xr.Variable, since: str, clock: Clock) -> tuple[np.ndarray, Clock]:
    """Calendar months since the month of the reference of the clock, by default that of the first time, in MTU."""
    import cftime

    if not since:
        raise FileError(f"time is in {time.attrs.get('units')!r} without a date, and months need one")
    calendar = str(time.attrs.get("calendar", "standard")).lower()
    try:
        dates = cftime.num2date(seconds, f"seconds since {since}", calendar)
        if clock.reference is None:
            first = cftime.datetime(dates[0].year, dates[0].month, 1, calendar=dates[0].calendar)
            clock = clock._replace(reference=first.isoformat(sep=" "), calendar=calendar)
        first = cftime.num2date(0, f"seconds since {clock.reference}", clock.calendar)
    except (ValueError, OverflowError, TypeError, IndexError) as error:
        told = f"{time.attrs.get('units')!r}, calendar {calendar!r}"
        raise FileError(f"the dates of time cannot be read ({told}): {error}") from error
    months = [12 * (date.year - first.year) + date.month - first.month for date in dates]
    return np.array(months, dtype=float) / (clock.months or 1), clock


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
