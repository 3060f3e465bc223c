"""Finite-size ensemble Kalman filter, EnKF-N: inflation from the data, at every analysis.

Bocquet (2011), Nonlin. Processes Geophys. 18, 735-750; dual form with the correction of the mode: Bocquet, Raanes &
Hannart (2015), Nonlin. Processes Geophys. 22, 645-662, eqs. 30-36. The ensemble's own mean and covariance are
uncertain; integrated over, this uncertainty gives a prior that equals the ensemble's inflated by a factor l, the
minimizer of

    J(l) = d^T (I + l^2 S S^T)^-1 d / (N-1) + e / l^2 + c ln l^2,     e = (N+1)/N / m,   c = N/(N-1) m

where S and d are as in :mod:`assimilearn.assimilation.transform` (S^T S in the space of observations). The factor m
moves the mode of l towards 1 the more, the less the observations tell: m^2 = ((N+1)(N-1)/N^2)^q with q the mean
eigenvalue of (I + S S^T)^-1. Both e and c are multiplied by ``certainty`` (xN in DAPPER): 2 doubles the weight of the
prior of l, for models whose ensembles are less nonlinear than the theory fears. Then the analysis is that of the ETKF
with prior anomalies l A.

J is minimized by Newton's method in ln l^2, started at l = 1 and kept within a bracket by bisection.
Cost: that of the ETKF.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import centre, recompose, scaled
from assimilearn.assimilation.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import EnsembleSettings
from assimilearn.assimilation.transform import eigenvectors, explained_squares, transform


class EnKFNSettings(EnsembleSettings):
    """Finite-size ensemble Kalman filter: no inflation to tune."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["enkf-n"] = "enkf-n"
    certainty: float = Field(1.0, gt=0, description="weight of the prior of the inflation, xN in DAPPER")


@njit(cache=True, error_model="numpy")
def enkf_n_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are (certainty,)."""
    N = E.shape[0]
    mean = centre(E)
    d = scaled(Y, y, variance)
    eigenvalues, V = eigenvectors(Y)
    q = (np.sum(1 / (1 + eigenvalues)) + N - eigenvalues.size) / N
    e, c = hyperprior(N, q, parameters[0])
    l2 = np.exp(log_inflation(eigenvalues, explained_squares(Y, d, eigenvalues, V) / (N - 1), e, c))
    E *= np.sqrt(l2)
    Y *= np.sqrt(l2)
    transform(E, mean, Y, d, l2 * eigenvalues, V)
    recompose(E, mean, 1.0)


@njit(cache=True, error_model="numpy")
def hyperprior(N, q, certainty):
    """The coefficients e and c of J."""
    e, c = (N + 1) / N, N / (N - 1)
    m = np.sqrt((e / c) ** q)
    return certainty * e / m, certainty * c * m


@njit(cache=True, error_model="numpy")
def log_inflation(eigenvalues, squares, e, c):
    """The u = ln l^2 that minimizes J = sum(squares / eigenvalues / (1 + l^2 eigenvalues)) + e exp(-u) + c u."""
    low, high, u = -5.0, 10.0, 0.0
    for _ in range(50):
        l2 = np.exp(u)
        slope, curvature = c - e / l2, e / l2
        for i in range(eigenvalues.size):
            b = 1 + l2 * eigenvalues[i]
            slope -= l2 * squares[i] / b**2
            curvature += l2 * squares[i] * (l2 * eigenvalues[i] - 1) / b**3
        if slope > 0:
            high = u
        else:
            low = u
        step = -slope / curvature if curvature > 0 else np.nan
        u_next = u + step if low < u + step < high else (low + high) / 2
        if abs(u_next - u) < 1e-12:
            return u_next
        u = u_next
    return u


def run(problem: Problem, settings: EnKFNSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    method = ensemble_filter(enkf_n_update, settings, np.array([settings.certainty]))
    return run_filter(problem, method, settings, rng)
