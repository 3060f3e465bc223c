"""What a schema cannot say: names that must exist, chains that must not loop, settings that must fit each other."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from assimilearn.study.problems import Problem, unknown
from assimilearn.study.schema import Scenario


def inconsistencies(scenario: Scenario) -> list[Problem]:
    """Every problem of a scenario whose parts are each valid."""
    return [
        *_unknown_names(scenario),
        *_loops(scenario),
        *_tuned_settings(scenario),
        *_periods(scenario),
        *_network(scenario),
    ]


def _unknown_names(scenario: Scenario) -> Iterator[Problem]:
    for name in scenario.models.keys() & scenario.emulators.keys():
        yield Problem(f"emulators.{name}", None, "a model under `models` has the same name: rename one of the two")
    if scenario.truth.model is not None and scenario.truth.model not in scenario.models:
        yield Problem("truth.model", None, unknown("model", scenario.truth.model, scenario.models))
    for name, analysis in scenario.analyses.items():
        models = [*scenario.models, *scenario.emulators]
        if analysis.model is not None and analysis.model not in models:
            yield Problem(f"analyses.{name}.model", None, unknown("model or emulator", analysis.model, models))
    for name, emulator in scenario.emulators.items():
        if emulator.trained_on not in scenario.analyses:
            message = unknown("analysis", emulator.trained_on, scenario.analyses)
            yield Problem(f"emulators.{name}.trained_on", None, message)


def _loops(scenario: Scenario) -> Iterator[Problem]:
    """An emulator may not learn from an analysis that needs the emulator."""
    needs: dict[str, list[str]] = {
        f"emulators.{n}": [f"analyses.{e.trained_on}"] for n, e in scenario.emulators.items()
    }
    needs |= {f"analyses.{n}": [f"emulators.{a.model}"] for n, a in scenario.analyses.items() if a.model}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        yield Problem(error.args[1][0], None, "needs itself: " + " <- ".join(error.args[1]))


def _tuned_settings(scenario: Scenario) -> Iterator[Problem]:
    """Every value of a search must be a valid value of an existing setting."""
    for section in ("analyses", "emulators"):
        for name, node in getattr(scenario, section).items():
            grid = node.tune if section == "analyses" else getattr(node.tune, "grid", None)
            path = f"{section}.{name}.tune" + ("" if section == "analyses" else ".grid")
            for setting, values in (grid or {}).items():
                if setting not in type(node).model_fields:
                    yield Problem(f"{path}.{setting}", None, unknown("setting", setting, type(node).model_fields))
                    continue
                for value in values:
                    yield from _bad_value(node, setting, value, f"{path}.{setting}")


def _bad_value(node: Any, setting: str, value: Any, path: str) -> Iterator[Problem]:
    try:
        type(node).model_validate(node.model_dump() | {setting: value})
    except ValidationError as error:
        yield Problem(path, value, error.errors()[0]["msg"].lower())


def _periods(scenario: Scenario) -> Iterator[Problem]:
    tuned = any(getattr(node, "tune", None) for node in scenario.analyses.values())
    if not scenario.periods.validation and (tuned or scenario.emulators):
        yield Problem("periods.validation", 0, "must be 1 or more: emulators and tuned filters are chosen on it")


def _network(scenario: Scenario) -> Iterator[Problem]:
    if scenario.data is not None:
        return
    model = scenario.models[scenario.truth.model or next(iter(scenario.models))] if _truth_exists(scenario) else None
    count = getattr(scenario.observations.network, "count", None)
    if model is not None and count is not None and count > model.size:
        yield Problem("observations.network.count", count, f"more sites than the model has ({model.size})")


def _truth_exists(scenario: Scenario) -> bool:
    return scenario.truth.model is None or scenario.truth.model in scenario.models
