"""Ensemble transform Kalman filter with the symmetric square root.

Bishop, Etherton & Majumdar (2001), Mon. Wea. Rev. 129, 420-436; symmetric form of Hunt, Kostelich & Szunyogh (2007),
Physica D 230, 112-126, eqs. 20-24. The formulas stand in :mod:`assimilearn.assimilation.algebra.transform`.

Cost: with m = min(N, p), 5 m^3 flops for the square root and products of order N m n.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.small import centre, recompose, scaled
from assimilearn.assimilation.algebra.transform import transform
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import INFLATION, FilterSettings, Inflation


class ETKFSettings(FilterSettings):
    """Ensemble transform Kalman filter, symmetric square root."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["etkf"] = "etkf"
    inflation: Inflation = Field(1.04, description=INFLATION)


@njit(cache=True, error_model="numpy")
def etkf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; no parameters, no noise."""
    mean = centre(E)
    d = scaled(Y, y, variance)
    transform(E, mean, Y, d)
    recompose(E, mean, 1.0)


def run(problem: Problem, settings: ETKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    return run_filter(problem, ensemble_filter(etkf_update, settings), settings, rng)
