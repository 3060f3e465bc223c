"""Climatology: the mean and spread of the model's free run, whatever is observed. The score that any method must beat.

Cost: none.
"""

from typing import ClassVar, Literal

import numpy as np

from assimilearn.assimilation.cycling.divergence import without_impossible
from assimilearn.assimilation.cycling.record import Record, empty_record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings


class ClimatologySettings(AnalysisSettings):
    """The climatological mean as analysis: no observation is used."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["climatology"] = "climatology"


def run(problem: Problem, settings: ClimatologySettings, rng: np.random.Generator) -> Record:
    """Climatology at every observation time, forecast and analysis alike; innovations are those of climatology."""
    mean, variance = problem.background.mean, problem.background.variance
    record = empty_record(problem)
    problem, record.ignored = without_impossible(problem)
    record.mean[:] = record.forecast_mean[:] = mean
    record.spread[:] = record.forecast_spread[:] = np.sqrt(variance)
    valid = problem.valid != 0
    expected, sites = problem.expected, problem.sites
    record.innovation[valid] = (problem.value - expected.mean[sites])[valid]
    record.innovation_std[valid] = np.sqrt(expected.variance[sites] + problem.variance)[valid]
    return record
