"""Extended Kalman filter: the covariance is carried by the tangent linear model.

Jazwinski (1970), "Stochastic processes and filtering theory", theorem 8.1; for Lorenz-96 Lorenz & Emanuel (1998). The
covariance is kept as n columns of a square root, P = X^T X. The tangent model is the difference of two forecasts: the
model steps the state x and the n states x + SIZE X, so that any Model will do, compiled or not; what is seen of them
gives the tangent of the observation operator. The update is exact, one observation after another
(:mod:`assimilearn.assimilation.algebra.serial`). ``inflation`` multiplies X at each update before the gain is formed,
since the forecast's covariance is what the linearisation gets wrong: unlike that of ensembles, it is not applied to the
analysis.
Cost: n + 1 model runs and 4 n^2 p flops.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.serial import observed_serial_update, serial_update
from assimilearn.assimilation.algebra.small import assign
from assimilearn.assimilation.cycling.filtering import Filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.start import climatological, corrected, first_state
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import CycledSettings

SIZE = 1e-3  # the square of it is the relative error of linearity; single-precision networks allow no smaller one


class EKFSettings(CycledSettings):
    """Extended Kalman filter with a tangent linear model of finite differences."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["ekf"] = "ekf"
    inflation: float = Field(
        1.06, ge=1, description="factor on the standard deviation of the forecast error before each update"
    )


@njit(cache=True, error_model="numpy")
def ekf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E (1 + site, site), the state and its perturbations; parameters are (inflation,)."""
    mean = E[0]
    X = (E[1:] - mean) * (parameters[0] / SIZE)
    serial_update(X, mean, y, variance, sites, 1.0)
    assign(E[1:], mean + SIZE * X)


@njit(cache=True, error_model="numpy")
def ekf_observed_update(E, Y, y, variance, sites, parameters, noise):
    """The same for observations that are not the values of sites; Y is overwritten."""
    mean, predicted = E[0], Y[0]
    X, observed = (E[1:] - mean) * (parameters[0] / SIZE), (Y[1:] - predicted) * (parameters[0] / SIZE)
    observed_serial_update(X, mean, observed, predicted, y, variance, 1.0)
    assign(E[1:], mean + SIZE * X)


@njit(cache=True, error_model="numpy")
def tangent_moments(E, mean, variance):
    """The state, and the diagonal of X^T X."""
    for i in range(mean.size):
        mean[i], variance[i] = E[0, i], 0.0
    for j in range(1, E.shape[0]):
        for i in range(mean.size):
            variance[i] += ((E[j, i] - mean[i]) / SIZE) ** 2


def first_tangents(problem: Problem, used: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The climatological state and covariance given the first observations, as rows (1 + site, site)."""
    forecast, x = first_state(problem, used, rng)
    problem = problem.at_start
    B = problem.background.covariance
    P = corrected(problem, used, B, -climatological(problem, 0, used)[0].T)  # (I - K H) B, row by row
    values, vectors = np.linalg.eigh((P + P.T) / 2)
    X = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    return forecast, np.vstack([x, x + SIZE * X])


def run(problem: Problem, settings: EKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the state and the root of its covariance."""
    update = ekf_update if problem.observation.direct else ekf_observed_update
    method = Filter(update, np.array([settings.inflation]), first_tangents, moments=tangent_moments)
    return run_filter(problem, method, settings, rng)
