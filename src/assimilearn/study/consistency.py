"""What a schema cannot say: names that must exist, chains that must not loop, settings that must fit each other."""

from collections.abc import Callable, Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from assimilearn.assimilation import AnyAnalysis
from assimilearn.emulators import AnyEmulator
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.errors import PluginError, SettingsError
from assimilearn.figures import FIGURES
from assimilearn.models import build
from assimilearn.models.climate import refuse_misfit
from assimilearn.models.fields import model_geometry
from assimilearn.models.geometry import Geometry, stations
from assimilearn.models.projection import projection
from assimilearn.models.regions import masks
from assimilearn.registry import FromPlugin
from assimilearn.study.geometries import geometry_of_states
from assimilearn.study.lengths import SIZES_AND_LENGTHS
from assimilearn.study.problems import Problem, unknown
from assimilearn.study.references import references
from assimilearn.study.schema import Scenario
from assimilearn.study.searches import SEARCHES
from assimilearn.study.valid_part import NAMING, NODES, Place
from assimilearn.study.values import bad_values

STATIONS = stations({"value": "1"}, ["0", "1", "2"])
"""What methods of plug-ins are tried on where there is no model."""


def inconsistencies(scenario: Scenario, broken: Collection[Place] = ()) -> list[Problem]:
    """Every problem of a scenario whose parts are each valid.

    Parameters
    ----------
    scenario : Scenario
    broken : places that hold a default or a stand-in, as :func:`assimilearn.study.valid_part.valid_part` gives them
        Nothing is said of them, nor where a section that counts is among them.
    """
    if () in broken:
        return []
    sections = {place[0] for place in broken}
    names = () if {place[0] for place in broken if len(place) == 1} & {*NODES} else (_unknown_names, _needs_itself)
    checks = [*names, *(check for check, read in CHECKS.items() if not sections & {*read})]
    found = [problem for check in checks for problem in check(scenario)]
    return [problem for problem in found if not any(_of_stand_in(problem.path, place) for place in broken)]


def _of_stand_in(path: str, place: Place) -> bool:
    """Whether a path is that of a place which holds no settings of the user's, and is no name of another node."""
    text = ".".join(map(str, place))
    inside = f"{path}.".startswith(f"{text}.")
    return inside and (path == text or path.rsplit(".", 1)[-1] not in NAMING)


def _unknown_names(scenario: Scenario) -> Iterator[Problem]:
    if not scenario.models and scenario.data is None:
        yield Problem("models", None, "name one model or more, or bring a record under `data`")
    for name in scenario.models.keys() & scenario.emulators.keys():
        yield Problem(f"emulators.{name}", None, "a model under `models` has the same name: rename one of the two")
    if not scenario.analyses and not scenario.sweeps:
        yield Problem("analyses", None, "name one analysis or more, or something under `sweeps`")
    for section in ("models", "emulators", "analyses"):
        for name in scenario.loops.keys() & getattr(scenario, section).keys():
            yield Problem(f"loops.{name}", None, f"the same name stands under `{section}`: rename one of the two")
    if scenario.truth.model is not None and scenario.truth.model not in scenario.models:
        yield Problem("truth.model", None, unknown("model", scenario.truth.model, scenario.models))
    for reference in references(scenario):
        if reference.found(scenario) is None:
            message = unknown(reference.target.what, reference.name, reference.allowed(scenario))
            yield Problem(f"{reference.place}.{reference.setting}", None, message)


def _assimilators(scenario: Scenario) -> Iterator[Problem]:
    """A step that learns from the truth needs one; a loop has none to give its analyses."""
    for name, node in scenario.assimilators.items():
        if "truth" in node.needs and scenario.data is not None and scenario.data.truth is None:
            advice = "no truth is known of the data: set `learns_from: observations`"
            yield Problem(f"assimilators.{name}.learns_from", None, advice)
    looped: dict[str, Any] = {name: loop.analysis for name, loop in scenario.loops.items()}
    for name, analysis in looped.items():
        if analysis.needs:
            yield Problem(f"loops.{name}.analysis.method", analysis.method, "a loop cannot use a trained step")


def _regions(scenario: Scenario) -> Iterator[Problem]:
    """A region is a part of the states of the first model."""
    if scenario.regions and _truth_exists(scenario):
        try:
            masks(scenario.regions, geometry_of_states(scenario))
        except SettingsError as error:
            place, _, reason = str(error).partition(": ")
            yield Problem(place, None, reason)


def _beginnings(scenario: Scenario) -> Iterator[Problem]:
    """An analysis can begin beside a truth only where there is one."""
    for name, node in scenario.analyses.items():
        if node.beside_truth and scenario.data is not None and scenario.data.truth is None:
            advice = "no truth is known of the data, beside which the analysis could begin: give start_mean too"
            yield Problem(f"analyses.{name}.start_std", node.start_std, advice)


def _needs_itself(scenario: Scenario) -> Iterator[Problem]:
    """An emulator may not learn from an analysis that needs the emulator, nor a loop start from what needs the loop."""
    needs: dict[str, list[str]] = {}
    for reference in references(scenario):
        needs.setdefault(reference.place, []).extend(filter(None, [reference.found(scenario)]))
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        yield Problem(error.args[1][0], None, "needs itself: " + " <- ".join(error.args[1]))


def _loop_settings(scenario: Scenario) -> Iterator[Problem]:
    """Every setting of the first cycle must be valid."""
    for name, loop in scenario.loops.items():
        for setting, value in loop.first.items():
            yield from bad_values(loop.emulator, AnyEmulator, setting, [value], f"loops.{name}.first.{setting}")


def _sweeps(scenario: Scenario) -> Iterator[Problem]:
    """Every value of a sweep must be valid, and the truth known."""
    for name, node in scenario.sweeps.items():
        if scenario.data is not None:
            yield Problem(f"sweeps.{name}", None, "a sweep simulates its truths: it cannot be used with `data`")
        for setting, values in node.over.items():
            path = f"sweeps.{name}.over.{setting}"
            if not values:
                yield Problem(path, None, "needs a value or more")
            yield from bad_values(node.analysis, AnyAnalysis, setting, values, path)


def _periods(scenario: Scenario) -> Iterator[Problem]:
    analyses: list[Any] = list(scenario.analyses.values())
    tuned = any(node.tune for node in analyses)
    if not scenario.periods.validation and (tuned or scenario.emulators or scenario.loops or scenario.assimilators):
        yield Problem("periods.validation", 0, "must be 1 or more: emulators and tuned filters are chosen on it")


def _forecasts(scenario: Scenario) -> Iterator[Problem]:
    if not scenario.analyses or scenario.data is not None or not _truth_exists(scenario):
        return
    model, lead = build(scenario.models[scenario.truth.model or next(iter(scenario.models))]), scenario.forecasts.lead
    longest = (scenario.periods.test - 1) * float(np.max(scenario.observations.every)) * model.time_step
    if lead > longest:
        reason = f"forecasts start and end in the test period, which lasts {longest:g} MTU: shorten it or lengthen"
        yield Problem("forecasts.lead", lead, f"{reason} `periods.test`")


def _network(scenario: Scenario) -> Iterator[Problem]:
    if scenario.data is not None:
        return
    count = scenario.observations.network.needed
    if not _truth_exists(scenario):
        return
    size = geometry_of_states(scenario).size
    if count > size:
        yield Problem("observations.network.count", count, f"more sites than the model has ({size})")


def _fields_of_truth(scenario: Scenario) -> Iterator[Problem]:
    """The truth must have the fields that it is kept in, and every forecast model their sites."""
    truth = scenario.truth
    if scenario.data is not None or not _truth_exists(scenario):
        return
    kept, whole = geometry_of_states(scenario), scenario.models[truth.model or next(iter(scenario.models))]
    if truth.fields is not None:
        try:
            projection(model_geometry(build(whole)), kept, truth.fields)
        except SettingsError as error:
            yield Problem("truth.fields", None, str(error))
    nodes: list[tuple[str, str | None, int]] = [
        (f"analyses.{n}", a.model, kept.size) for n, a in scenario.analyses.items()
    ]
    for n, sweep in scenario.sweeps.items():
        own = scenario.models.get(sweep.truth_model or "")
        nodes.append((f"sweeps.{n}", sweep.model, kept.size if own is None else build(own).size))
    for path, name, size in nodes:
        physical = scenario.models.get(name or next(iter(scenario.models)))
        if physical is not None and build(physical).size != size:
            message = f"has {build(physical).size} sites, the truth {size}: say in `truth.fields` what is kept of it"
            yield Problem(f"{path}.model", name, message)


def _instrument(scenario: Scenario) -> Iterator[Problem]:
    """Methods that cannot use observations of functions of the state, or with correlated errors."""
    observing = scenario.observations
    if scenario.data is not None or not scenario.models:
        return
    instruments, smallest = observing.each.values(), min(build(model).size for model in scenario.models.values())
    if max(len(one.operator.weights) for one in instruments) > smallest:
        yield Problem("observations.operator.weights", None, "the footprint has more sites than the model")
    between = any(one.network.between_sites for one in instruments)
    function = between or len(observing.each) > 1 or any(not one.operator.direct for one in instruments)
    correlated = any(one.tells_correlation for one in instruments)
    for path, node in _assimilating(scenario):
        if function and not node.any_operator:
            yield Problem(path, node.method, "takes observations of the state itself only: `observations.operator`")
        if correlated and not node.correlated_errors:
            advice = 'set `observations.assumed_correlation` to "none", with a larger `assumed_error_std`'
            yield Problem(path, node.method, f"takes independent observation errors only: {advice}")
    for path, node in _learning(scenario):
        if "observations" in node.needs and (function or correlated):
            message = "learns from observations of the state itself, with independent errors"
            yield Problem(path, node.method, message)


def _parameters(scenario: Scenario) -> Iterator[Problem]:
    """Parameters to be estimated are those of a physical model."""
    nodes: list[tuple[str, Any, str | None]] = [(f"analyses.{n}", a, a.model) for n, a in scenario.analyses.items()]
    nodes += [(f"loops.{n}.analysis", loop.analysis, n) for n, loop in scenario.loops.items()]
    nodes += [(f"sweeps.{n}.analysis", s.analysis, s.model) for n, s in scenario.sweeps.items()]
    for path, node, model in nodes:
        physical = scenario.models.get(model or next(iter(scenario.models), ""))
        learned = model in scenario.emulators or model in scenario.loops
        for name in node.estimates:
            if learned:
                yield Problem(f"{path}.parameters.{name}", None, "a learned model has no parameters to estimate")
            elif not scenario.models:
                yield Problem(f"{path}.parameters.{name}", None, "a record has no model with parameters to estimate")
            elif physical is not None and name not in physical.estimable:
                yield Problem(f"{path}.parameters.{name}", None, unknown("parameter", name, physical.estimable))


def _tried_parts(scenario: Scenario) -> Iterator[Problem]:
    """Models of plug-ins take one step, methods make one analysis, operators observe, emulators learn a few states."""
    tries: list[tuple[str, Any, tuple[Geometry, ...]]] = [
        (f"models.{n}", node, ()) for n, node in scenario.models.items()
    ]
    geometry = next((build(model).geometry for model in scenario.models.values()), STATIONS)
    tries += [(f"analyses.{n}", node, (geometry,)) for n, node in scenario.analyses.items()]
    learners: list[tuple[str, Any]] = [(f"emulators.{n}", node) for n, node in scenario.emulators.items()]
    learners += [(f"loops.{n}.emulator", loop.emulator) for n, loop in scenario.loops.items()]
    tries += [(path, node, (geometry,)) for path, node in learners if not isinstance(node, NetworkSettings)]
    tries += [(f"loops.{n}.analysis", loop.analysis, (geometry,)) for n, loop in scenario.loops.items()]
    tries += [(f"sweeps.{n}.analysis", sweep.analysis, (geometry,)) for n, sweep in scenario.sweeps.items()]
    for name, instrument in scenario.observations.each.items():
        section = f"observations.instruments.{name}" if name else "observations"
        tries.append((f"{section}.operator", instrument.operator, ()))
    for place, node, arguments in tries:
        if isinstance(node, FromPlugin):
            try:
                node.part.implementation.try_out(node, *arguments)
            except PluginError as error:
                yield Problem(place, None, str(error))


def _unlike_sites(scenario: Scenario) -> Iterator[Problem]:
    """Methods that need distances, and emulators of one function for all sites, for models that do not allow it."""
    if scenario.data is None and _truth_exists(scenario):
        yield from unlike_sites(scenario, geometry_of_states(scenario))


def unlike_sites(scenario: Scenario, geometry: Geometry) -> Iterator[Problem]:
    """The same for states of a geometry."""
    steps = ((f"assimilators.{n}.method", node) for n, node in scenario.assimilators.items())
    for path, node in (*_assimilating(scenario), *_learning(scenario), *steps):
        try:
            node.refuse_unlike(geometry)
        except SettingsError as error:
            yield Problem(path, node.method, str(error))


def _climate(scenario: Scenario) -> Iterator[Problem]:
    """The climatology must be one that the models can have, and hold what the methods need."""
    if scenario.data is None:
        for name, settings in scenario.models.items():
            model = build(settings)
            try:
                refuse_misfit(model, scenario.climate, model_geometry(model))
            except SettingsError as error:
                yield Problem("climate", None, f"{error} (model {name})")
    for path, node in _assimilating(scenario):
        if node.needs_states and scenario.climate.states < 2:
            yield Problem(path, node.method, "needs states of the free run: set `climate.states`, 100 or more")


def _figures(scenario: Scenario) -> Iterator[Problem]:
    """Figures that are asked for by name must suit the geometry."""
    if _truth_exists(scenario):
        yield from unsuited_figures(scenario, geometry_of_states(scenario))


def unsuited_figures(scenario: Scenario, geometry: Geometry) -> Iterator[Problem]:
    """The same for states of a geometry."""
    for name in scenario.figures or ():
        reason = FIGURES[name].unsuited(geometry)
        if reason is not None:
            yield Problem("figures", None, f"{name} {reason}: leave it out")


def _assimilating(scenario: Scenario) -> Iterator[tuple[str, Any]]:
    """Path and settings of every assimilation method that a scenario names."""
    yield from ((f"analyses.{n}.method", node) for n, node in scenario.analyses.items())
    yield from ((f"loops.{n}.analysis.method", loop.analysis) for n, loop in scenario.loops.items())
    yield from ((f"sweeps.{n}.analysis.method", node.analysis) for n, node in scenario.sweeps.items())


def _learning(scenario: Scenario) -> Iterator[tuple[str, Any]]:
    """Path and settings of every emulator that a scenario names."""
    yield from ((f"emulators.{n}.method", node) for n, node in scenario.emulators.items())
    yield from ((f"loops.{n}.emulator.method", loop.emulator) for n, loop in scenario.loops.items())


CHECKS: dict[Callable[[Scenario], Iterator[Problem]], tuple[str, ...]] = {
    _loop_settings: (),
    _assimilators: ("data",),
    _beginnings: ("data",),
    _regions: ("models", "truth", "data"),
    _sweeps: (),
    _periods: ("periods",),
    _forecasts: ("models", "truth", "periods", "observations", "forecasts"),
    _network: ("models", "truth", "observations"),
    _fields_of_truth: ("models", "truth", "data"),
    _instrument: ("models", "observations"),
    _parameters: ("models",),
    _unlike_sites: ("models", "truth", "data"),
    _figures: ("models", "truth", "figures"),
    _climate: ("models", "climate"),
    _tried_parts: ("models", "observations"),
    **SEARCHES,
    **SIZES_AND_LENGTHS,
}
"""Every check but those of names, with the sections that it compares."""


def _truth_exists(scenario: Scenario) -> bool:
    """Whether the model of the states is known; that of a record has none, and its file is opened later."""
    return bool(scenario.models) and (scenario.truth.model is None or scenario.truth.model in scenario.models)
