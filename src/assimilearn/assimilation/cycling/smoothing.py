"""The loop of smoothers with a fixed lag: each observation also improves the analyses of the times before it.

Evensen & van Leeuwen (2000), Mon. Wea. Rev. 128, 1852-1867: the ensemble Kalman filter of the state augmented by those
of the last ``lag`` observation times. The past members take the same weights as the present ones: no model is run
backwards, no adjoint is needed. A rotation turns the augmented ensemble as a whole, since members must stay together;
inflation and relaxation act on the present alone: repeated at every later time they would let the past grow in
directions that no observation corrects, to a larger error and far too large a spread.

The memory of a model stands after the sites and times: a global update moves it with the present, by the covariances, a
local one leaves it as it is. That of the past is of no use to anything, and is not kept.

Analyses are those of the smoother: given the observations up to ``lag`` times later. The forecasts are the filter's.
"""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from pydantic import Field

from assimilearn.assimilation.algebra.rotations import rotate
from assimilearn.assimilation.algebra.small import centre, recompose
from assimilearn.assimilation.cycling.forecasting import forecast_model
from assimilearn.assimilation.cycling.inflation import rotation_numbers
from assimilearn.assimilation.cycling.model_error import model_error_std
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import at_sites_alone, forecast, inflate_members, write_members
from assimilearn.assimilation.cycling.stepwise import stepwise
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import EnsembleSettings

AugmentedUpdate = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], None]
"""update(Z (member, time and site + memory), Y (member, observation), y, variance, sites (observation,)): in place."""


class LaggedSettings(EnsembleSettings):
    """Settings of smoothers with a fixed lag."""

    models_with_memory: ClassVar[bool] = True

    lag: int = Field(10, ge=0, description="observation times after its own that improve an analysis")


def run_smoother(
    problem: Problem, settings: LaggedSettings, update: AugmentedUpdate, rng: np.random.Generator
) -> Record:
    """Cycle the augmented ensemble: its first block is the present, the others go back in time."""
    start_rng, model_rng, _, rotation_rng = rng.spawn(4)
    model, error_std = forecast_model(problem.model, settings), model_error_std(settings, problem.model)
    n, lag, last = problem.model.size, settings.lag, problem.times.size - 1
    states = n * (lag + 1)
    with stepwise(problem, settings, start_rng) as run:
        E = run.first
        Z = np.hstack([*[E[:, :n]] * (lag + 1), E[:, n:]])  # blocks of times before the first are never read
        for k in run.times:
            Z[:, n:states] = Z[:, : states - n].copy()
            forecast(model, E, int(problem.steps[k]), error_std, model_rng)
            Z[:, :n], Z[:, states:] = E[:, :n], E[:, n:]
            y, r, sites = run.observations(k, E)
            if sites.size > 0:
                update(Z, problem.observation.see(at_sites_alone(E, n), r, sites), y, r, sites)
                Z = inflated(Z, E, settings, rotation_rng.standard_normal(rotation_numbers(settings)), n)
            E = np.hstack([Z[:, :n], Z[:, states:]])
            run.go_on(k, np.isfinite(E).all())
            if k >= lag:
                write_members(run.record, run.keep, k - lag, Z[:, states - n : states])
        for behind in range(min(lag, last + 1)):
            write_members(run.record, run.keep, last - behind, Z[:, behind * n : (behind + 1) * n])
    return run.record


def inflated(Z: np.ndarray, prior: np.ndarray, settings: LaggedSettings, noise: np.ndarray, n: int) -> np.ndarray:
    """Z with its present relaxed, inflated and rotated, and its past turned by the same rotation.

    ``prior (member, site + memory)`` is the forecast ensemble, n the number of sites.
    """
    states = Z.shape[1] - (prior.shape[1] - n)
    present, past = np.hstack([Z[:, :n], Z[:, states:]]), Z[:, n:states].copy()
    inflate_members(present, prior, settings, noise, n)
    if noise.size > 0 and past.size > 0:
        mean = centre(past)
        rotate(past, noise)
        recompose(past, mean, 1.0)
    return np.hstack([present[:, :n], past, present[:, n:]])
