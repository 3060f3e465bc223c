"""Climatology: the mean and spread of the model's free run, whatever is observed. The score that any method must beat.

Cost: none.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from numba import njit

from assimilearn.assimilation.background import ClimatologyModel
from assimilearn.assimilation.filtering import Filter, run_filter
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import AnalysisSettings


class ClimatologySettings(AnalysisSettings):
    """The climatological mean as analysis: no observation is used."""

    method: Literal["climatology"] = "climatology"


@njit(cache=True)
def no_update(E, Y, y, variance, sites, parameters, noise):
    """Leave E as it is."""


def run(problem: Problem, settings: ClimatologySettings, rng: np.random.Generator) -> Record:
    """Climatology at every observation time, forecast and analysis alike; innovations are those of climatology."""
    background = problem.background
    problem = replace(problem, model=ClimatologyModel(background.mean, problem.model.time_step))
    method = Filter(no_update, np.empty(0), background.mean[None], static_variance=background.variance)
    return run_filter(problem, method, settings, rng)
