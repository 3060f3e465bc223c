"""The seasonal and the diurnal cycle of a record: harmonics fitted to its training period, one set for each site.

The cycle of site i at a time with the phases a (share of the year) and d (share of the day) is

    sum_k p_k cos(2 pi k a) + q_k sin(2 pi k a) + sum_k r_k cos(2 pi k d) + s_k sin(2 pi k d)

fitted together with a mean, by least squares to the values of the training period, where a site has any. The mean
stays in the values. Files keep the cycle at their times, ``seasonal_cycle(time, site)``: what was observed is the sum.
"""

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from assimilearn.errors import FileError
from assimilearn.settings import Settings

VARIABLE = "seasonal_cycle"
SHORTEST = 0.5  # of a year: of less, the harmonics of the year cannot be told from the mean


class SeasonalCycle(Settings):
    """Cycles that are taken out of a record."""

    harmonics: int = Field(2, ge=0, le=20, description="number of harmonics of the year")
    diurnal: int = Field(0, ge=0, le=12, description="number of harmonics of the day")

    @model_validator(mode="after")
    def _something(self) -> "SeasonalCycle":
        if not self.harmonics and not self.diurnal:
            raise ValueError("harmonics: without any there is no cycle to remove; leave `seasonal_cycle` out")
        return self


def phases(dates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the year and of the day that has gone by at ``dates (time,)``, in the calendar of the dates."""
    year, day = [], []
    for date in dates:
        begin = type(date)(date.year, 1, 1, **_calendar(date))
        end = type(date)(date.year + 1, 1, 1, **_calendar(date))
        year.append((date - begin) / (end - begin))
        day.append((date.hour * 3600 + date.minute * 60 + date.second + date.microsecond * 1e-6) / 86400)
    return np.array(year), np.array(day)


def _calendar(date: Any) -> dict[str, Any]:
    """The keyword that makes another date of the same calendar; dates of a class for each calendar need none."""
    return {"calendar": date.calendar} if type(date).__name__ == "datetime" else {}


def harmonics(dates: np.ndarray, settings: SeasonalCycle) -> np.ndarray:
    """The cosines and sines at ``dates (time,)``, (time, harmonic)."""
    year, day = phases(dates)
    columns = [f(2 * np.pi * k * year) for k in range(1, settings.harmonics + 1) for f in (np.cos, np.sin)]
    columns += [f(2 * np.pi * k * day) for k in range(1, settings.diurnal + 1) for f in (np.cos, np.sin)]
    return np.stack(columns, axis=1)


def fitted_cycle(values: np.ndarray, dates: np.ndarray, training: np.ndarray, settings: SeasonalCycle) -> np.ndarray:
    """The cycle of every site at all times, (time, site).

    Parameters
    ----------
    values : ndarray (time, site)
        NaN where nothing was observed.
    dates : ndarray (time,)
        cftime objects.
    training : ndarray (time,), bool
        Times that the cycle is fitted to.
    settings : SeasonalCycle

    Raises
    ------
    FileError
        If the training period is shorter than half a year and harmonics of the year are asked for, or a site has
        fewer values in it than there are numbers to fit.
    """
    span = (dates[training][-1] - dates[training][0]).total_seconds() / (365.25 * 86400)
    if settings.harmonics and span < SHORTEST:
        raise FileError(
            f"the training period lasts {span:.2f} years: harmonics of the year cannot be told from its mean; "
            "lengthen it, or set `seasonal_cycle: {harmonics: 0, diurnal: 2}`"
        )
    waves = harmonics(dates, settings)
    design = np.column_stack([np.ones(len(waves)), waves])
    cycle = np.zeros(values.shape)
    for site in range(values.shape[1]):
        seen = training & np.isfinite(values[:, site])
        if not seen.any():
            continue  # a site that is never observed in training has no cycle to be removed
        if seen.sum() <= design.shape[1]:
            raise FileError(
                f"site {site} has {seen.sum()} values in the training period: too few for its seasonal cycle"
            )
        coefficients = np.linalg.lstsq(design[seen], values[seen, site])[0]
        cycle[:, site] = waves @ coefficients[1:]
    return cycle
