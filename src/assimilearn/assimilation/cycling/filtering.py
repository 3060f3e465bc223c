"""Run a filter over all observation times: start, draw random numbers, cycle in chunks, watch for divergence."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from assimilearn.assimilation.cycling.adaptive import quantities
from assimilearn.assimilation.cycling.biases import Augmented
from assimilearn.assimilation.cycling.compiling import compiling_all_but_the_update
from assimilearn.assimilation.cycling.cycle import compiled_cycle, cycle, ensemble_moments, write_adapted
from assimilearn.assimilation.cycling.divergence import give_up
from assimilearn.assimilation.cycling.draws import Draws
from assimilearn.assimilation.cycling.forecasting import forecast_model
from assimilearn.assimilation.cycling.inflation import inflation_for
from assimilearn.assimilation.cycling.model_error import ModelError, model_error
from assimilearn.assimilation.cycling.parameters import with_parameters
from assimilearn.assimilation.cycling.record import Record, empty_record, kept_times, state_bounds
from assimilearn.assimilation.cycling.screening import check_limit
from assimilearn.assimilation.cycling.signatures import KERNELS, UPDATE, Constants, Kernels, Observations, Scales
from assimilearn.assimilation.cycling.start import Start, first_analysis, first_ensemble
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings, MemberSettings
from assimilearn.models.called import CalledStep
from assimilearn.models.protocol import CompiledStep, Model, draws_of, with_memory
from assimilearn.models.signatures import by_pointer
from assimilearn.observations.correlation_kernels import leave, whiten
from assimilearn.observations.operator_kernels import observing

NOISE_SIZE = 2_000_000  # random numbers held at once (16 MB): memory does not grow with the length of the run
LONGEST_CHUNK = 2_000_000  # times and entries of the ensemble between two updates of the progress bar
LARGEST_CHUNK = 1_000_000  # times and sites cycled at once: what a streamed run holds of each series (4 MB)


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
    compiled : bool
        Whether ``update`` is compiled; the cycle of a Python function is interpreted.
    """

    update: Any
    parameters: np.ndarray
    start: Start
    noise: int = 0
    static_variance: np.ndarray | None = None
    moments: Any = ensemble_moments
    compiled: bool = True


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
    start_rng, *rngs = rng.spawn(6)
    draws = Draws(problem, settings, run.error, method.noise, draws_of(run.model), rngs)
    record = (problem.new_record or empty_record)(problem)
    record.adapts(quantities(settings, problem))
    E = first_time(problem, method, settings, run.scales, record, start_rng, rngs[3])
    keep = kept_times(settings, problem.period)
    fitting = noise_size // draws.per_time(len(E)), LARGEST_CHUNK // problem.model.size, LONGEST_CHUNK // E.size
    chunk = max(1, min(fitting))
    shown = {"desc": settings.method, "unit": "analysis", "unit_scale": chunk, "leave": False, "delay": 2}
    for first in tqdm(range(1, problem.times.size, chunk), disable=None, **shown):
        here = slice(first, min(first + chunk, problem.times.size))
        part = record.part(here)
        observations, output = observations_of(problem, here, keep), record.output(part, here, keep)
        done = run.cycle(*run.kernels, run.constants, run.scales, observations, draws.of(here, len(E)), output, E)
        if done < here.stop - first:
            give_up(part, done)
            record.diverged, record.reason = first + done, part.reason
        record.put(here, part)
        if record.diverged is not None:
            break
    return record


class Run(NamedTuple):
    """What stays the same over all observation times of a run.

    Attributes
    ----------
    cycle : callable
        :func:`assimilearn.assimilation.cycling.cycle.cycle`, compiled or not.
    kernels : Kernels
        In the form that it takes.
    constants : Constants
    scales : Scales
    error : ModelError
    model : Model
        What makes the forecasts.
    """

    cycle: Callable[..., int]
    kernels: Kernels
    constants: Constants
    scales: Scales
    error: ModelError
    model: Model


def prepare(problem: Problem, method: Filter, settings: AnalysisSettings) -> Run:
    """Everything that does not depend on chance; the cycle is compiled where update and operator are."""
    error, inflation = model_error(settings, problem), inflation_for(settings)
    model, static_variance = forecast_model(problem.model, settings), method.static_variance
    if problem.biases:
        model = Augmented(model, len(problem.biases))
    lowest, highest = state_bounds(problem)
    observe, compiled = observing(problem.observation.operator)
    step, raising = step_of(model)
    constants = Constants(
        step=step.parameters,
        update=np.ascontiguousarray(method.parameters, dtype=float),
        inflation=inflation.parameters,
        error_std=error.std,
        static_variance=np.zeros(problem.model.size) if static_variance is None else static_variance,
        lowest=lowest,
        highest=highest,
        limit=check_limit(settings),
        operator=problem.observation.operator.rows,
        correlation=problem.observation.correlation,
    )
    kernels = Kernels(
        step=step.step,
        error=error.kernel,
        update=method.update,
        moments=method.moments,
        inflate=inflation.kernel,
        observe=observe,
        whiten=whiten if problem.observation.correlated else leave,
    )
    run = raising(compiled_for(kernels) if method.compiled and compiled else cycle)
    return Run(run, kernels, constants, Scales(inflation.scale, error.scale), error, model)


Loop = Callable[..., int]


def step_of(model: Model) -> tuple[CompiledStep, Callable[[Loop], Loop]]:
    """The step that the cycle calls, and what makes of the cycle one that raises what a step in Python raised."""
    if model.compiled is not None:
        return model.compiled, lambda loop: loop
    called = CalledStep(in_place(model))
    return called.compiled, called.raising


def compiled_for(kernels: Kernels) -> Callable[..., int]:
    """The compiled cycle, once all of ``kernels`` are compiled so that it may take them by pointer."""
    with compiling_all_but_the_update():
        by_pointer(kernels.update, UPDATE)
    for kernel, kind in zip(kernels, KERNELS, strict=True):
        by_pointer(kernel, kind)
    return compiled_cycle()


def in_place(model: Model) -> Any:
    """The step of a model in Python, in the form that the cycle calls."""
    draws = draws_of(model)

    def step(E: np.ndarray, parameters: np.ndarray) -> None:
        if draws == 0:
            E[:] = model.step(E)
        else:
            E[:, :-draws] = model.step(E[:, :-draws], E[:, -draws:])  # type: ignore[call-arg]

    return step


def first_time(
    problem: Problem,
    method: Filter,
    settings: AnalysisSettings,
    scales: Scales,
    record: Record,
    rng: np.random.Generator,
    parameter_rng: np.random.Generator,
) -> np.ndarray:
    """Write the first time of ``record``; E (row, site + memory + parameter), with which the cycle goes on."""
    begin = slice(0, 1)
    head = record.part(begin)
    E = first_analysis(problem, settings, method.start, head, rng, method.moments)
    record.kept, record.members, record.forecast_members = head.kept, head.members, head.forecast_members
    estimated = {**settings.estimates, **problem.biases}
    E = np.ascontiguousarray(with_parameters(with_memory(problem.model, E), estimated, parameter_rng))
    own = np.ascontiguousarray(E[:, E.shape[1] - len(estimated) :])
    mean, variance = np.empty((2, own.shape[1]))
    ensemble_moments(own, mean, variance)
    write_adapted(scales, mean, variance, head.adapted[0])
    record.put(begin, head)
    return E


def observations_of(problem: Problem, here: slice, keep: np.ndarray) -> Observations:
    """The observation times ``here``."""
    value, variance, sites, valid = (s[here] for s in (problem.value, problem.variance, problem.sites, problem.valid))
    return Observations(problem.steps[here], value, variance, sites, valid, keep[here])
