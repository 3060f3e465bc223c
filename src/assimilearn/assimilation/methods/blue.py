"""Best linear unbiased estimate with the climatology as background at every time (optimal interpolation).

Gandin (1963); Kalnay (2003), "Atmospheric modeling, data assimilation and predictability", section 5.4: x_a = x_c + K
(y - H x_c), K = B H^T (H B H^T + R)^-1, with x_c and B the climatological mean and covariance. No forecast is made. For
a nonlinear h, H is the straight line that is nearest to it over the climate, which makes the estimate the best linear
one still (:mod:`assimilearn.assimilation.background.expected`). Values that no state of the climatology explains, more
than 50 standard deviations off, are not used: their number is in ``ignored_values``.
Cost: p^3/3 + n p flops.
"""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from assimilearn.assimilation.background.climatology import ClimatologyModel
from assimilearn.assimilation.background.linearized import about_climate, run_linearized
from assimilearn.assimilation.background.static import run_in_blocks, static_update, write_spread
from assimilearn.assimilation.cycling.divergence import without_impossible
from assimilearn.assimilation.cycling.filtering import Filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.start import first_state
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import CycledSettings


class BLUESettings(CycledSettings):
    """Best linear unbiased estimate with a climatological background: no model is run."""

    any_operator: ClassVar[bool] = True
    stochastic_models: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["blue"] = "blue"


def run(problem: Problem, settings: BLUESettings, rng: np.random.Generator) -> Record:
    """Analyse every time on its own. The spread is the square root of the diagonal of (I - K H) B."""
    background = problem.background
    problem, ignored = without_impossible(problem)
    problem = replace(problem, model=ClimatologyModel(background.mean, problem.model.time_step))
    if problem.observation.direct and not background.is_matrix:
        return replace(run_in_blocks(problem, settings, background, 1.0, rng), ignored=ignored)
    B = background.covariance
    if not problem.observation.direct:
        return replace(run_linearized(problem, settings, B, about_climate, rng), ignored=ignored)
    method = Filter(static_update, B.ravel(), first_state, static_variance=background.variance)
    record = run_filter(problem, method, settings, rng)
    write_spread(record, problem, B)
    return replace(record, ignored=ignored)
