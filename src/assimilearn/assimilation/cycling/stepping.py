"""The pieces of the cycle one by one, for methods whose loop is not that of a filter.

A particle filter carries weights, a smoother goes back in time: neither fits the signature of an update. Their loops
over the observation times are written in Python around the same compiled kernels.
"""

import numpy as np

from assimilearn.assimilation.cycling.cycle import ensemble_moments
from assimilearn.assimilation.cycling.cycle import write_moments as write
from assimilearn.assimilation.cycling.inflation import inflation_for
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.screening import at_sites, select
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.models.integrate import drawn, stepper
from assimilearn.models.protocol import Model, draws_of
from assimilearn.observations.operator_kernels import observed

NO_NOISE = np.empty((0, 0, 0))


def forecast(
    model: Model, E: np.ndarray, steps: int, error_std: float = 0.0, rng: np.random.Generator | None = None
) -> None:
    """Advance E (row, site + memory) by ``steps`` model steps in place, with noise of ``error_std`` after each.

    ``rng`` gives that noise, which sites alone have, and what a stochastic model draws.

    The kernel of a step is called directly. To pass it to a compiled loop by pointer costs more than the few steps from
    one observation time to the next.
    """
    noise = NO_NOISE if rng is None or error_std == 0 else error_std * rng.standard_normal((steps, len(E), model.size))
    step, draws = stepper(model), draws_of(model)
    for s in range(steps):
        step(E, drawn(len(E), draws, rng))
        if noise.size > 0:
            E[:, : model.size] += noise[s]


def moments_of(E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sample variance of E (member, site), each (site,)."""
    mean, variance = np.empty(E.shape[1]), np.empty(E.shape[1])
    ensemble_moments(E, mean, variance)
    return mean, variance


def inflate_members(
    E: np.ndarray, prior: np.ndarray, settings: AnalysisSettings, noise: np.ndarray, sites: int
) -> None:
    """Relax, inflate and rotate E (member, site + memory) in place as ``settings`` say, after its update.

    Parameters
    ----------
    prior : ndarray (member, site + memory)
        The ensemble before the update.
    noise : ndarray
        Random numbers of :func:`assimilearn.assimilation.cycling.inflation.rotation_numbers`.
    sites : int
        Number of sites n; a memory after them is rotated alone.
    """
    inflation = inflation_for(settings)
    if inflation.parameters.size > 0:
        inflation.kernel(E, prior, np.sqrt(moments_of(prior)[1][:sites]), inflation.parameters, noise)


def at_sites_alone(E: np.ndarray, n: int) -> np.ndarray:
    """E (member, site + memory) without its memory, C-contiguous; E itself where there is none."""
    return E if E.shape[1] == n else np.ascontiguousarray(E[:, :n])


def write_forecast(record: Record, k: int, mean: np.ndarray, variance: np.ndarray) -> bool:
    """Write the forecast moments of time k; False if the mean is no state."""
    bounds = record.lowest, record.highest
    return write(
        mean, variance.copy(), np.zeros(mean.size), *bounds, record.forecast_mean[k], record.forecast_spread[k]
    )


def write_analysis(record: Record, k: int, mean: np.ndarray, variance: np.ndarray) -> bool:
    """Write the analysis moments of time k; False if the mean is no state."""
    written = record.mean[k], record.spread[k]
    return write(mean, variance.copy(), np.zeros(mean.size), record.lowest, record.highest, *written)


def observations_at(
    problem: Problem,
    record: Record,
    k: int,
    mean: np.ndarray,
    variance: np.ndarray,
    limit: float,
    predicted: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write the innovations of time k against the forecast with these moments.

    Parameters
    ----------
    mean, variance : ndarray (site,)
    limit : float
        Standard deviations beyond which an observation is rejected.
    predicted : mean and variance of the observations of time k, each (observation,)
        By default those of the observed sites.

    Returns
    -------
    y, variance, sites : ndarray (observation,)
        The observations that pass the background check, whitened by the error correlation.
    """
    if predicted is None:
        predicted = at_sites(mean, variance, problem.sites[k])
    y, r, sites = select(
        *(problem.value[k], problem.variance[k], problem.sites[k], problem.valid[k], predicted[0]),
        *(np.sqrt(predicted[1]), limit),
        *(record.innovation[k], record.innovation_std[k], record.used[k]),
    )
    return problem.observation.whitened(y[None], r, sites)[0], r, sites


def predicted_by(problem: Problem, E: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray] | None:
    """What the forecast E (member, site) of time k expects of the observations; None where they are sites."""
    return (
        None
        if problem.observation.operator.direct
        else moments_of(observed(E, problem.sites[k], problem.observation.operator))
    )


def keep_forecast(record: Record, keep: np.ndarray, k: int, E: np.ndarray) -> None:
    """Keep the forecast E (member, site + memory) of time k, if that time is to be kept."""
    if keep[k] and record.forecast_members is not None:
        record.forecast_members[keep[:k].sum()] = E[:, : record.mean.shape[1]]


def write_members(record: Record, keep: np.ndarray, k: int, E: np.ndarray) -> bool:
    """Write the analysis E (member, site + memory) of time k; False if its mean is no state."""
    E = at_sites_alone(E, record.mean.shape[1])
    if keep[k] and record.members is not None:
        record.members[keep[:k].sum()] = E
    return write_analysis(record, k, *moments_of(np.ascontiguousarray(E)))
