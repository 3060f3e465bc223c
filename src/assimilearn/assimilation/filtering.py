"""Run a filter over all observation times: draw random numbers, cycle in chunks, watch for divergence."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from assimilearn.assimilation.adaptive import error_scale, inflation_scale, quantities
from assimilearn.assimilation.cycle import ABSURD, compiled_cycle, cycle, ensemble_moments, select, write_adapted
from assimilearn.assimilation.model_error import add_noise, square_root_core
from assimilearn.assimilation.parameters import carried, carrying, changes, with_parameters
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record, empty_record, keep_ensembles
from assimilearn.assimilation.settings import (
    AnalysisSettings,
    CycledSettings,
    FilterSettings,
    MemberSettings,
    ModelErrorSettings,
)
from assimilearn.assimilation.signatures import ERROR, MOMENTS, UPDATE
from assimilearn.assimilation.start import Start, first_ensemble
from assimilearn.assimilation.treatment import treatment_noise, treatment_of
from assimilearn.errors import SettingsError
from assimilearn.models.protocol import Model
from assimilearn.models.signatures import by_pointer
from assimilearn.periods import TEST

NOISE_SIZE = 2_000_000  # random numbers held at once (16 MB): memory does not grow with the length of the run
LONGEST_CHUNK = 500  # analysis times between two updates of the progress bar
LARGEST_CHUNK = 1_000_000  # times and sites cycled at once: what a streamed run holds of each series (4 MB)
LOST_WINDOW = 100  # analysis times over which innovations above climatology mean that the filter is lost
LOST_FACTOR = 1.1  # on the climatological rmse: what climatology itself does not reach by chance


@dataclass(frozen=True)
class Filter:
    """One method, ready for the cycle.

    Attributes
    ----------
    update : numba dispatcher of the signature UPDATE
    parameters : ndarray (parameter,)
    start : callable
        ``start(problem, used, rng) -> forecast, analysis``, each (row, site), at the first time.
    noise : int
        Standard normal numbers that the update needs at each time.
    static_variance : ndarray (site,), optional
        Forecast error variance of methods that carry a single state.
    moments : numba dispatcher of the signature MOMENTS
    """

    update: Any
    parameters: np.ndarray
    start: Start
    noise: int = 0
    static_variance: np.ndarray | None = None
    moments: Any = ensemble_moments


class ModelError(NamedTuple):
    """The model error of a run.

    Attributes
    ----------
    kernel : numba dispatcher of the signature ERROR
    std : float
        Standard deviation after each model step.
    scale : ndarray
        State of :mod:`assimilearn.assimilation.scales` if it is estimated, else empty.
    """

    kernel: Any
    std: float
    scale: np.ndarray

    @property
    def present(self) -> bool:
        """Whether there is any."""
        return self.std > 0 or self.scale.size > 0

    @property
    def drawn(self) -> bool:
        """Whether it needs random numbers."""
        return self.present and self.kernel is add_noise


class Treatment(NamedTuple):
    """Parameters of the treatment, and the state of an adaptive inflation, which is empty if it is given."""

    parameters: np.ndarray
    scale: np.ndarray


def ensemble_filter(
    update: Any, settings: MemberSettings, parameters: np.ndarray | None = None, noise: int = 0
) -> Filter:
    """An ensemble method: ``settings.members`` members, drawn at the first time."""
    start = partial(first_ensemble, members=settings.members)
    return Filter(update, np.empty(0) if parameters is None else parameters, start, noise)


def run_filter(
    problem: Problem,
    method: Filter,
    settings: AnalysisSettings,
    rng: np.random.Generator,
    noise_size: int = NOISE_SIZE,
) -> Record:
    """Start from the climatology given the first observations, then cycle over all later observation times.

    Parameters
    ----------
    problem : Problem
    method : Filter
    settings : AnalysisSettings
    rng : numpy.random.Generator
        Model error and update draw from streams of their own, each in time order: the result does not depend on how
        many random numbers are drawn at once.
    noise_size : int
        How many random numbers are held at once.
    """
    start_rng, model_rng, update_rng, treatment_rng, parameter_rng = rng.spawn(5)
    error = model_error(settings, problem)
    treatment = Treatment(treatment_of(settings), inflation_scale(settings))
    keep = kept_times(settings, problem.period)
    record, begin = (problem.new_record or empty_record)(problem), slice(0, 1)
    record.adapts(quantities(settings))
    head = record.part(begin)
    E = first_analysis(problem, method, settings, head, start_rng, keep)
    record.kept, record.members, record.forecast_members = head.kept, head.members, head.forecast_members
    E = with_parameters(E, carried(settings), parameter_rng)
    own = np.ascontiguousarray(E[:, problem.model.size :])
    mean, variance = np.empty((2, own.shape[1]))
    ensemble_moments(own, mean, variance)
    write_adapted(treatment.scale, error.scale, mean, variance, head.adapted[0])
    record.put(begin, head)
    treated = treatment_noise(settings)
    total = E.size * int(problem.steps.sum()) * error.drawn + (method.noise + treated) * problem.times.size
    longest = min(problem.times.size * noise_size // max(total, 1), LARGEST_CHUNK // problem.model.size, LONGEST_CHUNK)
    chunk = max(1, longest)
    chunks = range(1, problem.times.size, chunk)
    shown = {"desc": settings.method, "unit": "analysis", "unit_scale": chunk, "leave": False, "delay": 2}
    for first in tqdm(chunks, disable=None, **shown):
        here = slice(first, min(first + chunk, problem.times.size))
        steps = int(problem.steps[here].sum()) if error.present else 0
        part = record.part(here)
        done = _cycle_chunk(
            *(problem, method, settings, error, treatment, record, part, E, keep, here),
            model_rng.standard_normal((steps, len(E), problem.model.size) if error.drawn else (steps, 0, 0)),
            update_rng.standard_normal((here.stop - first, method.noise)),
            treatment_rng.standard_normal((here.stop - first, treated)),
            changes(problem.model.time_step * problem.steps[here], carried(settings), len(E), parameter_rng),
        )
        if done < here.stop - first:
            give_up(part, done)
            record.diverged, record.reason = first + done, part.reason
        record.put(here, part)
        if record.diverged is not None:
            break
    return record


def first_analysis(
    problem: Problem,
    method: Filter,
    settings: AnalysisSettings,
    record: Record,
    rng: np.random.Generator,
    keep: np.ndarray,
) -> np.ndarray:
    """Write the first time of ``record``; the ensemble (row, site) with which the cycle goes on."""
    law = problem.at_start
    background, expected, sites = law.background, law.expected, problem.sites[0]
    record.forecast_mean[0], record.forecast_spread[0] = background.mean, np.sqrt(background.variance)
    select(
        *(problem.value[0], problem.variance[0], sites, problem.valid[0], expected.mean[sites]),
        *(np.sqrt(expected.variance[sites]), check_limit(settings)),
        *(record.innovation[0], record.innovation_std[0], record.used[0]),
    )
    forecast, E = method.start(problem, record.used[0] != 0, rng)
    E = np.ascontiguousarray(E)
    mean, variance = np.empty(problem.model.size), np.empty(problem.model.size)
    method.moments(E, mean, variance)
    record.mean[0], record.spread[0] = mean, np.sqrt(variance)
    if keep.any():
        keep_ensembles(record, np.flatnonzero(keep), forecast, E)
    return E


def _cycle_chunk(
    problem: Problem,
    method: Filter,
    settings: AnalysisSettings,
    error: ModelError,
    treatment: Treatment,
    record: Record,
    part: Record,
    E: np.ndarray,
    keep: np.ndarray,
    here: slice,
    model_noise: np.ndarray,
    update_noise: np.ndarray,
    treatment_noise: np.ndarray,
    parameter_noise: np.ndarray,
) -> int:
    """Cycle over the times ``here``, of which ``part`` is the record; the number of times done."""
    n, model = problem.model.size, carrying(problem.model, carried(settings))
    if model.compiled is not None:
        run = compiled_cycle()
        step, step_parameters = model.compiled
        step, update, moments = by_pointer(step), by_pointer(method.update, UPDATE), by_pointer(method.moments, MOMENTS)
        kernel = by_pointer(error.kernel, ERROR)
    else:
        run, step, step_parameters = cycle, in_place(model), None
        update, moments, kernel = method.update, method.moments, error.kernel
    kept = slice(int(keep[: here.start].sum()), int(keep[: here.stop].sum()))
    none = np.empty((0, 0, 0), dtype=np.float32)
    return run(
        *(step, step_parameters, kernel, error.std),
        *(update, np.ascontiguousarray(method.parameters, dtype=float), moments),
        *(treatment.parameters, treatment.scale, error.scale),
        np.zeros(n) if method.static_variance is None else method.static_variance,
        *(check_limit(settings), problem.instrument.operator, problem.instrument.correlation),
        *(E, problem.steps[here], problem.value[here], problem.variance[here], problem.sites[here]),
        *(problem.valid[here], keep[here], model_noise, update_noise, treatment_noise, parameter_noise),
        *(part.forecast_mean, part.forecast_spread, part.mean, part.spread),
        *(part.innovation, part.innovation_std, part.used, part.adapted),
        none if record.forecast_members is None else record.forecast_members[kept],
        none if record.members is None else record.members[kept],
    )


def in_place(model: Model) -> Any:
    """The step of a model without a compiled one, in the form that the cycle calls."""

    def step(E: np.ndarray, parameters: None) -> None:
        E[:] = model.step(E)

    return step


def check_limit(settings: AnalysisSettings) -> float:
    """Standard deviations of the innovation beyond which an observation is rejected."""
    limit = settings.background_check if isinstance(settings, CycledSettings) else None
    return np.inf if limit is None else limit


def model_error(settings: AnalysisSettings, problem: Problem) -> ModelError:
    """What the settings say of the model error of a filter."""
    square_root = isinstance(settings, FilterSettings) and settings.model_error_treatment == "square_root"
    state = error_scale(settings, problem.model, problem.background)
    std = 0.0 if state.size > 0 else model_error_std(settings, problem.model)
    return ModelError(square_root_core if square_root else add_noise, std, state)


def model_error_std(settings: AnalysisSettings, model: Model) -> float:
    """Standard deviation of the noise added after each model step; 0 for none.

    Raises
    ------
    SettingsError
        If the residual is asked for and the model states none.
    """
    if not isinstance(settings, ModelErrorSettings) or settings.model_error is None:
        return 0.0
    if settings.model_error != "residual":
        return settings.model_error * settings.model_error_scale
    residual = getattr(model, "residual_std", None)
    if residual is None or not np.isfinite(residual):
        raise SettingsError('model_error "residual" needs a trained emulator as the model: give a number instead')
    return float(residual) * settings.model_error_scale


def kept_times(settings: AnalysisSettings, period: np.ndarray) -> np.ndarray:
    """1 where the ensemble is to be kept, (time,), int64."""
    wanted = settings.keep_members if isinstance(settings, MemberSettings) else "none"
    return {"none": np.zeros(period.size, bool), "test": period == TEST, "all": np.ones(period.size, bool)}[
        wanted
    ].astype(np.int64)


def give_up(record: Record, k: int) -> None:
    """Mark the run as diverged at time index ``k``; nothing of that time stands as a result."""
    stage = "analysis" if (np.abs(record.forecast_mean[k]) < ABSURD).all() else "forecast"
    record.diverged = k
    record.reason = f"the {stage} mean is not finite, or beyond {ABSURD:g} in size"
    for series in (record.mean, record.spread, record.forecast_mean, record.forecast_spread):
        series[k:] = np.nan
    for series in (record.innovation, record.innovation_std, record.adapted):
        series[k:] = np.nan
    record.used[k:] = 0


def squared_innovations(innovation: np.ndarray, problem: Problem, here: slice) -> np.ndarray:
    """Sums over the observations of each of the times ``here`` of squared innovations and of those of climatology.

    Returns
    -------
    ndarray (2, time)
    """
    value, sites, valid = problem.value[here], problem.sites[here], problem.valid[here]
    climatological = np.where(valid, value - problem.expected.mean[sites], np.nan)
    return np.nansum(np.stack([innovation.astype(float), climatological]) ** 2, axis=2)


def lost_windows(record: Record, problem: Problem) -> np.ndarray:
    """Where the forecast is worse than none: windows in which its innovations clearly exceed those of climatology.

    A filter may lose the truth and still stay on the attractor: every value is finite, and the error is that of two
    independent states, 1.4 times that of climatology.

    Returns
    -------
    ndarray (window,), bool
        For every window of ``LOST_WINDOW`` times but the first, which is left to spin-up.
    """
    return lost(squared_innovations(record.innovation, problem, slice(None)))


def lost(squares: np.ndarray) -> np.ndarray:
    """The same from ``squares (2, time)`` of :func:`squared_innovations`."""
    count = squares.shape[1] // LOST_WINDOW
    sums = squares[:, : count * LOST_WINDOW].reshape(2, count, LOST_WINDOW).sum(axis=2)
    return (sums[0] > LOST_FACTOR**2 * sums[1])[1:]
