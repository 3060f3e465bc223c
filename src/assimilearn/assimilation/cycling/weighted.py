"""The loop of the particle filters, whose members carry weights from one time to the next.

The signature of the updates has no room for weights; so these methods do not use the compiled cycle. Forecast and
analysis moments are weighted ones. A member and the memory of its model are one augmented state: they are weighted and
drawn together. Kept ensembles are resampled ones, since a file has no weights.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from assimilearn.assimilation.algebra.weights import systematic, weighted_moments
from assimilearn.assimilation.cycling.forecasting import forecast_model
from assimilearn.assimilation.cycling.model_error import model_error_std
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import at_sites_alone, forecast, write_analysis, write_members
from assimilearn.assimilation.cycling.stepwise import Diverged, stepwise
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import ModelErrorSettings
from assimilearn.observations.observation_model import ObservationModel
from assimilearn.observations.operator_kernels import observed

See = Callable[[np.ndarray], np.ndarray]
"""Members (member, site + memory) as what they would observe (member, observation)."""
Weighted = tuple[np.ndarray, np.ndarray]
"""Members (member, site + memory) and their weights (member,)."""


class Unreachable(Exception):
    """The observations are too far from all members."""


class Update(Protocol):
    """Bayes' rule on weighted members."""

    def __call__(
        self, E: np.ndarray, w: np.ndarray, y: np.ndarray, variance: np.ndarray, see: See, rng: np.random.Generator
    ) -> Weighted:
        """The weighted members, as many as it likes, that the analysis is recorded from.

        Raises
        ------
        Unreachable
            If no member can explain the observations.
        """


def run_weighted(
    problem: Problem,
    settings: ModelErrorSettings,
    rng: np.random.Generator,
    update: Update,
    renewed: Callable[[np.ndarray, np.ndarray, np.random.Generator], Weighted],
) -> Record:
    """Cycle a weighted ensemble.

    Parameters
    ----------
    problem : Problem
    settings : settings of the method
    rng : numpy.random.Generator
    update : callable
        What the observations make of the forecast.
    renewed : callable
        ``renewed(E, w, rng)``: the weighted members that go on, after the analysis is recorded.
    """
    start_rng, model_rng, resampling_rng, keep_rng = rng.spawn(4)
    N, error_std = settings.ensemble_size, model_error_std(settings, problem.model)
    model, operator, n = forecast_model(problem.model, settings), problem.observation.operator, problem.model.size
    with stepwise(problem, settings, start_rng) as run:
        E, w = run.first, np.full(N, 1 / N)
        for k in run.times:
            forecast(model, E, int(problem.steps[k]), error_std, model_rng)
            states = at_sites_alone(E, n)
            predicted = None if operator.direct else weighted_moments(observed(states, problem.sites[k], operator), w)
            kept = E[systematic(w, keep_rng)] if run.keep[k] else E
            y, r, sites = run.observations(k, kept, weighted_moments(states, w), predicted)
            see = partial(seen, observation=problem.observation, variance=r, sites=sites, n=n)
            try:
                E, w = update(E, w, y, r, see, resampling_rng)
            except Unreachable as why:
                raise Diverged(k, str(why)) from why
            if run.keep[k]:
                write_members(run.record, run.keep, k, E[systematic(w, keep_rng, N)])
            run.go_on(k, write_analysis(run.record, k, *weighted_moments(at_sites_alone(E, n), w)))
            E, w = renewed(E, w, resampling_rng)
    return run.record


def seen(E: np.ndarray, observation: ObservationModel, variance: np.ndarray, sites: np.ndarray, n: int) -> np.ndarray:
    """What members E (member, site + memory) of n sites would observe, whitened, (member, observation)."""
    return observation.see(at_sites_alone(E, n), variance, sites)
