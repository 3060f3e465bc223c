"""Compile the kernels that a study needs before it runs: kernels are compiled at first use, and that takes a while."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from assimilearn.assimilation import assimilate
from assimilearn.emulators import open_emulator, train
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags
from assimilearn.settings import Settings
from assimilearn.study.schema import OfAnalysis, OfEmulator, Scenario

SIZE = 20  # sites: enough for the usual stencils and localization radii
QUICK = {"tune": None, "model_error": None, "epochs": 1}


def compile_kernels(scenario: Scenario) -> list[str]:
    """Run every method of a scenario on next to no data.

    Parameters
    ----------
    scenario : Scenario
        Its analyses and emulators say which methods; each method is run once.

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
    analyses, emulators = by_method(scenario.analyses), by_method(scenario.emulators)
    for node in analyses.values():
        analysis = assimilate(observations, model, quick(node, OfAnalysis), reference, rng)
    for emulator in emulators.values():
        trained = train(analysis, quick(emulator, OfEmulator), rng, observations=observations)
        open_emulator(trained).step(truth["state"].values[:2])
    return [*analyses, *emulators]


def by_method(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """One node of each method."""
    return {node.method: node for node in nodes.values()}


def quick(node: Settings, study: type[Settings]) -> Any:
    """The method's own settings, without searches and model error, with one epoch."""
    method: Any = type(node).__mro__[1]  # a node is a method's settings with those of the study
    settings = method.model_validate(node.model_dump(exclude=set(study.model_fields)))
    return settings.model_copy(update={name: value for name, value in QUICK.items() if name in method.model_fields})
