"""Axes of time: dates where a record has them, else model time in the unit of the study."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.observations.dates import Clock, clock_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DAY, MONTH = 86400.0, 30 * 86400.0  # seconds


def unit(datasets: xr.Dataset | Iterable[xr.Dataset]) -> str:
    """The unit of times and leads in files of one study, for labels: "MTU", "h", "days", "months" ..."""
    first = datasets if isinstance(datasets, xr.Dataset) else next(iter(datasets), xr.Dataset())
    return clock_of(first.attrs).label


def date_axis(axes: "Axes", dataset: xr.Dataset) -> None:
    """Label the horizontal axis, which shows ``time`` of a file: with dates where it has them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter

    clock = clock_of(dataset.attrs)
    if clock.reference is None:
        axes.set_xlabel(f"Time ({clock.label})")
        return
    low, high = axes.get_xlim()
    ticks = date_ticks(clock, low, high)
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    written = FuncFormatter(lambda value, _: ticks[min(ticks, key=lambda tick: abs(tick - value))])
    axes.xaxis.set_major_formatter(written)
    axes.set_xlabel("")


def moment(dataset: xr.Dataset) -> str:
    """The one ``time`` of a file in words."""
    clock, time = clock_of(dataset.attrs), float(dataset["time"])
    if clock.reference is None:
        return f"{time:g} {clock.label}"
    return f"{clock.dates(np.array([time]))[0]:%Y-%m-%d %H:%M}"


def date_ticks(clock: Clock, low: float, high: float, count: int = 5) -> dict[float, str]:
    """About ``count`` times between ``low`` and ``high`` in MTU at which a year, month, day or hour begins.

    Returns
    -------
    {time in MTU: text}; the text of the first, and where a day, month or year is new, tells more than the others.
    """
    inside = np.linspace(low, high, 2000)
    dates = clock.dates(inside)
    span = (dates[-1] - dates[0]).total_seconds()
    _, begins, text = next((step for step in STEPS if span / step[0] <= 1.5 * count), STEPS[-1])
    found: dict[float, str] = {}
    for k in range(1, len(dates)):
        if begins(dates[k]) != begins(dates[k - 1]):
            found[float(inside[k])] = text(dates[k])
    return found or {float(inside[0]): f"{dates[0]:%Y-%m-%d %H:%M}"}


def _hours(step: int) -> tuple[float, Any, Any]:
    return 3600.0 * step, lambda d: (d.year, d.month, d.day, d.hour // step), lambda d: f"{d:%Y-%m-%d}\n{d:%H}:00"


def _days(step: int) -> tuple[float, Any, Any]:
    return DAY * step, lambda d: (d.year, d.month, (d.day - 1) // step), lambda d: f"{d:%Y-%m-%d}"


def _months(step: int) -> tuple[float, Any, Any]:
    return MONTH * step, lambda d: (d.year, (d.month - 1) // step), lambda d: f"{d:%Y-%m}"


def _years(step: int) -> tuple[float, Any, Any]:
    return 12 * MONTH * step, lambda d: d.year // step, lambda d: f"{d.year:04d}"


STEPS = (
    *map(_hours, (1, 3, 6, 12)),
    *map(_days, (1, 2, 5, 10)),
    *map(_months, (1, 3, 6)),
    *map(_years, (1, 2, 5, 10, 20, 50, 100)),
)
"""Seconds from one tick to the next, what is new at one, and its text; from short to long."""
