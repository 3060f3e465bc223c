"""A learned analysis step in the cycle: forecast by the model, analysis by what was trained.

The step comes from a node under `assimilators`; it may carry one state or an ensemble, and a memory of its own. What it
has learned, and from what, its own module tells (:mod:`assimilearn.assimilators`); this is the loop around it. The
spread of a step with one state is what it states of its errors; that of an ensemble is the ensemble's.
Cost: one model run a state, and the network.
"""

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import forecast, write_analysis, write_members
from assimilearn.assimilation.cycling.stepwise import Stepwise, stepwise
from assimilearn.assimilation.learned_step import AnalysisRun
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import CycledSettings
from assimilearn.errors import SettingsError
from assimilearn.observations.operator_kernels import jacobian, observed


class LearnedSettings(CycledSettings):
    """A learned analysis step."""

    any_operator: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("assimilator",)

    method: Literal["learned"] = "learned"
    assimilator: str = Field(description="the trained step: a name under `assimilators`")
    keep_members: Literal["none", "test", "all"] = Field(
        "none", description="write the whole ensemble of a step that has one: never, in the test period, always"
    )

    @property
    def kept_period(self) -> Literal["none", "test", "all"]:
        """When the whole ensemble is written."""
        return self.keep_members

    def without_members(self) -> Self:
        """The same settings, with no ensemble to be written."""
        return self.model_copy(update={"keep_members": "none"})


def run(problem: Problem, settings: LearnedSettings, rng: np.random.Generator) -> Record:
    """Cycle what the step carries."""
    step = problem.step
    if step is None:
        raise SettingsError("the method learned needs the file of its assimilator: give it with --assimilator")
    start_rng, step_rng = rng.spawn(2)
    at_work, model = step.begin(problem), step.forecaster(problem.model)
    with stepwise(problem, settings, start_rng, step.members) as run:
        E = run.first
        for k in run.times:
            forecast(model, E, int(problem.steps[k]))
            noise = step_rng.standard_normal(step.draws)
            y, variance, sites = foreseen(run, k, E, at_work)
            at_work.analyse(E, problem.observation.see(E, variance, sites), y, variance, sites, noise)
            if len(E) == 1:
                run.go_on(k, write_analysis(run.record, k, E[0].copy(), at_work.analysis_variance))
            else:
                run.go_on(k, write_members(run.record, run.keep, k, E))
    return run.record


def foreseen(run: Stepwise, k: int, E: np.ndarray, at_work: AnalysisRun) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write the forecast of time k; y, variance and sites of the observations to be used."""
    if len(E) > 1:
        return run.observations(k, E)
    sites, operator, variance = run.problem.sites[k], run.problem.observation.operator, at_work.forecast_variance
    H = jacobian(E[0], sites, operator)
    predicted = observed(E, sites, operator)[0], (H**2) @ variance
    return run.observations(k, E, (E[0].copy(), variance), predicted)
