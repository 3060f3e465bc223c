"""The linear analysis with a fixed background covariance, for observations of any kind.

x_a = x_f + K (y - h(x_f)) with K = B H^T (H B H^T + E + R)^-1 and R in full: H is either the derivative of h at the
forecast, with E = 0, or the straight line nearest to h over the climate, with E the variance that it leaves unexplained
(:mod:`assimilearn.assimilation.background.expected`). Observations of the sites themselves with independent errors have
a compiled loop instead (:mod:`assimilearn.assimilation.background.static`), which gives the same.
Cost: p^3/3 + n^2 p flops, in NumPy.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.start import climatological, climatological_slopes
from assimilearn.assimilation.cycling.stepping import forecast, write_analysis
from assimilearn.assimilation.cycling.stepwise import stepwise
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import CycledSettings
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
    predicted = observed(x[None], sites, problem.observation.operator)[0]
    return Line(predicted, jacobian(x, sites, problem.observation.operator), np.zeros(sites.size))


def about_climate(problem: Problem, x: np.ndarray, sites: np.ndarray) -> Line:
    """The line that is nearest over the climate, whose mean is the forecast."""
    expected = problem.expected
    return Line(expected.mean[sites], climatological_slopes(problem, sites), expected.unexplained[sites])


def run_linearized(
    problem: Problem, settings: CycledSettings, B: np.ndarray, linearize: Linearize, rng: np.random.Generator
) -> Record:
    """Cycle one state with background covariance B (site, site); the first background is the climatology."""
    with stepwise(problem, settings, rng) as run:
        E, record = run.first, run.record
        record.spread[0] = first_spread(problem, record)
        for k in run.times:
            forecast(problem.model, E, int(problem.steps[k]))
            line = linearize(problem, E[0], problem.sites[k])
            HB = line.H @ B
            run.observations(k, E, (E[0], np.diag(B)), (line.predicted, (HB * line.H).sum(axis=1) + line.unexplained))
            used = record.used[k] != 0
            variance, sites = problem.variance[k, used], problem.sites[k, used]
            R = error_covariance(variance, sites, problem.observation.correlation)
            S = HB[used] @ line.H[used].T + np.diag(line.unexplained[used]) + R
            gain = np.linalg.solve(S, HB[used])
            E[0] += (problem.value[k, used] - line.predicted[used]) @ gain
            run.go_on(k, write_analysis(record, k, E[0], np.diag(B) - (HB[used] * gain).sum(axis=0)))
    return record


def first_spread(problem: Problem, record: Record) -> np.ndarray:
    """Standard deviation (site,) of the climatology given the observations used at the first time."""
    HB, S = climatological(problem, 0, record.used[0] != 0)
    return np.sqrt(np.maximum(problem.background.variance - (HB * np.linalg.solve(S, HB)).sum(axis=0), 0))
