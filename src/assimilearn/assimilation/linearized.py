"""The linear analysis with a fixed background covariance, for observations of any kind.

x_a = x_f + K (y - h(x_f)) with K = B H^T (H B H^T + E + R)^-1 and R in full: H is either the derivative of h at the
forecast, with E = 0, or the straight line nearest to h over the climate, with E the variance that it leaves
unexplained (:mod:`assimilearn.assimilation.expected`). Observations of the sites themselves with independent errors
have a compiled loop instead (:mod:`assimilearn.assimilation.static`), which gives the same.
Cost: p^3/3 + n^2 p flops, in NumPy.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import CycledSettings
from assimilearn.assimilation.start import climatological, climatological_slopes
from assimilearn.assimilation.stepping import forecast, write_analysis
from assimilearn.assimilation.stepwise import Moments, Stepwise
from assimilearn.observations.correlation_kernels import error_covariance
from assimilearn.observations.operator_kernels import jacobian, observed


class Line(NamedTuple):
    """A straight line in place of h, at all observations of one time.

    Attributes
    ----------
    predicted : ndarray (observation,)
        What the forecast is expected to give.
    H : ndarray (observation, site)
    unexplained : ndarray (observation,)
    """

    predicted: np.ndarray
    H: np.ndarray
    unexplained: np.ndarray


Linearize = Callable[[Problem, np.ndarray, np.ndarray], Line]
"""linearize(problem, forecast (site,), sites (observation,)) -> Line"""


def about_forecast(problem: Problem, x: np.ndarray, sites: np.ndarray) -> Line:
    """The tangent at the forecast."""
    predicted = observed(x[None], sites, problem.instrument.operator)[0]
    return Line(predicted, jacobian(x, sites, problem.instrument.operator), np.zeros(sites.size))


def about_climate(problem: Problem, x: np.ndarray, sites: np.ndarray) -> Line:
    """The line that is nearest over the climate, whose mean is the forecast."""
    expected = problem.expected
    return Line(expected.mean[sites], climatological_slopes(problem, sites), expected.unexplained[sites])


class Linearized(Stepwise):
    """Carries one state; B (site, site) is the background covariance, but for the first time."""

    def __init__(
        self, problem: Problem, settings: CycledSettings, B: np.ndarray, linearize: Linearize, rng: np.random.Generator
    ):
        super().__init__(problem, settings, rng)
        self.B, self.linearize = B, linearize
        self.record.spread[0] = first_spread(problem, self.record)

    def forecast(self, k: int) -> None:
        forecast(self.problem.model, self.present, int(self.problem.steps[k]))

    def moments(self, k: int) -> Moments:
        return self.present[0], np.diag(self.B)

    def predicted(self, k: int) -> Moments:
        self.line = self.linearize(self.problem, self.present[0], self.problem.sites[k])
        self.HB = self.line.H @ self.B
        return self.line.predicted, (self.HB * self.line.H).sum(axis=1) + self.line.unexplained

    def analyse(self, k: int, y: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> bool:
        """The observations as they are, with R in full: a straight line over the climate does not see them mixed."""
        problem, used = self.problem, self.record.used[k] != 0
        H, HB, unexplained = self.line.H[used], self.HB[used], self.line.unexplained[used]
        correlation, n = problem.instrument.correlation, len(self.B)
        R = error_covariance(problem.variance[k, used], problem.sites[k, used], correlation, n)
        gain = np.linalg.solve(HB @ H.T + np.diag(unexplained) + R, HB)
        self.present[0] += (problem.value[k, used] - self.line.predicted[used]) @ gain
        return write_analysis(self.record, k, self.present[0], np.diag(self.B) - (HB * gain).sum(axis=0))


def run_linearized(
    problem: Problem, settings: CycledSettings, B: np.ndarray, linearize: Linearize, rng: np.random.Generator
) -> Record:
    """Cycle one state with background covariance B (site, site); the first background is the climatology."""
    return Linearized(problem, settings, B, linearize, rng).run()


def first_spread(problem: Problem, record: Record) -> np.ndarray:
    """Standard deviation (site,) of the climatology given the observations used at the first time."""
    problem = problem.at_start
    HB, S = climatological(problem, 0, record.used[0] != 0)
    return np.sqrt(problem.background.variance - (HB * np.linalg.solve(S, HB)).sum(axis=0))
