"""Linear interpolation in time, site by site, of the observations alone. No model; the baseline of learning from data.

Between two observations of a site the analysis is the straight line; before the first and after the last it is held.
Its variance is that of a stationary process with the climatological variance s^2 and autocorrelation rho
(Wiener-Khinchin, from the power spectrum of the climatology file): with weights w_1, w_2 and distances t_1, t_2,

    s^2 (1 + w_1^2 + w_2^2 - 2 w_1 rho(t_1) - 2 w_2 rho(t_2) + 2 w_1 w_2 rho(t_1 + t_2)) + w_1^2 r_1 + w_2^2 r_2

A site that is never observed keeps the climatological mean and spread. There is no forecast: the forecast and
innovation variables are NaN. Values that no state of the climatology explains, more than 50 standard deviations off,
are left out: their number is in ``ignored_values``.
Cost: n times.

With ``order: cubic`` it is a cubic surface in time and space (:mod:`assimilearn.assimilation.background.space_time`),
the start of Brajard et al. (2020), J. Comput. Sci. 44, 101171. Its spread is the error of the observation where there
is one, which it passes through, and that of the climatology elsewhere.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.cycling.divergence import without_impossible
from assimilearn.assimilation.cycling.record import Record, empty_record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class InterpolationSettings(AnalysisSettings):
    """Interpolation of the observations: linear in time, site by site, or cubic in time and space."""

    correlated_errors: ClassVar[bool] = True

    method: Literal["interpolation"] = "interpolation"
    order: Literal["linear", "cubic"] = Field(
        "linear",
        description="linear: in time, site by site. cubic: in time and space together, with larger errors where "
        "neighbours say little of a site",
    )

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if a cubic surface is asked for, and the state is not one field on a ring."""
        if self.order == "cubic" and not geometry.is_ring:
            raise SettingsError("interpolation: a cubic surface needs one field on a ring: take order: linear")


def run(problem: Problem, settings: InterpolationSettings, rng: np.random.Generator) -> Record:
    """Interpolate every site."""
    settings.refuse_unlike(problem.geometry)
    record = empty_record(problem)
    problem, record.ignored = without_impossible(problem)
    record.used[:] = problem.valid
    clock = np.cumsum(problem.steps)
    value, variance = by_site(problem)
    if settings.order == "cubic":
        from assimilearn.assimilation.background.space_time import cubic  # what it imports is slow

        record.mean[:] = cubic(clock, value, problem.background.mean)
        record.spread[:] = np.sqrt(np.where(np.isnan(variance), problem.background.variance, variance))
        return record
    correlation = problem.background.autocorrelation(problem.model.time_step)
    for i in range(problem.model.size):
        seen = np.flatnonzero(~np.isnan(value[:, i]))
        if seen.size == 0:
            record.mean[:, i] = problem.background.mean[i]
            record.spread[:, i] = np.sqrt(problem.background.variance[i])
            continue
        series = value[seen, i], variance[seen, i], clock[seen]
        record.mean[:, i], record.spread[:, i] = interpolate(
            clock, *series, correlation, problem.background.variance[i]
        )
    return record


def by_site(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Observations and error variances laid out by site, (time, site), NaN where a site is not observed."""
    shape = problem.times.size, problem.model.size
    value, variance = np.full(shape, np.nan), np.full(shape, np.nan)
    time, observation = np.nonzero(problem.valid)
    site = problem.sites[time, observation]
    value[time, site] = problem.value[time, observation]
    variance[time, site] = problem.variance[time, observation]
    return value, variance


@njit(cache=True, error_model="numpy")
def interpolate(clock, y, r, observed, correlation, s2):
    """Interpolate one site.

    Parameters
    ----------
    clock, observed : ndarray (time,), (observation,), int64
        Times wanted and times observed, in model steps, rising.
    y, r : ndarray (observation,)
        Observations and their error variances.
    correlation : ndarray (step,)
        Autocorrelation at lags of 0, 1, 2 ... model steps; taken as zero beyond.
    s2 : float
        Climatological variance.

    Returns
    -------
    mean, spread : ndarray (time,)
    """
    mean, spread = np.empty(clock.size), np.empty(clock.size)
    b = 0
    for k in range(clock.size):
        while b < observed.size - 1 and observed[b] < clock[k]:
            b += 1
        a = b if observed[b] <= clock[k] or b == 0 else b - 1
        width = observed[b] - observed[a]
        w2 = (clock[k] - observed[a]) / width if width > 0 else 0.0
        w1 = 1 - w2
        mean[k] = w1 * y[a] + w2 * y[b]
        shape = 1 + w1**2 + w2**2 + 2 * w1 * w2 * at_lag(correlation, width)
        shape -= 2 * w1 * at_lag(correlation, clock[k] - observed[a]) + 2 * w2 * at_lag(
            correlation, observed[b] - clock[k]
        )
        spread[k] = np.sqrt(max(s2 * shape, 0.0) + w1**2 * r[a] + w2**2 * r[b])
    return mean, spread


@njit(cache=True, error_model="numpy")
def at_lag(correlation, lag):
    """The autocorrelation at a lag of any sign, zero beyond the table."""
    return correlation[abs(lag)] if abs(lag) < correlation.size else 0.0
