"""Run a filter over all observation times: draw random numbers, cycle in chunks, watch for divergence."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from assimilearn.assimilation.adaptive import quantities
from assimilearn.assimilation.compiling import compiling_all_but_the_update
from assimilearn.assimilation.cycle import compiled_cycle, cycle, ensemble_moments, select, write_adapted
from assimilearn.assimilation.divergence import give_up
from assimilearn.assimilation.model_error import ModelError, model_error
from assimilearn.assimilation.parameters import carried, carrying, changes, with_parameters
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record, empty_record, keep_ensembles
from assimilearn.assimilation.settings import AnalysisSettings, CycledSettings, MemberSettings
from assimilearn.assimilation.signatures import ERROR, INDEPENDENT, MOMENTS, TREAT, UPDATE
from assimilearn.assimilation.start import Start, first_ensemble
from assimilearn.assimilation.treatment import Treatment, treatment_for, treatment_noise
from assimilearn.models.protocol import Model
from assimilearn.models.signatures import by_pointer
from assimilearn.observations.correlation_kernels import leave, make_independent
from assimilearn.periods import TEST

NOISE_SIZE = 2_000_000  # random numbers held at once (16 MB): memory does not grow with the length of the run
LONGEST_CHUNK = 500  # analysis times between two updates of the progress bar
LARGEST_CHUNK = 1_000_000  # times and sites cycled at once: what a streamed run holds of each series (4 MB)
NOTHING_KEPT = np.empty((0, 0, 0), dtype=np.float32)
KINDS = ERROR, UPDATE, MOMENTS, TREAT, INDEPENDENT


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
    noise_size : int
        How many random numbers are held at once.
    """
    run = prepare(problem, method, settings)
    start_rng, *rngs = rng.spawn(5)
    draws = Draws(run, *rngs)
    record = (problem.new_record or empty_record)(problem)
    record.adapts(quantities(settings))
    E = first_time(run, record, start_rng, draws.parameter_rng)
    chunk = max(1, min(noise_size // draws.per_time(len(E)), LARGEST_CHUNK // problem.model.size, LONGEST_CHUNK))
    shown = {"desc": settings.method, "unit": "analysis", "unit_scale": chunk, "leave": False, "delay": 2}
    for first in tqdm(range(1, problem.times.size, chunk), disable=None, **shown):
        here = slice(first, min(first + chunk, problem.times.size))
        part = record.part(here)
        done = cycle_over(run, here, E, draws.of(here, len(E)), part, run.kept_part(record, here))
        if done < here.stop - first:
            give_up(part, done)
            record.diverged, record.reason = first + done, part.reason
        record.put(here, part)
        if record.diverged is not None:
            break
    return record


class Run(NamedTuple):
    """What stays the same over all observation times of a run."""

    problem: Problem
    method: Filter
    settings: AnalysisSettings
    error: ModelError
    treatment: Treatment
    keep: np.ndarray
    cycle: Callable[..., int]
    kernels: "Kernels"

    def kept_part(self, record: Record, here: slice) -> tuple[np.ndarray, np.ndarray]:
        """Where the ensembles of the times ``here`` are kept: forecasts and analyses (kept time, member, site)."""
        kept = slice(int(self.keep[: here.start].sum()), int(self.keep[: here.stop].sum()))
        if record.members is None or record.forecast_members is None:
            return NOTHING_KEPT, NOTHING_KEPT
        return record.forecast_members[kept], record.members[kept]


class Kernels(NamedTuple):
    """The kernels of a run, in the form that its cycle calls them."""

    step: Any
    step_parameters: np.ndarray | None
    error: Any
    update: Any
    moments: Any
    treat: Any
    independent: Any


def prepare(problem: Problem, method: Filter, settings: AnalysisSettings) -> Run:
    """Everything that does not depend on chance; the cycle is compiled where the model is, else interpreted."""
    error, treatment = model_error(settings, problem), treatment_for(settings)
    model = carrying(problem.model, carried(settings))
    independent = make_independent if problem.instrument.correlation.size > 0 else leave
    rest = error.kernel, method.update, method.moments, treatment.kernel, independent
    if model.compiled is None:
        run, kernels = cycle, Kernels(in_place(model), None, *rest)
    else:
        step, step_parameters = model.compiled
        with compiling_all_but_the_update():
            by_pointer(method.update, UPDATE)
        typed = (by_pointer(kernel, kind) for kernel, kind in zip(rest, KINDS, strict=True))
        run, kernels = compiled_cycle(), Kernels(by_pointer(step), step_parameters, *typed)
    return Run(problem, method, settings, error, treatment, kept_times(settings, problem.period), run, kernels)


class Draws:
    """Random numbers of a run, drawn in time order.

    Each purpose has a stream of its own: the result does not depend on how many numbers are drawn at once.
    """

    def __init__(
        self,
        run: Run,
        model_rng: np.random.Generator,
        update_rng: np.random.Generator,
        treatment_rng: np.random.Generator,
        parameter_rng: np.random.Generator,
    ) -> None:
        self.run = run
        self.treated = treatment_noise(run.settings)
        self.model_rng, self.update_rng = model_rng, update_rng
        self.treatment_rng, self.parameter_rng = treatment_rng, parameter_rng

    def per_time(self, rows: int) -> int:
        """How many numbers an observation time needs, about; at least 1."""
        problem, width = self.run.problem, self.run.problem.model.size + len(carried(self.run.settings))
        model = rows * width * int(problem.steps.sum()) * self.run.error.drawn // problem.times.size
        return max(model + self.run.method.noise + self.treated, 1)

    def of(self, here: slice, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """For the times ``here``: of the model error, the update, the treatment and the walk of the parameters."""
        problem, error, times = self.run.problem, self.run.error, here.stop - here.start
        steps = int(problem.steps[here].sum()) if error.present else 0
        elapsed = problem.model.time_step * problem.steps[here]
        return (
            self.model_rng.standard_normal((steps, rows, problem.model.size) if error.drawn else (steps, 0, 0)),
            self.update_rng.standard_normal((times, self.run.method.noise)),
            self.treatment_rng.standard_normal((times, self.treated)),
            changes(elapsed, carried(self.run.settings), rows, self.parameter_rng),
        )


def first_time(run: Run, record: Record, rng: np.random.Generator, parameter_rng: np.random.Generator) -> np.ndarray:
    """Write the first time of ``record``; E (row, site + parameter), with which the cycle goes on."""
    begin = slice(0, 1)
    head = record.part(begin)
    E = first_analysis(run.problem, run.method, run.settings, head, rng, run.keep)
    record.kept, record.members, record.forecast_members = head.kept, head.members, head.forecast_members
    E = with_parameters(E, carried(run.settings), parameter_rng)
    own = np.ascontiguousarray(E[:, run.problem.model.size :])
    mean, variance = np.empty((2, own.shape[1]))
    ensemble_moments(own, mean, variance)
    write_adapted(run.treatment.scale, run.error.scale, mean, variance, head.adapted[0])
    record.put(begin, head)
    return E


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


def cycle_over(
    run: Run,
    here: slice,
    E: np.ndarray,
    noise: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    part: Record,
    kept: tuple[np.ndarray, np.ndarray],
) -> int:
    """Cycle E over the times ``here``, of which ``part`` is the record; the number of times done."""
    problem, method, kernels = run.problem, run.method, run.kernels
    return run.cycle(
        *(kernels.step, kernels.step_parameters, kernels.error, run.error.std),
        *(kernels.update, np.ascontiguousarray(method.parameters, dtype=float), kernels.moments),
        *(kernels.treat, run.treatment.parameters, run.treatment.scale, run.error.scale),
        np.zeros(problem.model.size) if method.static_variance is None else method.static_variance,
        *(check_limit(run.settings), problem.instrument.operator),
        *(kernels.independent, problem.instrument.correlation),
        *(E, problem.steps[here], problem.value[here], problem.variance[here], problem.sites[here]),
        *(problem.valid[here], run.keep[here], *noise),
        *(part.forecast_mean, part.forecast_spread, part.mean, part.spread),
        *(part.innovation, part.innovation_std, part.used, part.adapted),
        *kept,
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


def kept_times(settings: AnalysisSettings, period: np.ndarray) -> np.ndarray:
    """1 where the ensemble is to be kept, (time,), int64."""
    wanted = settings.keep_members if isinstance(settings, MemberSettings) else "none"
    return {"none": np.zeros(period.size, bool), "test": period == TEST, "all": np.ones(period.size, bool)}[
        wanted
    ].astype(np.int64)
