"""Stochastic ensemble Kalman filter: every member assimilates observations with noise of its own.

Burgers, van Leeuwen & Evensen (1998), Mon. Wea. Rev. 126, 1719-1724, eqs. 13-15. The perturbations of the observations
are centred over the members, so that the mean sees the observations as they are (Evensen 2004, Ocean Dynamics 54,
539-560, section 5), and multiplied by sqrt(N/(N-1)), so that their variance stays right. With S and the perturbed
scaled innovations D (member, observation):

    E_a = E + D (S^T S + I)^-1 S^T A / sqrt(N-1) = E + D S^T (S S^T + I)^-1 A / sqrt(N-1)

The smaller of the two matrices is factored.
Cost: with m = min(N, p), m^3/3 + 2 N m n flops and N p normal numbers.
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


class EnKFSettings(FilterSettings):
    """Stochastic ensemble Kalman filter (perturbed observations)."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["enkf"] = "enkf"
    inflation: Inflation = Field(1.06, description=INFLATION)


@njit(cache=True, error_model="numpy")
def enkf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; no parameters; the noise is N p standard normal numbers or more."""
    N, p = Y.shape
    D = noise[: N * p].copy().reshape(N, p)
    centre(D)
    mean = centre(E)
    d = scaled(Y, y, variance)
    for j in range(N):
        for o in range(p):
            D[j, o] = np.sqrt(N / (N - 1)) * D[j, o] + d[o] - np.sqrt(N - 1) * Y[j, o]
    increment = through_gain(D, Y, gain_factor(Y, E))
    for j in range(N):
        for i in range(E.shape[1]):
            E[j, i] += increment[j, i] / np.sqrt(N - 1)
    recompose(E, mean, 1.0)


def run(problem: Problem, settings: EnKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    noise = settings.members * problem.value.shape[1]
    return run_filter(problem, ensemble_filter(enkf_update, settings, noise=noise), settings, rng)
