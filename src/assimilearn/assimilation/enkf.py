"""Stochastic ensemble Kalman filter: every member assimilates observations with noise of its own.

Burgers, van Leeuwen & Evensen (1998), Mon. Wea. Rev. 126, 1719-1724, eqs. 13-15. The perturbations of the observations
are centred over the members, so that the mean sees the observations as they are (Evensen 2004, Ocean Dynamics 54,
539-560, section 5), and multiplied by sqrt(N/(N-1)), so that their variance stays right. With S and the perturbed
scaled innovations D (member, observation):

    E_a = E + D (S^T S + I)^-1 S^T A / sqrt(N-1) = E + D S^T (S S^T + I)^-1 A / sqrt(N-1)

The smaller of the two matrices is factored. Then the anomalies are multiplied by ``inflation``.
Cost: with m = min(N, p), m^3/3 + 2 N m n flops and N p normal numbers.
"""

from typing import Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import (
    back_substitute,
    centre,
    cholesky,
    column_products,
    forward_substitute,
    recompose,
    row_products,
    scaled,
)
from assimilearn.assimilation.filtering import Filter, run_filter
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import EnsembleSettings


class EnKFSettings(EnsembleSettings):
    """Stochastic ensemble Kalman filter (perturbed observations)."""

    method: Literal["enkf"] = "enkf"
    inflation: float = Field(1.06, ge=1, description="factor on the anomalies of the analysis, after the update")


@njit(cache=True)
def enkf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are (inflation,); the noise is N p standard normal numbers."""
    N, p = Y.shape
    perturbation = noise[: N * p].copy().reshape(N, p)
    centre(perturbation)
    perturbation *= np.sqrt(N / (N - 1))
    mean = centre(E)
    d = scaled(Y, y, variance)
    D = perturbation + d - np.sqrt(N - 1) * Y
    if p < N:
        C = column_products(Y)
        increment = np.dot(Y.T, E)  # (observation, site)
    else:
        C = row_products(Y)
        D = np.dot(D, Y.T)
        increment = E.copy()
    for i in range(C.shape[0]):
        C[i, i] += 1
    cholesky(C)
    forward_substitute(C, increment)
    back_substitute(C, increment)
    E += np.dot(D, increment) / np.sqrt(N - 1)
    mean += centre(E)
    recompose(E, mean, parameters[0])


def run(problem: Problem, settings: EnKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    method = Filter(
        enkf_update,
        np.array([settings.inflation]),
        settings.members,
        noise=settings.members * problem.value.shape[1],
    )
    return run_filter(problem, method, settings, rng)
