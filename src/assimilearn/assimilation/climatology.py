"""Climatology: the mean and spread of the model's free run, whatever is observed. The score that any method must beat.

Cost: none.
"""

from typing import Literal

import numpy as np

from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record, empty_record
from assimilearn.assimilation.settings import AnalysisSettings


class ClimatologySettings(AnalysisSettings):
    """The climatological mean as analysis: no observation is used."""

    method: Literal["climatology"] = "climatology"


def run(problem: Problem, settings: ClimatologySettings, rng: np.random.Generator) -> Record:
    """Climatology at every observation time, forecast and analysis alike; innovations are those of climatology."""
    mean, variance = problem.background.mean, problem.background.variance
    record = empty_record(problem)
    record.mean[:] = record.forecast_mean[:] = mean
    record.spread[:] = record.forecast_spread[:] = np.sqrt(variance)
    valid = problem.valid != 0
    record.innovation[valid] = (problem.value - mean[problem.sites])[valid]
    record.innovation_std[valid] = np.sqrt(variance[problem.sites] + problem.variance)[valid]
    return record
