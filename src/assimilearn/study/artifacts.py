"""The kinds of files that a scenario makes: where they stand, and which verbs write and read them.

A file names its kind in its attribute ``kind``. What figures call a kind is one of these, or a view: those of them that
hold something more.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import xarray as xr

TIMES, SETTING = "training_times", "setting_"
Scenario = Any  # of the schema, which is not imported: the verb that draws figures would depend on every method


class Artifact(NamedTuple):
    """One kind of file.

    Attributes
    ----------
    path : below the folder of the scenario, with the name of the node for ``{}``
    written_by, read_by : verbs
    nodes : names of the nodes of a scenario that have such a file
    """

    path: str
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    nodes: Callable[[Scenario], Iterable[str]]


class View(NamedTuple):
    """Those files of a kind that hold something.

    Attributes
    ----------
    of : kind of file
    planned : whether the file of a node will hold it
    held : whether a file does hold it
    """

    of: str
    planned: Callable[[Scenario, str], bool]
    held: Callable[[xr.Dataset], bool]


ARTIFACTS: dict[str, Artifact] = {
    "model": Artifact(
        "models/{}.nc",
        ("climate",),
        (
            *("simulate", "ingest", "ingest-truth", "assimilate", "train-assimilator", "tune-analysis", "sweep"),
            *("score-forecasts", "explain-model", "measure-cost"),
        ),
        lambda scenario: scenario.models,
    ),
    "climatology": Artifact(
        "climatology.nc",
        ("climatology",),
        ("assimilate", "tune-analysis", "score-forecasts"),
        lambda scenario: ["climatology"] if takes_record(scenario) else [],
    ),
    "truth": Artifact(
        "truth.nc",
        ("simulate", "ingest-truth"),
        (
            *("observe", "assimilate", "train-assimilator", "tune-analysis", "score-analysis", "score-forecasts"),
            *("score-classifier", "figure"),
        ),
        lambda scenario: ["truth"] if scenario.data is None or scenario.data.truth is not None else [],
    ),
    "withheld": Artifact(
        "withheld.nc",
        ("ingest",),
        ("score-analysis", "score-forecasts", "figure"),
        lambda scenario: ["withheld"] if scenario.data is not None and scenario.data.withhold is not None else [],
    ),
    "observations": Artifact(
        "observations.nc",
        ("observe", "ingest"),
        (
            *("climatology", "ingest-truth", "assimilate", "train", "train-assimilator", "tune-analysis"),
            "learn-again",
            *("assimilate-again", "score-analysis", "score-forecasts"),
        ),
        lambda scenario: ["observations"],
    ),
    "analyses": Artifact(
        "analyses/{}.nc",
        ("assimilate", "best-cycle"),
        (
            *(
                "tune",
                "tune-analysis",
                "train",
                "train-classifier",
                "score-classifier",
                "learn-again",
                "assimilate-again",
                "score-analysis",
            ),
            *("score-forecasts", "explain-model", "measure-cost", "figure"),
        ),
        lambda scenario: [*scenario.analyses, *scenario.loops],
    ),
    "tuning": Artifact(
        "tuning/{}.nc",
        ("tune", "tune-analysis"),
        ("train", "assimilate", "best", "scorecard", "figure"),
        lambda scenario: [
            n for part in (scenario.emulators, scenario.analyses) for n, node in part.items() if node.tune
        ],
    ),
    "emulators": Artifact(
        "emulators/{}.nc",
        ("train", "best-cycle"),
        (
            *("assimilate", "train-assimilator", "tune-analysis", "sweep", "score-forecasts", "explain-model"),
            *("measure-cost", "figure"),
        ),
        lambda scenario: [*scenario.emulators, *scenario.loops],
    ),
    "assimilators": Artifact(
        "assimilators/{}.nc",
        ("train-assimilator",),
        ("assimilate", "tune-analysis", "sweep", "scorecard"),
        lambda scenario: scenario.assimilators,
    ),
    "explanations": Artifact(
        "explanations/{}.nc",
        ("explain-model",),
        ("scorecard", "figure"),
        lambda scenario: [*scenario.emulators, *scenario.loops] if scenario.explain and scenario.models else [],
    ),
    "classifiers": Artifact(
        "classifiers/{}.nc", ("train-classifier",), ("score-classifier",), lambda scenario: scenario.classifiers
    ),
    "classifier_scores": Artifact(
        "scores/classifiers/{}.nc",
        ("score-classifier",),
        ("scorecard", "figure"),
        lambda scenario: scenario.classifiers,
    ),
    "costs": Artifact(
        "costs/{}.nc",
        ("measure-cost",),
        ("figure",),
        lambda scenario: forecast_models(scenario) if scenario.cost else [],
    ),
    "sweeps": Artifact("sweeps/{}.nc", ("sweep",), ("scorecard", "figure"), lambda scenario: scenario.sweeps),
    "analysis_scores": Artifact(
        "scores/analyses/{}.nc",
        ("score-analysis",),
        ("scorecard", "figure"),
        lambda scenario: [*scenario.analyses, *scenario.loops],
    ),
    "loop_scores": Artifact(
        "scores/loops/{}.nc",
        ("score-analysis",),
        ("figure",),
        lambda scenario: [f"{n}/{k}" for n, loop in scenario.loops.items() for k in range(1, loop.cycles + 1)],
    ),
    "forecast_scores": Artifact(
        "scores/forecasts/{}.nc",
        ("score-forecasts",),
        ("scorecard", "figure"),
        lambda scenario: forecast_models(scenario),
    ),
}
"""Kind -> file."""

COMPARED = 4  # networks in a scenario from which on one figure shows them beside each other

VIEWS: dict[str, View] = {
    "model": View("model", lambda scenario, name: name == next(iter(scenario.models), None), lambda file: True),
    "spectra": View(
        "forecast_scores",
        lambda scenario, name: scenario.forecasts.lyapunov_duration > 0,
        lambda file: "lyapunov_exponent" in file,
    ),
    "one_steps": View(
        "forecast_scores",
        lambda scenario, name: scenario.data is None or scenario.data.truth is not None,
        lambda file: "increment" in file,
    ),
    "verified_forecasts": View(
        "forecast_scores",
        lambda scenario, name: scenario.data is not None and scenario.data.truth is None,
        lambda file: "skill" in file,
    ),
    "emulators": View(
        "emulators",
        lambda scenario, name: name in networks(scenario),
        lambda file: True,
    ),
    "trainings": View(
        "emulators",
        lambda scenario, name: name in networks(scenario) and len(networks(scenario)) >= COMPARED,
        lambda file: "step_loss" in file,
    ),
    "polynomials": View(
        "emulators",
        lambda scenario, name: learner(scenario, name).states_coefficients,
        lambda file: "coefficient" in file,
    ),
    "surrogates": View(
        "tuning",
        lambda scenario, name: of_one_number(scenario, name),
        lambda file: sum(str(name).startswith("setting_") for name in file.coords) == 1,
    ),
    "complexities": View(
        "tuning",
        lambda scenario, name: search_of_emulator(scenario, name) and searched(scenario, name) not in (None, TIMES),
        lambda file: "training" in file and varied(file) not in (None, TIMES),
    ),
    "data_curves": View(
        "tuning",
        lambda scenario, name: search_of_emulator(scenario, name) and searched(scenario, name) == TIMES,
        lambda file: "training" in file and varied(file) == TIMES,
    ),
    "tuned_analyses": View(
        "tuning",
        lambda scenario, name: name in scenario.analyses,
        lambda file: file.attrs["tuned_part"] == "analysis",
    ),
    "grids": View("sweeps", lambda scenario, name: scenario.sweeps[name].is_grid, lambda file: True),
}
"""What figures call some files of a kind -> which; any other kind is all files of it."""


def takes_record(scenario: Scenario) -> bool:
    """Whether something takes the climatology of the record."""
    return not scenario.models or any(node.climatology == "record" for node in scenario.analyses.values())


def of_one_number(scenario: Scenario, name: str) -> bool:
    """Whether the search of a node draws one number, in 8 trials or more."""
    search = search_of(scenario, name)
    distributions = list(search.distributions.values())
    one = not search.grid and len(distributions) == 1 and distributions[0].distribution in ("uniform", "log_uniform")
    return one and search.points >= 8


def search_of_emulator(scenario: Scenario, name: str) -> bool:
    """Whether it is an emulator of this name that has a search, not an analysis."""
    return name in scenario.emulators and scenario.emulators[name].tune is not None


def search_of(scenario: Scenario, name: str) -> Any:
    """The search of the emulator or analysis of this name that has one."""
    return (scenario.emulators if search_of_emulator(scenario, name) else scenario.analyses)[name].tune


def searched(scenario: Scenario, name: str) -> str | None:
    """The one setting over whose numbers the search of a node goes as a grid of 3 or more; None for any other."""
    grid = search_of(scenario, name).grid
    numbers = len(grid) == 1 and all(type(value) in (int, float) for value in next(iter(grid.values())))
    return next(iter(grid)) if numbers and len(next(iter(grid.values()))) >= 3 else None


def varied(search: xr.Dataset) -> str | None:
    """The same of the file of a search."""
    names = [str(name) for name in search.coords if str(name).startswith(SETTING)]
    if len(names) != 1 or search[names[0]].dtype.kind not in "if" or len(set(search[names[0]].values)) < 3:
        return None
    return names[0].removeprefix(SETTING)


def forecast_models(scenario: Scenario) -> list[str]:
    """Every model whose forecasts are scored: the first physical one, if any, the emulators and those of the loops.

    None without analyses, which forecasts start from.
    """
    return [*list(scenario.models)[:1], *scenario.emulators, *scenario.loops] if scenario.analyses else []


def learner(scenario: Scenario, name: str) -> Any:
    """Settings of an emulator, or of that of a loop."""
    return scenario.loops[name].emulator if name in scenario.loops else scenario.emulators[name]


def networks(scenario: Scenario) -> list[str]:
    """Emulators that are trained in epochs, without those of loops."""
    return [name for name in scenario.emulators if learner(scenario, name).trained_in_epochs]


def files(scenario: Scenario, kind: str) -> list[str]:
    """Paths, below the folder of the scenario, of all files of a kind or of a view of one; none for any other name."""
    if kind == "model" and not scenario.models:
        kind = "climatology"
    view = VIEWS.get(kind)
    of = view.of if view else kind
    if of not in ARTIFACTS:
        return []
    artifact = ARTIFACTS[of]
    return [
        artifact.path.format(name) for name in artifact.nodes(scenario) if view is None or view.planned(scenario, name)
    ]


def kinds_of(file: xr.Dataset) -> list[str]:
    """What figures call a file: its kind, and the views that it is in."""
    kind = str(file.attrs.get("kind"))
    if kind == "climatology":
        return ["model"]  # it takes the place of a model's
    views = [name for name, view in VIEWS.items() if view.of == kind and name != kind and view.held(file)]
    return [*([kind] if kind in ARTIFACTS else []), *views]
