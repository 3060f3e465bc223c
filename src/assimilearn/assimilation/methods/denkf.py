"""Deterministic ensemble Kalman filter: the anomalies move by half the gain.

Sakov & Oke (2008), Tellus 60A, 361-371, eqs. 14-15:

    x_a = x_f + K (y - H x_f),     A_a = A - K H A / 2

The covariance is that of the Kalman filter plus K H P H^T K^T / 4: exact for weak updates, a built-in inflation for
strong ones. Cost: with m = min(N, p), m^3/3 + 2 N m n flops; no eigen-decomposition, no random numbers.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.small import centre, gain_factor, recompose, scaled, through_gain
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import INFLATION, FilterSettings, Inflation


class DEnKFSettings(FilterSettings):
    """Deterministic ensemble Kalman filter."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["denkf"] = "denkf"
    inflation: Inflation = Field(1.02, description=INFLATION)


@njit(cache=True, error_model="numpy")
def denkf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; no parameters, no noise."""
    mean = centre(E)
    d = scaled(Y, y, variance)
    factor = gain_factor(Y, E)
    mean += through_gain(d.reshape(1, d.size), Y, factor)[0] / np.sqrt(E.shape[0] - 1)
    E -= through_gain(Y, Y, factor) / 2
    recompose(E, mean, 1.0)


def run(problem: Problem, settings: DEnKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    return run_filter(problem, ensemble_filter(denkf_update, settings), settings, rng)
