"""Finite-size ensemble Kalman filter, EnKF-N: inflation from the data, at every analysis.

Bocquet (2011), Nonlin. Processes Geophys. 18, 735-750; dual form with the correction of the mode: Bocquet, Raanes &
Hannart (2015), Nonlin. Processes Geophys. 22, 645-662, eqs. 30-36. The ensemble's own mean and covariance are
uncertain; integrated over, this uncertainty gives a prior that equals the ensemble's inflated by a factor l, the
minimizer of

    J(l) = d^T (I + l^2 S S^T)^-1 d / (N-1) + e / l^2 + c ln l^2,     e = (N+1)/N / m,   c = N/(N-1) m

where S and d are as in :mod:`assimilearn.assimilation.algebra.transform` (S^T S in the space of observations). The
factor m moves the mode of l towards 1 the more, the less the observations tell: m^2 = ((N+1)(N-1)/N^2)^q with q the
mean eigenvalue of (I + S S^T)^-1. Both e and c are multiplied by ``certainty`` (xN in DAPPER): 2 doubles the weight of
the prior of l, for models whose ensembles are less nonlinear than the theory fears. Then the analysis is that of the
ETKF with prior anomalies l A.

J is minimized by Newton's method in ln l^2, started at l = 1 and kept within a bracket by bisection.
Cost: that of the ETKF.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.hyperprior import hyperprior, trace_of_inverse
from assimilearn.assimilation.algebra.small import centre, recompose, scaled
from assimilearn.assimilation.algebra.transform import reduced, transform_reduced
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import FilterSettings


class EnKFNSettings(FilterSettings):
    """Finite-size ensemble Kalman filter: no inflation to tune."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["enkf-n"] = "enkf-n"
    certainty: float = Field(1.0, gt=0, description="weight of the prior of the inflation, xN in DAPPER")


@njit(cache=True, error_model="numpy")
def enkf_n_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are (certainty,)."""
    N, p = Y.shape
    mean = centre(E)
    d = scaled(Y, y, variance)
    C, reflector, diagonal, beside = reduced(Y, d)
    e, c = hyperprior(N, (trace_of_inverse(diagonal, beside) + max(N - p, 0)) / N, parameters[0])
    a = d if p < N else np.dot(Y, d)
    l2 = np.exp(log_inflation(diagonal, beside, np.dot(a, a) / (N - 1), p < N, e, c))
    transform_reduced(E, mean, Y, d, C, reflector, diagonal, beside, l2)
    recompose(E, mean, 1.0)


@njit(cache=True, error_model="numpy")
def log_inflation(diagonal, beside, square, observed, e, c):
    """The u = ln l^2 that minimizes J, whose first term is a function of l^2 T and the last axis only.

    Parameters
    ----------
    diagonal, beside : ndarray (row,)
        T, from S S^T, or from S^T S where ``observed`` is true.
    square : float
        Square of the vector on the last axis, S d or d, over N - 1.
    """
    low, high, u = -5.0, 10.0, 0.0
    for _ in range(50):
        l2 = np.exp(u)
        once, twice = explained(diagonal, beside, l2, observed)
        slope = c - e / l2 - l2 * square * once
        curvature = e / l2 + l2 * square * (once - 2 * twice)
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


@njit(cache=True, error_model="numpy")
def explained(diagonal, beside, l2, observed):
    """e^T B^-2 e and e^T B^-3 e, with B = I + l^2 T and e the last axis; both times T where ``observed`` is true."""
    N = diagonal.size
    pivot, x, y = np.empty(N), np.empty(N), np.empty(N)
    pivot[0] = 1 + l2 * diagonal[0]
    for k in range(1, N):
        pivot[k] = 1 + l2 * diagonal[k] - (l2 * beside[k - 1]) ** 2 / pivot[k - 1]
    x[N - 1] = 1 / pivot[N - 1]  # x = B^-1 e
    for k in range(N - 2, -1, -1):
        x[k] = -l2 * beside[k] * x[k + 1] / pivot[k]
    y[0] = x[0]  # y = B^-1 x
    for k in range(1, N):
        y[k] = x[k] - l2 * beside[k - 1] * y[k - 1] / pivot[k - 1]
    y[N - 1] /= pivot[N - 1]
    for k in range(N - 2, -1, -1):
        y[k] = (y[k] - l2 * beside[k] * y[k + 1]) / pivot[k]
    once = twice = 0.0
    for k in range(N):
        r = ((1.0 if k == N - 1 else 0.0) - x[k]) / l2 if observed else x[k]  # T x = (e - x) / l^2
        once += r * x[k]
        twice += r * y[k]
    return once, twice


def run(problem: Problem, settings: EnKFNSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    method = ensemble_filter(enkf_n_update, settings, np.array([settings.certainty]))
    return run_filter(problem, method, settings, rng)
