"""Iterative ensemble Kalman smoother: the analysis is sought at the start of a window, through the nonlinear model.

Bocquet & Sakov (2014), Q. J. R. Meteorol. Soc. 140, 1521-1535, algorithm 1 with shift 1 and single data assimilation:
the window reaches from the observation time s to the newest, s + ``lag``, and only the newest observations enter,
since the older ones are in the ensemble at s already. With ``lag`` 1 it is the iterative filter of Sakov, Oliver &
Bertino (2012), Mon. Wea. Rev. 140, 1988-2004. With the mean x_0 and anomalies A of the ensemble at s, the control
variable w of x = x_0 + A^T w / sqrt(N-1) minimizes

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
:mod:`assimilearn.assimilation.hyperprior`. The change of z with w is left out of the curvature, as in DAPPER.

The model is taken as perfect. A record at time k is the estimate from observations up to time k (``estimate``
"filter"), the end of a window, or up to time k + ``lag`` ("smoother"), its start; what is called forecast is always
that of the filter. Analysis moments are those of the ensemble that is carried on, after inflation.
Cost: N model runs over the window, and 5 N^3 flops for the square root, in each iteration.
"""

from typing import ClassVar, Literal, Self

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from assimilearn.assimilation.algebra import centre, row_products, scaled
from assimilearn.assimilation.hyperprior import hyperprior, trace_of_inverse
from assimilearn.assimilation.inverse_root import inverse_root, tridiagonal
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import MemberSettings, TreatmentSettings
from assimilearn.assimilation.stepping import forecast, moments_of, write_members
from assimilearn.assimilation.stepwise import Stepwise
from assimilearn.assimilation.treatment import treat, treatment_noise, treatment_of


class IEnKSSettings(TreatmentSettings, MemberSettings):
    """Iterative ensemble Kalman smoother."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["ienks"] = "ienks"
    inflation: float = Field(1.02, ge=1, description="factor on the anomalies of the analysis, after the update")
    lag: int = Field(1, ge=1, description="length of the window in observation times")
    iteration: Literal["gauss-newton", "mda"] = Field(
        "gauss-newton", description="seek the minimum of the cost, or assimilate repeatedly with an inflated R"
    )
    iterations: int = Field(10, ge=1, description="largest number of iterations; with mda the number of them")
    tolerance: float = Field(
        1e-3, gt=0, description="stop when the step, in standard deviations of the ensemble, is shorter than this"
    )
    certainty: float | None = Field(
        None,
        gt=0,
        description="infer the inflation of the prior as enkf-n does, with this weight of its prior (xN in DAPPER); "
        "inflation should then be 1; by default it is not inferred",
    )
    estimate: Literal["filter", "smoother"] = Field(
        "filter", description="estimate each time from observations up to it, or up to lag observation times later"
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
    C, pull = row_products(S), np.dot(S, d)
    work = C.copy()
    reflector, diagonal, beside = tridiagonal(work, pull)
    if certainty > 0:
        e, c = hyperprior(N, trace_of_inverse(diagonal, beside) / N, certainty)
        z = c / (e + np.dot(w, w) / (N - 1))
    T = inverse_root(work, reflector, diagonal, beside, 1 / z) / np.sqrt(z)
    step = np.dot(T, np.dot(T, pull - z * w))
    w += step
    inverse_transform[:] = z * T + np.dot(C, T)
    return T, np.sqrt(np.dot(step, step))


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
        Y = problem.instrument.see(newest, variance, sites)
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
        Y = problem.instrument.see(newest, variance, sites)
        T, _ = gauss_newton_step(w, inverse_transform, Y, y, settings.iterations * variance, 0.0)
        A = E.copy()
        mean = centre(A)
        E = mean + w @ A / np.sqrt(N - 1) + T @ A
        if i < settings.iterations - 1:
            newest = E.copy()
            forecast(problem.model, newest, steps)
    return E


class IterativeSmoother(Stepwise):
    """Slides the window: ``begin`` is the ensemble at its start s, ``present`` the one at its end."""

    def __init__(self, problem: Problem, settings: IEnKSSettings, rng: np.random.Generator):
        start_rng, self.treatment_rng = rng.spawn(2)
        super().__init__(problem, settings, start_rng)
        self.settings, self.clock = settings, np.cumsum(problem.steps)
        self.s, self.begin = 0, self.present.copy()

    def slide(self) -> None:
        """Move the start of the window to the next observation time."""
        self.s += 1
        forecast(self.problem.model, self.begin, int(self.problem.steps[self.s]))

    def forecast(self, k: int) -> None:
        if k - self.s > self.settings.lag:
            self.slide()
        forecast(self.problem.model, self.present, int(self.problem.steps[k]))

    def analyse(self, k: int, y: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> bool:
        if sites.size > 0:
            solve = minimize if self.settings.iteration == "gauss-newton" else anneal
            steps = int(self.clock[k] - self.clock[self.s])
            analysis = solve(self.problem, self.settings, self.begin, self.present, steps, y, variance, sites)
            self.begin = treated(analysis, self.begin, self.settings, self.treatment_rng)
            self.present = self.begin.copy()
            forecast(self.problem.model, self.present, steps)
        if self.settings.estimate == "filter":
            return write_members(self.record, self.keep, k, self.present)
        if k - self.s == self.settings.lag:
            write_members(self.record, self.keep, self.s, self.begin)
        return True

    def finish(self) -> None:
        while self.settings.estimate == "smoother" and self.s < self.problem.times.size - 1:
            self.slide()
            write_members(self.record, self.keep, self.s, self.begin)


def run(problem: Problem, settings: IEnKSSettings, rng: np.random.Generator) -> Record:
    """Slide the window over the observation times."""
    return IterativeSmoother(problem, settings, rng).run()


def treated(analysis: np.ndarray, prior: np.ndarray, settings: IEnKSSettings, rng: np.random.Generator) -> np.ndarray:
    """The analysis ensemble relaxed, inflated and rotated."""
    treatment = treatment_of(settings)
    if treatment.size > 0:
        spread = np.sqrt(moments_of(prior)[1])
        treat(analysis, prior, spread, treatment, rng.standard_normal(treatment_noise(settings)))
    return analysis
