"""Lengths and sizes that must fit each other: periods, windows, leads, sites, numbers of values."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from assimilearn.models import build
from assimilearn.study.geometries import geometry_of_states
from assimilearn.study.problems import Problem
from assimilearn.study.schema import Scenario

LARGEST_BYTES = 2**40
MANY = 10_000_000  # experiments
SMALLEST_STD, LARGEST_STD = 1e-150, 1e150


def training(scenario: Scenario) -> Iterator[Problem]:
    """Training and validation periods must hold a window of the emulators that learn from them."""
    emulators: dict[str, Any] = {f"emulators.{name}": node for name, node in scenario.emulators.items()}
    emulators |= {f"loops.{name}.emulator": loop.emulator for name, loop in scenario.loops.items()}
    for path, node in emulators.items():
        for period in ("train", "validation"):
            length, needed = getattr(scenario.periods, period), node.needed_times(period)
            if period == "train" and node.training_times is not None and node.training_times > length:
                message = f"{path}.training_times asks for {node.training_times} of this period"
                yield Problem("periods.train", length, message)
            if 0 < length < needed:
                message = f"{path} needs {needed} successive times of this period, or more"
                yield Problem(f"periods.{period}", length, message)


def stencils(scenario: Scenario) -> Iterator[Problem]:
    """A stencil must not meet itself on the ring."""
    size = _size(scenario)
    emulators: dict[str, Any] = {f"emulators.{name}": node for name, node in scenario.emulators.items()}
    emulators |= {f"loops.{name}.emulator": loop.emulator for name, loop in scenario.loops.items()}
    for path, node in emulators.items():
        radius = node.stencil_radius
        if size is not None and radius is not None and 2 * radius + 1 > size:
            yield Problem(f"{path}.radius", radius, f"a stencil of {2 * radius + 1} sites on a ring of {size}")


def free_runs(scenario: Scenario) -> Iterator[Problem]:
    """The climate of a free run has the axes of the physical model's."""
    free_run, segment = scenario.forecasts.free_run, scenario.climate.segment
    if scenario.analyses and scenario.models and 0 < free_run < segment:
        message = f"shorter than a segment of the power spectrum ({segment:g} MTU): lengthen it, set it to 0 for no run"
        yield Problem("forecasts.free_run", free_run, f"{message}, or shorten `climate.segment`")


def climates(scenario: Scenario) -> Iterator[Problem]:
    """What the free run of each physical model is asked for must exist."""
    settings = scenario.climate
    for name, model in scenario.models.items():
        if settings.lyapunov_count is not None and settings.lyapunov_count > build(model).size:
            message = f"more exponents than the model {name} has sites ({build(model).size})"
            yield Problem("climate.lyapunov_count", settings.lyapunov_count, message)
        shortest = 2 * build(model).time_step
        if settings.segment < shortest:
            message = f"must be two time steps of the model {name} or more ({shortest:g} MTU)"
            yield Problem("climate.segment", settings.segment, message)


def offset(scenario: Scenario) -> Iterator[Problem]:
    """The first observed site must exist."""
    size = _size(scenario)
    for name, instrument in scenario.observations.each.items():
        first = instrument.network.first
        path = f"observations.instruments.{name}" if name else "observations"
        if scenario.data is None and size is not None and first >= size:
            yield Problem(f"{path}.network.offset", first, f"the model has the sites 0 to {size - 1}")


def errors(scenario: Scenario) -> Iterator[Problem]:
    """The square of an error must be a number in double precision."""
    stds = {"observations.error_std": scenario.observations.error_std}
    stds |= {"observations.assumed_error_std": scenario.observations.assumed_error_std or 1.0}
    given = scenario.data.error_std if scenario.data is not None else None
    stds |= {f"data.error_std.{name}": std for name, std in given.items()} if isinstance(given, dict) else {}
    stds |= {"data.error_std": given} if isinstance(given, float) else {}
    for path, std in stds.items():
        if not SMALLEST_STD <= std <= LARGEST_STD:
            yield Problem(path, std, "its square cannot be held in double precision")


def numbers(scenario: Scenario) -> Iterator[Problem]:
    """Nothing may be so large that no machine holds it, nor so many that no run ends."""
    size, times = _size(scenario) or 1, scenario.periods.total
    held: dict[str, float] = {"periods": times * size * 8}
    models = [build(model) for model in scenario.models.values()]
    steps = max((scenario.climate.duration / model.time_step * model.size for model in models), default=0.0)
    held |= {"climate.duration": steps * 8}
    analyses: dict[str, Any] = dict(scenario.analyses)
    for name, analysis in analyses.items():
        held[f"analyses.{name}.members"] = analysis.ensemble_size * size * 8
    for path, count in held.items():
        if count > LARGEST_BYTES:
            yield Problem(path, None, f"would take {count / 1e9:.3g} GB of memory: make it smaller")
    for name, sweep in scenario.sweeps.items():
        yield from _too_many(f"sweeps.{name}.over", [sweep.realizations, *(len(v) for v in sweep.over.values())])


def _too_many(path: str, counts: list[int]) -> Iterator[Problem]:
    """A problem where the combinations of so many values are more than can be run."""
    if prod(counts) > MANY:
        yield Problem(path, None, f"makes {prod(counts):,} combinations: shorten the lists")


def _size(scenario: Scenario) -> int | None:
    """Sites of the truth as it is kept, if its model exists; that of a record has none."""
    exists = bool(scenario.models) and (scenario.truth.model is None or scenario.truth.model in scenario.models)
    return geometry_of_states(scenario).size if exists else None


SIZES_AND_LENGTHS: dict[Callable[[Scenario], Iterator[Problem]], tuple[str, ...]] = {
    training: ("periods",),
    stencils: ("models", "truth"),
    free_runs: ("forecasts", "climate"),
    climates: ("climate", "models"),
    offset: ("observations", "models", "truth", "data"),
    errors: ("observations", "data"),
    numbers: ("models", "periods", "climate", "truth"),
}
"""Every check, with the sections that it compares."""
