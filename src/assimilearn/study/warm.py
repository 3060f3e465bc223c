"""Compile the kernels that a study needs before it runs: kernels are compiled at first use, and that takes a while."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from assimilearn.assimilation import METHODS, AnyAnalysis, assimilate
from assimilearn.emulators import AnyEmulator, open_emulator, train
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags
from assimilearn.settings import Settings
from assimilearn.study.schema import OfAnalysis, OfEmulator, Scenario

SIZE = 20  # sites: enough for the usual stencils and localization radii


def compile_kernels(scenario: Scenario) -> list[str]:
    """Run every method of a scenario on next to no data.

    All forecasts are those of the physical model. Where a learned one takes its place the kernels are the same, but for
    its own step, which is compiled when it has been trained.

    Parameters
    ----------
    scenario : Scenario
        Its analyses, emulators, loops and sweeps say which methods; of settings that differ in numbers alone, one is
        run.

    Returns
    -------
    Names of the methods, in the order in which they were compiled.
    """
    rng = np.random.default_rng(0)
    model = Lorenz96(Lorenz96Settings(size=SIZE))
    reference = climate(model, ClimateSettings(duration=60, lyapunov_duration=1), rng)
    flags = period_flags(Periods(spinup=0, train=120, gap=0, validation=60, test=20))
    truth = simulate(model, TruthSettings(), np.arange(flags.size) * model.time_step, flags, rng)
    observations = observe(truth, ObservationSettings(), rng)
    analyses, emulators = analyses_of(scenario), emulators_of(scenario)
    for settings in analyses:
        assimilate(observations, model, settings, reference, rng)
    analysis = assimilate(
        observations, model, METHODS["interpolation"](method="interpolation"), reference, rng
    )  # one that cannot diverge
    for settings in emulators:
        trained = train(analysis, settings, rng, observations=observations)
        open_emulator(trained).step(truth["state"].values[:2])
    return list(dict.fromkeys(settings.method for settings in [*analyses, *emulators]))


def analyses_of(scenario: Scenario) -> list[Any]:
    """Settings of the assimilation methods of a scenario, one of each kind, without searches.

    The model error "residual", which only a trained emulator states, is left out. Nothing stays uncompiled by that: the
    loops take the kernel of model error, or the code that adds noise is theirs, whether there is any or not.
    """
    loops, sweeps = scenario.loops.values(), scenario.sweeps.values()
    nodes = [*scenario.analyses.values(), *(loop.analysis for loop in loops), *(sweep.analysis for sweep in sweeps)]
    methods = [own(node, AnyAnalysis, OfAnalysis) for node in nodes]
    without_step = (m for m in methods if not m.needs)  # a trained step is not there yet
    return one_of_each_kind(m.without_stated_error() for m in without_step)


def emulators_of(scenario: Scenario) -> list[Any]:
    """Settings of the emulators of a scenario that have kernels, one of each kind."""
    nodes = [*scenario.emulators.values(), *(loop.emulator for loop in scenario.loops.values())]
    methods = [own(node, AnyEmulator, OfEmulator) for node in nodes]
    return one_of_each_kind(settings.at_once() for settings in methods if settings.compiles)


def own(node: Settings, union: Any, study: type[Settings]) -> Any:
    """The settings of the method itself, without those that the study adds."""
    return TypeAdapter(union).validate_python(node.model_dump(exclude=set(study.model_fields)))


def one_of_each_kind(methods: Iterable[Any]) -> list[Any]:
    """The first of all settings with the same words and switches, and numbers where the others have numbers.

    These say which kernels run; numbers do so by being zero or not, if at all.
    """
    kinds: dict[str, Any] = {}
    for settings in methods:
        chosen = {name: v if isinstance(v, str | bool) else bool(v) for name, v in settings.model_dump().items()}
        kinds.setdefault(json.dumps(chosen, sort_keys=True), settings)
    return list(kinds.values())
