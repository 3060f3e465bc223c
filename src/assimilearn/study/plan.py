"""The plan of a study: which files it makes, and what each of them needs. Pure: it reads and writes nothing.

Snakemake asks it for inputs and settings; so can anyone, with ``assimilearn plan``.
"""

import json
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from assimilearn.assimilation.beginning import BeginningSettings
from assimilearn.figures import FIGURES
from assimilearn.observations.observe import ObservationSettings
from assimilearn.observations.record_settings import RecordSettings
from assimilearn.settings import Settings
from assimilearn.study import artifacts
from assimilearn.study.code import Code, code_digest, code_of
from assimilearn.study.content import content_of
from assimilearn.study.geometries import geometry_of_states
from assimilearn.study.references import named
from assimilearn.study.scenarios import Resolved
from assimilearn.study.schema import OfAnalysis, OfAssimilator, OfEmulator, Scenario
from assimilearn.study.variations import variations

RESULTS = "results"


class Plan:
    """What a resolved study needs, by scenario.

    Parameters
    ----------
    resolved : Resolved
        From :func:`assimilearn.study.scenarios.load` or ``resolve``.
    """

    def __init__(self, resolved: Resolved):
        self.study = resolved.study
        self.registry = resolved.registry
        self.scenario_settings = resolved.scenarios
        self.scenarios = {name: ScenarioPlan(self.study.study, name, s) for name, s in resolved.scenarios.items()}

    @property
    def root(self) -> str:
        """Folder of the study's results."""
        return f"{RESULTS}/{self.study.study}"

    @cached_property
    def targets(self) -> list[str]:
        """Everything that a full run makes last."""
        return [
            f"{self.root}/scorecard.csv",
            *self.figures,
            *(path for scenario in self.scenarios.values() for path in scenario.figures),
        ]

    @property
    def figures(self) -> list[str]:
        """Paths of the figures of the whole study, as PDF: of its published numbers, of the settings that it varies."""
        there = {"published": bool(self.study.claims), "sensitivity": bool(self._varied)}
        names = [name for name, reads in FIGURES.items() if reads.of_study]
        return [f"{self.root}/figures/{name}.pdf" for name in names if there[name]]

    @property
    def variations(self) -> str:
        """What the scenarios vary, as canonical JSON."""
        return canonical(self._varied)

    @cached_property
    def _varied(self) -> dict[str, dict[str, float]]:
        return variations(self.scenario_settings)

    @cached_property
    def scorecard_inputs(self) -> list[str]:
        """Every score file of every scenario."""
        return [path for scenario in self.scenarios.values() for path in scenario.scored]

    @cached_property
    def claims(self) -> str:
        """The published numbers, as canonical JSON."""
        return canonical({row: claim.model_dump(mode="json") for row, claim in self.study.claims.items()})

    @property
    def searches(self) -> int:
        """Number of searches, over all scenarios."""
        return sum(len(scenario.files("tuning")) for scenario in self.scenarios.values())

    @property
    def workers(self) -> str:
        """Where searches and sweeps run, as JSON; null for what suits each of them."""
        workers = self.study.workers
        return canonical(workers.model_dump(mode="json") if isinstance(workers, Settings) else workers)

    def tuned(self, section: str) -> str:
        """Regular expression of all names of `emulators` or `analyses` with a search of their own, in any scenario."""
        nodes = {n for s in self.scenarios.values() for n, node in getattr(s.settings, section).items() if node.tune}
        return "|".join(sorted(nodes)) or "$^"

    def portable(self, config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """A study as it was given, with files of plug-ins named from the folder of its results.

        Parameters
        ----------
        config : the study, as nested mappings
        folder : that of the study file
        """
        names = [
            os.path.relpath(folder / name, self.root) if name.endswith(".py") else name for name in self.study.plugins
        ]
        return {**config, **({"plugins": names} if names else {})}

    def code(self, verb: str) -> str:
        """Digest of the code behind a verb."""
        return code_digest(verb)

    def figure_code(self, name: str) -> str:
        """Digest of the code behind a figure."""
        return code_digest("figure", *self.registry["figure", name].files)

    @property
    def brought_files(self) -> list[str]:
        """Paths of all files that the user brings, each once."""
        return list(dict.fromkeys(path for s in self.scenarios.values() for path in s.brought_files))

    def names(self, section: str) -> str:
        """Regular expression of all names of nodes in a section, as `analyses` or `loops`, of any scenario."""
        names = {name for s in self.scenarios.values() for name in getattr(s.settings, section)}
        return "|".join(sorted(names)) or "$^"

    def pattern(self, brought: bool) -> str:
        """Regular expression of the scenarios that use the user's data (or, with False, simulate)."""
        return "|".join(n for n, s in self.scenarios.items() if (s.settings.data is not None) == brought) or "$^"


class ScenarioPlan:
    """Files and settings of one scenario."""

    def __init__(self, study: str, name: str, settings: Scenario):
        self.name = name
        self.settings = settings
        self.root = f"{RESULTS}/{study}/{name}"

    @property
    def first_model(self) -> str | None:
        """The default model: the first under `models`; None for a record without any."""
        return next(iter(self.settings.models), None)

    @property
    def truth_model(self) -> str | None:
        """Name of the model that makes the truth."""
        return self.settings.truth.model or self.first_model

    @property
    def kept_in(self) -> list[str]:
        """Path of the model in whose fields the truth is kept, or nothing where that is its own."""
        return [self.climate] if self.settings.truth.fields is not None else []

    @property
    def has_truth(self) -> bool:
        """Whether there is a truth to verify against."""
        return self.settings.data is None or self.settings.data.truth is not None

    # ---- files ------------------------------------------------------------------------------------------------

    @property
    def observations(self) -> str:
        """Path of the observations."""
        return f"{self.root}/observations.nc"

    @property
    def truth(self) -> list[str]:
        """Path of the truth, or nothing where no truth is known."""
        return [f"{self.root}/truth.nc"] if self.has_truth else []

    def climatology_file(self, name: str | None) -> str:
        """Path of a physical model or an emulator; of the climatology for None, which as a model is persistence."""
        if name is None:
            return f"{self.root}/climatology.nc"
        return f"{self.root}/{'models' if name in self.settings.models else 'emulators'}/{name}.nc"

    def analysis(self, name: str) -> str:
        """Path of an analysis."""
        return f"{self.root}/analyses/{name}.nc"

    def model_of(self, analysis: str) -> str:
        """Path of the forecast model of an analysis."""
        return self.climatology_file(self.settings.analyses[analysis].model or self.first_model)

    @property
    def climate(self) -> str:
        """Path of the first physical model, whose free run is the climatology, or of that of a record without any."""
        return self.climatology_file(self.first_model)

    def beginning(self, analysis: str) -> str:
        """Where an analysis begins, if not at the climatology, as canonical JSON."""
        node = self.settings.analyses[analysis]
        return canonical({name: getattr(node, name) for name in BeginningSettings.model_fields})

    def beginning_truth(self, analysis: str) -> list[str]:
        """Path of the truth, for an analysis that begins beside it, or nothing."""
        return self.truth if self.settings.analyses[analysis].beside_truth else []

    def assimilator_of(self, node: Any) -> list[str]:
        """Path of the learned step of an analysis, or nothing."""
        needed = "assimilator" in node.needs
        return [f"{self.root}/assimilators/{node.assimilator}.nc"] if needed else []

    def swept_assimilator(self, sweep: str) -> list[str]:
        """Path of the learned step that a sweep scores, or nothing."""
        return self.assimilator_of(self.settings.sweeps[sweep].analysis)

    def analysis_assimilator(self, analysis: str) -> list[str]:
        """Path of the learned step of an analysis, or nothing."""
        return self.assimilator_of(self.settings.analyses[analysis])

    def assimilator_inputs(self, assimilator: str) -> dict[str, str]:
        """Paths of all that a learned step needs to be trained, by need; the truth only if it asks for it."""
        node: Any = self.settings.assimilators[assimilator]
        paths = {"observations": self.observations, "climate": self.climate, "truth": f"{self.root}/truth.nc"}
        paths |= {"model": self.climatology_file(node.model or self.first_model)}
        return {need: paths[need] for need in node.needs}

    def assimilator_options(self, assimilator: str) -> list[str]:
        """The options that name what a learned step needs besides observations."""
        inputs = self.assimilator_inputs(assimilator).items()
        return [word for need, path in inputs if need != "observations" for word in option(f"--{need}", [path])]

    @property
    def physics(self) -> list[str]:
        """Path of the first physical model, or nothing."""
        return [self.climate] if self.settings.models else []

    @property
    def physics_option(self) -> list[str]:
        """The option that names it."""
        return option("--model", self.physics)

    def climate_of_analysis(self, analysis: str) -> str:
        """Path of the climatology of an analysis."""
        node = self.settings.analyses[analysis]
        return self.climatology_file(None) if node.climatology == "record" else self.climate_of(node.model)

    def climate_of(self, model: str | None) -> str:
        """Path of the climatology of analyses with a forecast model.

        Of a learned model it is the analysis that it learned from: nothing of another model enters.
        """
        if model in self.settings.emulators:
            return self.trained_on(model)
        if model in self.settings.loops:
            return self.analysis(model)
        return self.climate

    @property
    def withheld(self) -> list[str]:
        """Path of what is withheld from all but verification, or nothing."""
        return self.files("withheld")

    @property
    def withheld_option(self) -> list[str]:
        """The option that names it."""
        return option("--withheld", self.withheld)

    def trained_on(self, emulator: str) -> str:
        """Path of the analysis that an emulator learns from."""
        return self.analysis(self.settings.emulators[emulator].trained_on)

    def training_inputs(self, emulator: str) -> dict[str, str]:
        """Paths of all that an emulator needs to be trained, by the name of the need."""
        return self._needed(self.settings.emulators[emulator])

    def _needed(self, node: Any) -> dict[str, str]:
        """Paths of all that a node that learns ``needs``: files by their kind, or other nodes by the setting."""
        paths = {"analysis": self.analysis(node.trained_on), "observations": self.observations, "climate": self.climate}
        paths |= {name: self.climatology_file(value) for name, value in named(node).items() if name == "model"}
        return {need: paths[need] for need in node.needs}

    def training_options(self, emulator: str) -> list[str]:
        """The options that name what an emulator needs besides its analysis."""
        inputs = self.training_inputs(emulator).items()
        return [word for need, path in inputs if need != "analysis" for word in option(f"--{need}", [path])]

    def classifier_analysis(self, classifier: str) -> str:
        """Path of the analysis that a classifier learns from."""
        return self.analysis(self.settings.classifiers[classifier].trained_on)

    # ---- searches ---------------------------------------------------------------------------------------------

    def tuning(self, emulator: str) -> list[str]:
        """Path of the search that an emulator's settings come from, its own or that of an analysis, or nothing."""
        jointly = [name for name in self.settings.analyses if self.learned_in_search(name) == emulator]
        own = [emulator] if self.settings.emulators[emulator].tune else []
        return [f"{self.root}/tuning/{name}.nc" for name in own or jointly]

    def tuning_of_analysis(self, analysis: str) -> list[str]:
        """Path of the search that the settings of an analysis come from, or nothing."""
        return [f"{self.root}/tuning/{analysis}.nc"] if self.settings.analyses[analysis].tune else []

    def learned_in_search(self, analysis: str) -> str | None:
        """The emulator whose settings are sought together with those of an analysis, or None."""
        node = self.settings.analyses[analysis]
        return node.model if node.tune is not None and node.tune.reaches_model else None

    def search_inputs(self, analysis: str) -> dict[str, str]:
        """Paths of all that the search of an analysis reads besides observations and climate, by option."""
        search, emulator = self.settings.analyses[analysis].tune, self.learned_in_search(analysis)
        if emulator is None:
            inputs = {"model": self.model_of(analysis)}
        else:
            needed = self.training_inputs(emulator)
            inputs = {"analysis": needed["analysis"]} | ({"physics": needed["model"]} if "model" in needed else {})
        truth = self.truth if search is not None and search.objective == "rmse" else []
        more = {"assimilator": self.analysis_assimilator(analysis), "truth": truth}
        return inputs | {name: paths[0] for name, paths in more.items() if paths}

    def search_options(self, analysis: str) -> list[str]:
        """Words of the options that hand them to the verb, with the settings of an emulator that is learned."""
        emulator = self.learned_in_search(analysis)
        learned = [] if emulator is None else option("--emulator", [self.emulator_settings(emulator)])
        inputs = self.search_inputs(analysis).items()
        return [word for name, path in inputs for word in option(f"--{name}", [path])] + learned

    def forecast_start(self, model: str) -> str:
        """Path of the analysis that the forecasts of a model or an emulator start from.

        An emulator starts from the analysis that it learned from, that of a loop from the analysis of the loop; a
        physical model from the analysis that most of them start from, or the last one.
        """
        emulators, loops = self.settings.emulators, self.settings.loops
        if model in emulators:
            return self.trained_on(model)
        if model in loops:
            return self.analysis(model)
        sources = [*(e.trained_on for e in emulators.values()), *loops]
        return self.analysis(max(sources, key=sources.count) if sources else list(self.settings.analyses)[-1])

    # ---- code -------------------------------------------------------------------------------------------------

    def _model_node(self, name: str | None) -> Settings | None:
        """Settings of a physical model, of an emulator, or of the emulator of a loop; the first model by default."""
        name, settings = name or self.first_model, self.settings
        if name is None:
            return None
        if name in settings.loops:
            return settings.loops[name].emulator
        return settings.models[name] if name in settings.models else settings.emulators[name]

    def model_code(self, name: str | None) -> Code:
        """Code of a model, physical or learned."""
        return code_of(*self._model_nodes(name))

    @property
    def observing_code(self) -> Code:
        """Code of the observation operators of users, which all that reads observations needs."""
        return code_of(*self._operator_nodes)

    def forecast_code(self, name: str) -> Code:
        """Code of what verifies the forecasts of a model, physical or learned."""
        return code_of(*self._model_nodes(name), *self._operator_nodes)

    def analysis_code(self, name: str) -> Code:
        """Code of an analysis: its method, its forecast model, the operators of its observations."""
        node = self.settings.analyses[name]
        return code_of(node, *self._model_nodes(node.model), *self._step_nodes(node), *self._operator_nodes)

    def assimilator_code(self, name: str) -> Code:
        """Code of a learned step: its method and its forecast model."""
        node: Any = self.settings.assimilators[name]
        return code_of(node, *self._model_nodes(node.model))

    def classifier_code(self, name: str) -> Code:
        """Code of a classifier."""
        return code_of(self.settings.classifiers[name])

    def cycle_code(self, loop: str) -> Code:
        """Code of a cycle of a loop: its method, its emulator, the operators of its observations."""
        node = self.settings.loops[loop]
        return code_of(node.analysis, node.emulator, *self._operator_nodes)

    def sweep_code(self, name: str) -> Code:
        """Code of a sweep: its method, its forecast model, the model of its truths, the operators that see them."""
        node = self.settings.sweeps[name]
        models = (*self._model_nodes(node.model), *self._model_nodes(node.truth_model or self.truth_model))
        operators = operators_of(node.observations or self.settings.observations)
        return code_of(node.analysis, *models, *self._step_nodes(node.analysis), *operators)

    @property
    def _operator_nodes(self) -> list[Settings]:
        """The observation operators of users."""
        return operators_of(self.settings.observations)

    def _step_nodes(self, node: Any) -> list[Any]:
        """The learned step of an analysis, if it has one."""
        return [self.settings.assimilators[node.assimilator]] if "assimilator" in node.needs else []

    def _model_nodes(self, name: str | None) -> list[Any]:
        """A model, and the physical model that it corrects, if it does; nothing where there is none."""
        node = self._model_node(name)
        if node is None:
            return []
        corrected = [self._model_node(value) for setting, value in named(node).items() if setting == "model"]
        return [node, *corrected]

    # ---- loops ------------------------------------------------------------------------------------------------

    def cycle_folder(self, loop: str, cycle: int) -> str:
        """Folder of the emulator and the analysis of one cycle, counted from 1."""
        return f"{self.root}/loops/{loop}/{cycle}"

    def cycle_folders(self, loop: str) -> list[str]:
        """Folders of all cycles of a loop."""
        return [self.cycle_folder(loop, k) for k in range(1, self.settings.loops[loop].cycles + 1)]

    def analysis_before(self, loop: str, cycle: int) -> str:
        """Path of the analysis that the emulator of a cycle learns from: of the cycle before, or the loop's start."""
        if cycle == 1:
            return self.analysis(self.settings.loops[loop].start)
        return f"{self.cycle_folder(loop, cycle - 1)}/analysis.nc"

    def emulator_before(self, loop: str, cycle: int) -> list[str]:
        """Path of the emulator of the cycle before, or nothing."""
        return [f"{self.cycle_folder(loop, cycle - 1)}/emulator.nc"] if cycle > 1 else []

    def training_threads(self, emulator: str) -> int:
        """Threads that the training of an emulator can use."""
        node: Any = self.settings.emulators[emulator]
        threads: int = node.threads
        return threads

    def cycle_threads(self, loop: str) -> int:
        """Threads that training in a loop can use."""
        return self.settings.loops[loop].emulator.threads

    def cycle_emulator_settings(self, loop: str, cycle: int) -> str:
        """Settings of the emulator of a cycle; the number of cycles is not among them."""
        node = self.settings.loops[loop]
        return canonical(node.emulator.model_dump(mode="json") | (node.first if cycle == 1 else {}))

    # ---- sweeps -----------------------------------------------------------------------------------------------

    def swept_model(self, sweep: str) -> str:
        """Path of the forecast model of a sweep."""
        return self.climatology_file(self.settings.sweeps[sweep].model or self.first_model)

    def swept_truth(self, sweep: str) -> str:
        """Path of the model of the truths of a sweep."""
        return self.climatology_file(self.settings.sweeps[sweep].truth_model or self.truth_model)

    def swept_observations(self, sweep: str) -> str:
        """Settings of the observations of a sweep."""
        return (self.settings.sweeps[sweep].observations or self.settings.observations).canonical()

    def sweep_settings(self, sweep: str) -> str:
        """Settings of a sweep, without what only the plan needs."""
        return canonical(_without(self.settings.sweeps[sweep], {"model", "truth_model", "observations"}))

    def sweep_threads(self, sweep: str) -> int:
        """Threads that a sweep can use: one for each experiment, up to 8."""
        node = self.settings.sweeps[sweep]
        return min(8, node.realizations * prod(len(values) for values in node.over.values()))

    # ---- targets ----------------------------------------------------------------------------------------------

    def files(self, kind: str) -> list[str]:
        """Paths of all files of a kind, by the names that the figures use."""
        return [f"{self.root}/{path}" for path in artifacts.files(self.settings, kind)]

    @property
    def scored(self) -> list[str]:
        """Everything that the scorecard reads."""
        models = [self.climatology_file(name) for name in self.settings.models]
        scores = [
            path
            for kind in (
                *("analysis_scores", "forecast_scores", "sweeps", "tuning", "assimilators", "explanations"),
                "classifier_scores",
            )
            for path in self.files(kind)
        ]
        return [*models, *scores]

    @cached_property
    def figure_names(self) -> list[str]:
        """Figures to draw: those asked for, or all that the scenario has data for and that suit its geometry."""
        names = self.settings.figures if self.settings.figures is not None else list(FIGURES)
        names = [name for name in names if not FIGURES[name].of_study]
        names = [name for name in names if all(self.files(kind) for kind in FIGURES[name].needed)]
        geometry = geometry_of_states(self.settings)
        return [name for name in names if FIGURES[name].unsuited(geometry) is None]

    @property
    def figures(self) -> list[str]:
        """Paths of the figures, as PDF; SVG and PNG stand beside them."""
        return [f"{self.root}/figures/{name}.pdf" for name in self.figure_names]

    def figure_inputs(self, name: str) -> list[str]:
        """Every file that a figure reads."""
        return [path for kind in FIGURES[name].kinds for path in self.files(kind)]

    # ---- settings ---------------------------------------------------------------------------------------------

    @property
    def explain_settings(self) -> str:
        """Settings of explanations of models."""
        return self.settings.explain.canonical() if self.settings.explain else "{}"

    @property
    def cost_settings(self) -> str:
        """How costs are measured."""
        return self.settings.cost.canonical() if self.settings.cost else "{}"

    def part(self, name: str) -> str:
        """One section of the scenario (`climate`, `periods`, `truth`, ...), as canonical JSON."""
        return getattr(self.settings, name).canonical()

    @property
    def regions(self) -> str:
        """Parts of the state that have scores of their own, as canonical JSON."""
        return canonical({name: region.model_dump(mode="json") for name, region in self.settings.regions.items()})

    def model_settings(self, name: str) -> str:
        """Settings of a physical model."""
        return self.settings.models[name].canonical()

    def analysis_settings(self, name: str) -> str:
        """Settings of an analysis, without what only the plan needs."""
        return canonical(_without(self.settings.analyses[name], OfAnalysis.model_fields))

    def emulator_settings(self, name: str) -> str:
        """Settings of an emulator, without what only the plan needs."""
        return canonical(_without(self.settings.emulators[name], OfEmulator.model_fields))

    def classifier_settings(self, name: str) -> str:
        """Settings of a classifier, without what only the plan needs."""
        return canonical(_without(self.settings.classifiers[name], {"trained_on"}))

    def assimilator_settings(self, name: str) -> str:
        """Settings of a learned step, without what only the plan needs."""
        return canonical(_without(self.settings.assimilators[name], OfAssimilator.model_fields))

    def tune_settings(self, section: str, name: str) -> str:
        """Settings of the search of a node of `emulators` or `analyses`."""
        search = getattr(self.settings, section)[name].tune
        if search is None:
            raise ValueError(f"{section}.{name} has no search")
        return search.canonical()

    @property
    def truth_settings(self) -> str:
        """Settings of the simulated truth, without the name of its model."""
        return canonical(_without(self.settings.truth, {"model"}))

    @property
    def every(self) -> str:
        """Model steps between observation times, as JSON."""
        return canonical(self.settings.observations.every)

    @property
    def network_files(self) -> list[str]:
        """Paths of the files that simulated networks come from."""
        networks = [instrument.network for instrument in self.settings.observations.each.values()]
        return [str(network.file) for network in networks if network.file is not None]

    @property
    def network_content(self) -> list[str]:
        """Digests of the files that simulated networks come from."""
        return [content_of(path) for path in self.network_files]

    @property
    def brought_files(self) -> list[str]:
        """Paths of the files that the user brings."""
        files = [self.brought.get(name) for name in ("observations", "truth")] if self.brought else self.network_files
        return [path for path in files if path is not None]

    @property
    def onto_option(self) -> list[str]:
        """The option that names the model in whose fields the truth is kept."""
        return option("--onto", self.kept_in)

    @property
    def truth_option(self) -> list[str]:
        """The option that names the truth, where one is known."""
        return option("--truth", self.truth)

    def claims_option(self, figure: str, claims: str) -> list[str]:
        """The option that hands the published numbers to a figure that shows them."""
        return option("--claims", [claims] if "claims" in FIGURES[figure].kinds else [])

    @property
    def record_settings(self) -> str:
        """How the brought observations are read, as canonical JSON."""
        return canonical({name: value for name, value in self.brought.items() if name in RecordSettings.model_fields})

    @property
    def climatology_settings(self) -> str:
        """How the climatology of a record is estimated, as canonical JSON."""
        return canonical(self.brought.get("climatology", {}))

    @property
    def brought(self) -> dict[str, Any]:
        """The user's files and the error that goes with them."""
        return self.settings.data.model_dump(mode="json") if self.settings.data else {}


def option(name: str, values: Iterable[str]) -> list[str]:
    """Words of a command line that give the option once for each value; the rule quotes each word."""
    return [word for value in values for word in (name, value)]


def canonical(content: Any) -> str:
    """One JSON text for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def operators_of(observations: ObservationSettings) -> list[Settings]:
    """The observation operators of users among them."""
    operators = [one.operator for one in observations.each.values()]
    return [operator for operator in operators if operator.own]


def _without(node: Settings, fields: Iterable[str]) -> dict[str, Any]:
    """Settings without what only the plan needs."""
    return node.model_dump(mode="json", exclude=set(fields))
