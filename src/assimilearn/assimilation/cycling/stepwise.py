"""What loops over the observation times in Python have in common, written once.

A particle filter carries weights, a smoother its past, a hybrid a second covariance: none fits the signature of an
update, so none can use the compiled cycle. Their loops are their own; this is the first time, the forecast as it is
written and kept, the observations that pass, and the end of a run that has left the states:

    with stepwise(problem, settings, rng) as run:
        E = run.first
        for k in run.times:
            forecast(problem.model, E, int(problem.steps[k]))
            y, variance, sites = run.observations(k, E)
            ...
            run.go_on(k, write_members(run.record, run.keep, k, E))
    return run.record
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from assimilearn.assimilation.cycling.divergence import give_up
from assimilearn.assimilation.cycling.record import Record, empty_record, kept_times
from assimilearn.assimilation.cycling.screening import check_limit
from assimilearn.assimilation.cycling.start import Start, first_analysis, first_ensemble, first_state
from assimilearn.assimilation.cycling.stepping import (
    at_sites_alone,
    keep_forecast,
    moments_of,
    observations_at,
    predicted_by,
    write_forecast,
)
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import CycledSettings
from assimilearn.models.protocol import with_memory

Moments = tuple[np.ndarray, np.ndarray]
"""Mean and variance."""


class Diverged(Exception):
    """The run has left the states at the time index that is its argument."""


@dataclass(frozen=True)
class Stepwise:
    """A run under way.

    Attributes
    ----------
    problem : Problem
    record : Record
    keep : ndarray (time,)
        Nonzero where the ensemble is kept.
    limit : float
        Standard deviations beyond which an observation is rejected.
    first : ndarray (row, site + memory)
        The analysis of the first time: the ensemble, or the one state of a method that has no members; with the memory
        of a forecast that begins there.
    """

    problem: Problem
    record: Record
    keep: np.ndarray
    limit: float
    first: np.ndarray

    @property
    def times(self) -> range:
        """Indices of the observation times after the first."""
        return range(1, self.problem.times.size)

    def observations(
        self, k: int, E: np.ndarray, moments: Moments | None = None, predicted: Moments | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Write the forecast of time k and its innovations; y, variance and sites of the observations to be used.

        Parameters
        ----------
        E : ndarray (member, site + memory)
            The forecast, kept where it is to be.
        moments, predicted : each (site,) and (observation,)
            Those of the forecast, and of what it expects of the observations; by default those of E.

        Raises
        ------
        Diverged
            If the mean is no state.
        """
        E = at_sites_alone(E, self.problem.model.size)
        mean, variance = moments_of(E) if moments is None else moments
        self.go_on(k, write_forecast(self.record, k, mean, variance))
        keep_forecast(self.record, self.keep, k, E)
        if predicted is None:
            predicted = predicted_by(self.problem, E, k)
        return observations_at(self.problem, self.record, k, mean, variance, self.limit, predicted)

    def go_on(self, k: int, sound: bool) -> None:
        """Raise Diverged unless the analysis of time k is ``sound``."""
        if not sound:
            raise Diverged(k)


@contextmanager
def stepwise(
    problem: Problem, settings: CycledSettings, rng: np.random.Generator, size: int | None = None
) -> Iterator[Stepwise]:
    """Write the first time, whose ensemble ``rng`` draws; if the run diverges, leave the block and mark the record.

    ``size`` is that of the ensemble, 1 for one state; by default what the settings say.
    """
    size = settings.ensemble_size if size is None else size
    start: Start = first_state if size == 1 else partial(first_ensemble, members=size)
    record, keep = empty_record(problem), kept_times(settings, problem.period)
    first = first_analysis(problem, settings, start, record, rng)
    try:
        yield Stepwise(problem, record, keep, check_limit(settings), with_memory(problem.model, first))
    except Diverged as diverged:
        give_up(record, *diverged.args)
