"""Serial ensemble square-root filter: one observation after the other, no matrix is decomposed.

Whitaker & Hamill (2002), Mon. Wea. Rev. 130, 1913-1924; formulas in :mod:`assimilearn.assimilation.algebra.serial`.
Mean and covariance of its analysis are those of the ETKF, the members are not.
Cost: 4 N n p flops.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.serial import observed_serial_update, serial_update
from assimilearn.assimilation.algebra.small import centre, recompose
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import INFLATION, FilterSettings, Inflation


class ESRFSettings(FilterSettings):
    """Serial ensemble square-root filter (Potter)."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["esrf"] = "esrf"
    inflation: Inflation = Field(1.04, description=INFLATION)


@njit(cache=True, error_model="numpy")
def esrf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; no parameters, no noise."""
    mean = centre(E)
    serial_update(E, mean, y, variance, sites, E.shape[0] - 1.0)
    recompose(E, mean, 1.0)


@njit(cache=True, error_model="numpy")
def esrf_observed_update(E, Y, y, variance, sites, parameters, noise):
    """The same for observations that are not the values of sites; Y is overwritten."""
    mean, predicted = centre(E), centre(Y)
    observed_serial_update(E, mean, Y, predicted, y, variance, E.shape[0] - 1.0)
    recompose(E, mean, 1.0)


def run(problem: Problem, settings: ESRFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    update = esrf_update if problem.observation.direct else esrf_observed_update
    return run_filter(problem, ensemble_filter(update, settings), settings, rng)
