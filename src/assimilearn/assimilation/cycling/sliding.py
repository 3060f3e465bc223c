"""The loop of iterative smoothers: a window slides over the observation times, and its start is analysed anew.

The window reaches from the observation time s to the newest, s + ``lag``, and only the newest observations enter, since
the older ones are in the ensemble at s already (Bocquet & Sakov 2014, Q. J. R. Meteorol. Soc. 140, 1521-1535: shift 1
and single data assimilation). The forecast that a window ends with is the first guess of the next.

A record at time k is the estimate from observations up to time k (``estimate`` "filter"), the end of a window, or up to
time k + ``lag`` ("smoother"), its start; what is called forecast is always that of the filter. Analysis moments are
those of the ensemble that is carried on, after inflation. The model is taken as perfect.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from assimilearn.assimilation.cycling.inflation import rotation_numbers
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import forecast, inflate_members, write_members
from assimilearn.assimilation.cycling.stepwise import stepwise
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import InflationSettings, MemberSettings

Analyse = Callable[[np.ndarray, np.ndarray, int, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""analyse(E, newest, steps, y, variance, sites): the analysis ensemble (member, site) at the start of the window.

E and newest (member, site) are the ensemble there and its forecast at the end, ``steps`` model steps later, where the
observations y, variance and sites (observation,) are.
"""


class SlidingSettings(InflationSettings, MemberSettings):
    """Settings of smoothers whose window slides."""

    lag: int = Field(1, ge=1, description="length of the window in observation times")
    iterations: int = Field(10, ge=1, description="largest number of iterations")
    tolerance: float = Field(
        1e-3, gt=0, description="stop when the step, in standard deviations of the ensemble, is shorter than this"
    )
    estimate: Literal["filter", "smoother"] = Field(
        "filter", description="estimate each time from observations up to it, or up to lag observation times later"
    )


def run_sliding(problem: Problem, settings: SlidingSettings, analyse: Analyse, rng: np.random.Generator) -> Record:
    """Slide the window over the observation times."""
    start_rng, rotation_rng = rng.spawn(2)
    clock, last = np.cumsum(problem.steps), problem.times.size - 1
    with stepwise(problem, settings, start_rng) as run:
        s, E, newest = 0, run.first, run.first.copy()
        for k in run.times:
            if k - s > settings.lag:
                s += 1
                forecast(problem.model, E, int(problem.steps[s]))
            forecast(problem.model, newest, int(problem.steps[k]))
            y, r, sites = run.observations(k, newest)
            if sites.size > 0:
                steps = int(clock[k] - clock[s])
                prior, E = E, analyse(E, newest, steps, y, r, sites)
                inflate_members(
                    E, prior, settings, rotation_rng.standard_normal(rotation_numbers(settings)), E.shape[1]
                )
                newest = E.copy()
                forecast(problem.model, newest, steps)
            if settings.estimate == "filter":
                run.go_on(k, write_members(run.record, run.keep, k, newest))
            elif k - s == settings.lag:
                write_members(run.record, run.keep, s, E)
        while settings.estimate == "smoother" and s < last:
            s += 1
            forecast(problem.model, E, int(problem.steps[s]))
            write_members(run.record, run.keep, s, E)
    return run.record
