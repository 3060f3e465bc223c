"""The loop over the observation times in Python, written once for methods that the compiled cycle has no room for.

A particle filter carries weights, a smoother its past, a hybrid a second covariance: none fits the signature of an
update. A method says what is its own, this loop does the rest, with the compiled kernels of
:mod:`assimilearn.assimilation.stepping`: the first time, the forecast's moments and innovations, what is kept, and the
end of a run that has left the states.
"""

from abc import ABC, abstractmethod
from functools import partial

import numpy as np

from assimilearn.assimilation.filtering import Filter, check_limit, first_analysis, give_up, kept_times
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record, empty_record
from assimilearn.assimilation.settings import CycledSettings, MemberSettings
from assimilearn.assimilation.start import first_ensemble, first_state
from assimilearn.assimilation.stepping import (
    keep_forecast,
    moments_of,
    observations_at,
    predicted_by,
    write_forecast,
)

Moments = tuple[np.ndarray, np.ndarray]
"""Mean and variance."""


class Stepwise(ABC):
    """One run of a method.

    Attributes
    ----------
    problem : Problem
    record : Record
    keep : ndarray (time,)
        Nonzero where the ensemble is kept.
    present : ndarray (member, site)
        The ensemble, or the one state, of the time that the loop has come to; at first the analysis of the first time.
    """

    def __init__(self, problem: Problem, settings: CycledSettings, rng: np.random.Generator):
        """Write the first time; ``rng`` draws the first ensemble."""
        self.problem, self.record = problem, empty_record(problem)
        self.keep, self._limit = kept_times(settings, problem.period), check_limit(settings)
        many = isinstance(settings, MemberSettings)
        start = partial(first_ensemble, members=settings.members) if many else first_state
        first = Filter(None, np.empty(0), start)
        self.present = first_analysis(problem, first, settings, self.record, rng, self.keep)

    def run(self) -> Record:
        """Go through the observation times after the first."""
        for k in range(1, self.problem.times.size):
            self.forecast(k)
            mean, variance = self.moments(k)
            if not write_forecast(self.record, k, mean, variance):
                give_up(self.record, k)
                return self.record
            if self.keep[k]:
                keep_forecast(self.record, self.keep, k, self.equal_members())
            predicted = self.predicted(k)
            observations = observations_at(self.problem, self.record, k, mean, variance, self._limit, predicted)
            if not self.analyse(k, *observations):
                give_up(self.record, k)
                return self.record
        self.finish()
        return self.record

    @abstractmethod
    def forecast(self, k: int) -> None:
        """Advance from the time before to time k."""

    @abstractmethod
    def analyse(self, k: int, y: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> bool:
        """Update with the observations of time k, each (observation,), and write; False if the mean is no state."""

    def moments(self, k: int) -> Moments:
        """Of the forecast of time k, each (site,)."""
        return moments_of(self.present)

    def predicted(self, k: int) -> Moments | None:
        """Of the observations of time k, each (observation,); None where they are those of the observed sites."""
        return predicted_by(self.problem, self.present, k)

    def equal_members(self) -> np.ndarray:
        """Members of equal weight (member, site) that stand for the forecast where it is kept."""
        return self.present

    def finish(self) -> None:
        """Write what is still to be written after the last time."""
