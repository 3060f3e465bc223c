"""Searches of a study: every value must be valid, every fold hold a forecast, and the cost be allowed."""

from collections.abc import Callable, Iterator
from typing import Any

from assimilearn.study.problems import Problem
from assimilearn.study.schema import AnalysisNode, EmulatorNode, Scenario
from assimilearn.study.values import bad_values
from assimilearn.tuning.analyses import TuneAnalysisSettings, TunedAnalysis
from assimilearn.tuning.emulators import SHORTEST_GAP
from assimilearn.tuning.space import OF_MODEL


def values(scenario: Scenario) -> Iterator[Problem]:
    """Every value that is sought must be a valid value of an existing setting."""
    emulators: dict[str, Any] = dict(scenario.emulators)
    for name, node in emulators.items():
        yield from _of_search(f"emulators.{name}.tune", node.tune, (node, EmulatorNode), None)
    analyses: dict[str, Any] = dict(scenario.analyses)
    for name, node in analyses.items():
        model = (emulators[node.model], EmulatorNode) if node.model in emulators else None
        yield from _of_search(f"analyses.{name}.tune", node.tune, (node, AnalysisNode), model)
    for name, loop in scenario.loops.items():
        tune = getattr(loop.analysis, "tune", None)
        yield from _of_search(f"loops.{name}.analysis.tune", tune, (loop.analysis, TunedAnalysis), None)


def _of_search(path: str, search: Any, own: tuple[Any, Any], model: tuple[Any, Any] | None) -> Iterator[Problem]:
    """Problems of the values of one search, of the settings of a node or of its model, given as (node, kind)."""
    if search is None:
        return
    plain = isinstance(search, TuneAnalysisSettings) and not search.distributions
    short = plain and search == TuneAnalysisSettings(grid=search.grid)
    listed = [(name if short else f"grid.{name}", name, tried) for name, tried in search.grid.items()]
    listed += [
        (f"distributions.{name}", name, distribution.ends) for name, distribution in search.distributions.items()
    ]
    for place, name, tried in listed:
        if name.startswith(OF_MODEL) and model is not None:
            yield from bad_values(*model, name.removeprefix(OF_MODEL), tried, f"{path}.{place}")
        elif name.startswith(OF_MODEL):
            reason = "its model is not an emulator of this study, whose settings could be sought"
            yield Problem(f"{path}.{place}", None, reason)
        else:
            yield from bad_values(*own, name, tried, f"{path}.{place}")


def one_search_each(scenario: Scenario) -> Iterator[Problem]:
    """No emulator may be tuned in two places, nor share its name with an analysis that is tuned."""
    analyses: dict[str, Any] = dict(scenario.analyses)
    tuned = {name for name, node in scenario.emulators.items() if node.tune}
    jointly = [node.model for node in analyses.values() if node.tune and node.tune.reaches_model]
    for name, node in analyses.items():
        if node.tune and node.tune.reaches_model and (jointly.count(node.model) > 1 or node.model in tuned):
            reason = f"the settings of {node.model} are sought in another place too: give it an emulator of its own"
            yield Problem(f"analyses.{name}.tune", None, reason)
        if node.tune and name in tuned:
            yield Problem(f"analyses.{name}.tune", None, "an emulator of the same name is tuned too: rename one")


def learned_from_observations(scenario: Scenario) -> Iterator[Problem]:
    """What is fitted to observations has no held-out analyses to forecast."""
    emulators: dict[str, Any] = dict(scenario.emulators)
    for name, node in emulators.items():
        if node.tune is not None and "observations" in node.needs:
            message = f"the method {node.method} learns from observations: it has no search"
            yield Problem(f"emulators.{name}.tune", None, message)


def folds(scenario: Scenario) -> Iterator[Problem]:
    """Each held-out block must hold a forecast, and leave something to train on."""
    emulators: dict[str, Any] = dict(scenario.emulators)
    for name, node in emulators.items():
        search = node.tune
        if search is None:
            continue
        train, path = scenario.periods.train - search.calibration, f"emulators.{name}.tune"
        count, gap = search.folds + (search.splits != "blocked"), SHORTEST_GAP if search.gap is None else search.gap
        block = train // count
        if train < count:
            yield Problem(f"{path}.folds", search.folds, f"more held-out blocks than training times ({train})")
            continue
        if block < search.lead + 1:
            reason = f"forecasts of {search.lead} steps do not fit into a held-out block of {block} training times"
            advice = "shorten them, lower `folds` or lengthen `periods.train`"
            yield Problem(f"{path}.lead", search.lead, f"{reason}: {advice}")
        left = _left_of_fold(train, search.folds, gap) if search.splits == "blocked" else max(block - gap, 0)
        if left < (needed := node.steps + 1):
            reason = f"so many times left out around a held-out block of {block} leave {left} of {train} training times"
            advice = "lower `gap` or lengthen `periods.train`"
            yield Problem(f"{path}.gap", gap, f"{reason} in a row, and {needed} are needed: {advice}")


def _left_of_fold(train: int, folds: int, gap: int) -> int:
    """The longest part of the training period that the fold with the least leaves before or after its block."""
    long, extra = divmod(train, folds)
    starts = {k: k * long + min(k, extra) for k in (0, folds // 2, (folds - 1) // 2, folds - 1)}
    ends = {k: start + long + (k < extra) for k, start in starts.items()}
    return min(max(starts[k] - gap, train - ends[k] - gap, 0) for k in starts)


def costs(scenario: Scenario) -> Iterator[Problem]:
    """No search may take more fits or runs than it allows itself."""
    searches: dict[str, tuple[Any, int]] = {
        f"emulators.{n}.tune": (e.tune, e.tune.folds) for n, e in scenario.emulators.items() if e.tune
    }
    analyses: dict[str, Any] = dict(scenario.analyses)
    searches |= {f"analyses.{n}.tune": (node.tune, 1) for n, node in analyses.items() if node.tune}
    for path, (search, parts) in searches.items():
        if search.points * parts > search.limit:
            message = f"the search takes {search.points * parts:,} fits or runs: shorten it, or raise its limit"
            yield Problem(f"{path}.limit", search.limit, message)


SEARCHES: dict[Callable[[Scenario], Iterator[Problem]], tuple[str, ...]] = {
    values: (),
    one_search_each: (),
    learned_from_observations: (),
    folds: ("periods",),
    costs: (),
}
"""Every check, with the sections that it compares."""
