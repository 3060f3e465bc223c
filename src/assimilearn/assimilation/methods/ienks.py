"""Iterative ensemble Kalman smoother: the analysis is sought at the start of a window, through the nonlinear model.

Bocquet & Sakov (2014), Q. J. R. Meteorol. Soc. 140, 1521-1535, algorithm 1 with shift 1 and single data assimilation;
see :mod:`assimilearn.assimilation.cycling.sliding` for the loop, and for what is recorded. With ``lag`` 1 it is the
iterative filter of Sakov, Oliver & Bertino (2012), Mon. Wea. Rev. 140, 1988-2004. With the mean x_0 and anomalies A of
the ensemble at s, the start of the window, the control variable w of x = x_0 + A^T w / sqrt(N-1) minimizes

    J(w) = |w|^2 / 2 + |R^-1/2 (y - H M(x))|^2 / 2

by Gauss-Newton steps (I + S S^T)^-1 (S d - w). The sensitivities S are those of the "transform" variant: the members
carried through the window are those of the current estimate of the analysis ensemble, with anomalies T A, T = (I + S
S^T)^-1/2, and S is what they show, T removed (the "bundle" variant carries tiny anomalies instead). The first
iteration is the forecast that the window before ends with.

With ``iteration`` "mda" the same observations are assimilated ``iterations`` times, each time with R multiplied by
their number (Emerick & Reynolds 2013, Comput. Geosci. 55, 3-15, with a square root instead of perturbed observations):
no minimum is sought. For a linear model both are the smoother exactly.

With a ``certainty`` the inflation of the prior is inferred from the data as in the EnKF-N, the finite-size IEnKS of
Bocquet & Sakov (2012), Nonlin. Processes Geophys. 19, 383-399: the prior term is z |w|^2 / 2, T = (z I + S S^T)^-1/2,
where z = c / (e + |w|^2 / (N-1)) is that of the last w, and e and c are those of
:mod:`assimilearn.assimilation.algebra.hyperprior`. The change of z with w is left out of the curvature, as in DAPPER.

Cost: N model runs over the window, and 5 N^3 flops for the square root, in each iteration.
"""

from functools import partial
from typing import ClassVar, Literal, Self

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from assimilearn.assimilation.algebra.hyperprior import hyperprior, trace_of_inverse
from assimilearn.assimilation.algebra.inverse_root import inverse_root, tridiagonal
from assimilearn.assimilation.algebra.small import centre, row_products, scaled, squared, through_rows
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.sliding import SlidingSettings, run_sliding
from assimilearn.assimilation.cycling.stepping import forecast
from assimilearn.assimilation.problem import Problem


class IEnKSSettings(SlidingSettings):
    """Iterative ensemble Kalman smoother."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["ienks"] = "ienks"
    inflation: float = Field(1.02, ge=1, description="factor on the anomalies of the analysis, after the update")
    iteration: Literal["gauss-newton", "mda"] = Field(
        "gauss-newton", description="seek the minimum of the cost, or assimilate repeatedly with an inflated R"
    )
    iterations: int = Field(10, ge=1, description="largest number of iterations; with mda the number of them")
    certainty: float | None = Field(
        None,
        gt=0,
        description="infer the inflation of the prior as enkf-n does, with this weight of its prior (xN in DAPPER); "
        "inflation should then be 1; by default it is not inferred",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.certainty is not None and self.iteration == "mda":
            raise ValueError('certainty: needs the iteration "gauss-newton"')
        return self


@njit(cache=True, error_model="numpy")
def gauss_newton_step(w, inverse_transform, Y, y, variance, certainty):
    """One step: moves w in place; writes T^-1; returns T and the length of the step.

    Parameters
    ----------
    w : ndarray (member,)
    inverse_transform : ndarray (member, member)
        T^-1 of the ensemble that Y was observed from.
    Y : ndarray (member, observation)
        Overwritten.
    y, variance : ndarray (observation,)
    certainty : float
        Weight of the prior of the inflation; 0 for no inflation.
    """
    N, z = w.size, 1.0
    d = scaled(Y, y, variance)
    S = np.dot(inverse_transform, Y)
    C, gradient = row_products(S), through_rows(S, d)
    work = C.copy()
    reflector, diagonal, beside = tridiagonal(work, gradient)
    if certainty > 0:
        e, c = hyperprior(N, trace_of_inverse(diagonal, beside) / N, certainty)
        z = c / (e + squared(w) / (N - 1))
    T = inverse_root(work, reflector, diagonal, beside, 1 / z, False)
    for j in range(N):
        gradient[j] -= z * w[j]
        for k in range(N):
            T[j, k] /= np.sqrt(z)
    step = through_rows(T, through_rows(T, gradient))
    CT = np.dot(C, T)
    for j in range(N):
        w[j] += step[j]
        for k in range(N):
            inverse_transform[j, k] = z * T[j, k] + CT[j, k]
    return T, np.sqrt(squared(step))


def minimize(
    problem: Problem,
    settings: IEnKSSettings,
    E: np.ndarray,
    newest: np.ndarray,
    steps: int,
    y: np.ndarray,
    variance: np.ndarray,
    sites: np.ndarray,
) -> np.ndarray:
    """The analysis ensemble at the start of the window, by Gauss-Newton.

    Parameters
    ----------
    E, newest : ndarray (member, site)
        The ensemble at the start, and its forecast at the end of the window.
    steps : int
        Model steps between them.
    y, variance, sites : ndarray (observation,)
        At the end of the window.
    """
    N = len(E)
    A = E.copy()
    mean = centre(A)
    w, T, inverse_transform = np.zeros(N), np.eye(N), np.eye(N)
    for _ in range(settings.iterations):
        Y = problem.observation.see(newest, variance, sites)
        T, length = gauss_newton_step(w, inverse_transform, Y, y, variance, settings.certainty or 0.0)
        E = mean + w @ A / np.sqrt(N - 1) + T @ A
        if not length > settings.tolerance:  # also where it is NaN
            break
        newest = E.copy()
        forecast(problem.model, newest, steps)
    return E


def anneal(
    problem: Problem,
    settings: IEnKSSettings,
    E: np.ndarray,
    newest: np.ndarray,
    steps: int,
    y: np.ndarray,
    variance: np.ndarray,
    sites: np.ndarray,
) -> np.ndarray:
    """The analysis ensemble at the start of the window, by repeated assimilation; arguments as for :func:`minimize`."""
    N = len(E)
    for i in range(settings.iterations):
        w, inverse_transform = np.zeros(N), np.eye(N)
        Y = problem.observation.see(newest, variance, sites)
        T, _ = gauss_newton_step(w, inverse_transform, Y, y, settings.iterations * variance, 0.0)
        A = E.copy()
        mean = centre(A)
        E = mean + w @ A / np.sqrt(N - 1) + T @ A
        if i < settings.iterations - 1:
            newest = E.copy()
            forecast(problem.model, newest, steps)
    return E


def run(problem: Problem, settings: IEnKSSettings, rng: np.random.Generator) -> Record:
    """Slide the window over the observation times."""
    analyse = minimize if settings.iteration == "gauss-newton" else anneal
    return run_sliding(problem, settings, partial(analyse, problem, settings), rng)
