"""The schema of a study file: pydantic models, made of the settings classes that stand beside each method."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from assimilearn.assimilation import AnyAnalysis
from assimilearn.assimilation.beginning import BeginningSettings
from assimilearn.assimilation.twin import TwinSettings
from assimilearn.assimilators import AssimilatorSettings
from assimilearn.emulators import KINDS, AnyEmulator
from assimilearn.emulators.classifiers.estimators import EstimatorSettings
from assimilearn.emulators.classifiers.network import NetworkClassifierSettings
from assimilearn.figures import FIGURES
from assimilearn.loops import Stopping
from assimilearn.models import AnyModel
from assimilearn.models.climate import ClimateSettings
from assimilearn.models.regions import Region
from assimilearn.models.truth import TruthSettings
from assimilearn.observations.climatology import RecordClimatology
from assimilearn.observations.observe import ObservationSettings
from assimilearn.observations.record_settings import RecordSettings
from assimilearn.periods import Periods
from assimilearn.settings import Settings
from assimilearn.study.problems import NAME_PATTERN
from assimilearn.tuning.analyses import Tuned, TunedAnalysis
from assimilearn.tuning.emulators import TuneSettings
from assimilearn.tuning.halving import SweepBudget
from assimilearn.tuning.workers import AnyWorkers
from assimilearn.unions import OneOf
from assimilearn.verification import Claim, ForecastSettings
from assimilearn.verification.costs import CostSettings
from assimilearn.verification.explain_models import ExplainModelSettings

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=100)]
FigureName = Annotated[str, StringConstraints(pattern="^(" + "|".join(FIGURES) + ")$")]


class OfAnalysis(BeginningSettings, Tuned):
    """What the study adds to the settings of the method of an analysis."""

    model: Name | None = Field(
        None,
        description="forecast model: a name under `models`, `emulators` or `loops`; the default is the first model",
    )
    climatology: Literal["model", "record"] = Field(
        "model",
        description="where background and first ensemble come from. model: the free run of the first model, or for a "
        "learned model the analysis that it learned from. record: the training period of the observations, which "
        "must be of the state itself and see every site; always so where there is no model",
    )


class OfEmulator(Settings):
    """What the study adds to the settings of an emulator."""

    trained_on: Name = Field(description="the analysis that it learns from: a name under `analyses` or `loops`")
    tune: TuneSettings | None = Field(None, description="search of its settings by cross-validation in time")


class NetworkClassifierNode(NetworkClassifierSettings):
    """A network as a classifier, and what it learns from."""

    trained_on: Name = Field(description="the analysis that it learns from: a name under `analyses` or `loops`")


class EstimatorNode(EstimatorSettings):
    """A classifier of scikit-learn, and what it learns from."""

    trained_on: Name = Field(description="the analysis that it learns from: a name under `analyses` or `loops`")


ClassifierNode: TypeAlias = Annotated[NetworkClassifierNode | EstimatorNode, Field(discriminator="method")]
"""Settings of any classifier with what the study adds, told apart by `method`."""


class OfAssimilator(Settings):
    """What the study adds to the settings of a learned analysis step."""

    model: Name | None = Field(
        None,
        description="forecast model in the loop of training: a name under `models`, `emulators` or `loops`; the "
        "default is the first model",
    )


AnalysisNode: TypeAlias = Annotated[OfAnalysis, OneOf("method", adds=OfAnalysis)]
"""Settings of any method with what the study adds, told apart by `method`."""

EmulatorNode: TypeAlias = Annotated[OfEmulator, OneOf(*KINDS, adds=OfEmulator)]
"""Settings of any emulator with what the study adds, told apart by `method`."""


AssimilatorNode: TypeAlias = Annotated[AssimilatorSettings, OneOf("assimilator", adds=OfAssimilator)]
"""Settings of any learned analysis step with what the study adds, told apart by `method`."""


class LoopNode(Settings):
    """Cycles of learning a model from the last analysis and assimilating again with it.

    The name of the loop stands for the emulator and for the analysis of its best cycle, by innovation score, wherever a
    model or an analysis is named.
    """

    start: Name = Field(description="analysis that the first emulator learns from: a name under `analyses` or `loops`")
    cycles: int = Field(8, ge=1, le=1000, description="largest number of cycles")
    emulator: AnyEmulator = Field(description="the emulator of every cycle; networks go on from the last one")
    first: dict[str, Any] = Field({}, description="settings of the emulator that are different in the first cycle")
    analysis: TunedAnalysis = Field(description="the analysis of every cycle, with the new emulator as its model")
    stopping: Stopping = Field(Stopping(), description="when the loop stops before its last cycle")


class SweepNode(TwinSettings):
    """One method over many settings, in realizations of a twin experiment of their own.

    Truth and observations are simulated as `truth` and `observations` say, with all settings meeting the same ones.
    With others of its own, a sweep says how far what was learned in the study holds elsewhere.
    """

    truth_model: Name | None = Field(
        None, description="model of the truth: a name under `models`; by default that of the study"
    )
    observations: ObservationSettings | None = Field(
        None, description="the simulated observations; by default those of the study"
    )

    model: Name | None = Field(
        None,
        description="forecast model: a name under `models`, `emulators` or `loops`; the default is the first model",
    )
    analysis: AnyAnalysis = Field(description="the method, with all settings that are not swept")
    over: dict[str, list[Any]] = Field(
        {}, description="settings of the method and their values; all combinations are scored"
    )
    by: list[str] = Field(
        [],
        description="settings of `over` with rows in the scorecard for each value; of all others the best is taken",
    )
    realizations: int = Field(
        5, ge=1, le=100_000, description="number of truths, each with observations and an ensemble of its own"
    )

    budget: SweepBudget | None = Field(
        None,
        description="give all settings few cycles, and all cycles to those that do well (successive halving), for each "
        "value of those in `by` apart; by default all settings are given all",
    )
    first_realization: int = Field(
        0,
        ge=0,
        description="number of the first; 0 is that of the study itself, which what is learned in the study has seen",
    )

    @model_validator(mode="after")
    def _by_what_is_swept(self) -> "SweepNode":
        for name in self.by:
            if name not in self.over:
                raise ValueError(f"by: {name} is not under `over`")
        networks = [one.network for one in self.observations.each.values()] if self.observations else []
        if any(network.file is not None for network in networks):
            raise ValueError("observations: a network from a file is one of the study, not of a sweep alone")
        if self.budget is not None and self.budget.smallest >= self.steps:
            raise ValueError(f"budget: the smallest must be shorter than the {self.steps} steps of an experiment")
        return self

    @property
    def is_grid(self) -> bool:
        """Whether it goes over several numbers of a setting other than the members."""
        others = (values for name, values in self.over.items() if name != "members")
        return any(len(values) > 1 and all(isinstance(value, int | float) for value in values) for values in others)


class SimulatedTruth(TruthSettings):
    """A nature run made by one of the models."""

    model: Name | None = Field(None, description="a name under `models`; the default is the first")


class BroughtData(RecordSettings):
    """Files that the user brings instead of a simulated truth and its observations; formats in data/README.md."""

    observations: str = Field(min_length=1, description="file of the observations: NetCDF, or a table")
    truth: str | None = Field(None, min_length=1, description="NetCDF file of the truth, if it is known")
    climatology: RecordClimatology = Field(
        RecordClimatology(), description="how the climatology of a record without a model is estimated"
    )


class Scenario(Settings):
    """One complete experiment: everything that a scenario may override."""

    seed: int = Field(0, ge=0, le=2**63 - 1, description="seed of all random numbers")
    models: dict[Name, AnyModel] = Field(
        {},
        description="physical models, by name; by default Lorenz-96, and none where there is `data`: a record is a "
        "study without a model",
    )
    climate: ClimateSettings = Field(ClimateSettings(), description="the free run that gives the climatology")
    periods: Periods = Field(Periods(), description="lengths of the periods")
    truth: SimulatedTruth = Field(SimulatedTruth(), description="the simulated truth")
    observations: ObservationSettings = Field(ObservationSettings(), description="the simulated observations")
    data: BroughtData | None = Field(None, description="files to use instead of `truth` and `observations`")
    analyses: dict[Name, AnalysisNode] = Field({}, description="analyses, by name")
    emulators: dict[Name, EmulatorNode] = Field({}, description="learned forecast models, by name")
    classifiers: dict[Name, ClassifierNode] = Field({}, description="probabilities of events, learned; by name")
    assimilators: dict[Name, AssimilatorNode] = Field({}, description="learned analysis steps, by name")
    loops: dict[Name, LoopNode] = Field({}, description="cycles of learning and assimilating, by name")
    sweeps: dict[Name, SweepNode] = Field({}, description="scores of a method over many settings, by name")
    regions: dict[Name, Region] = Field(
        {},
        description="named parts of the state, such as `land: {within: {x: [0, 19]}}`, of which analyses and sweeps "
        "have an rmse of their own, `rmse_land`; none by default",
    )
    forecasts: ForecastSettings = Field(ForecastSettings(), description="how forecasts and free runs are scored")
    explain: ExplainModelSettings | None = Field(
        None, description="explain every learned model: which inputs it uses, and its Jacobian; none by default"
    )
    cost: CostSettings | None = Field(
        None, description="measure the seconds that training and a step of every model take; not by default"
    )
    figures: list[FigureName] | None = Field(None, description="figures to draw; all that apply by default")

    @model_validator(mode="before")
    @classmethod
    def _with_a_model(cls, data: Any) -> Any:
        """A simulation without a model of its own is one of Lorenz-96."""
        if isinstance(data, Mapping) and "models" not in data and data.get("data") is None:
            return {**data, "models": {"lorenz96": {"method": "lorenz96"}}}
        return data


class Study(Scenario):
    """A study file: one experiment, its scenarios, and the published numbers that it is held against."""

    study: Name = Field(description="name of the study: results go to results/<study>/")
    plugins: list[str] = Field(
        [],
        description="own parts: Python files beside the study file (their names end in .py), and importable modules",
    )
    workers: AnyWorkers | None = Field(
        None,
        description="where searches and sweeps run: `threads`, `processes`, `{dask: address}` or `{slurm: jobs}`; it "
        "changes no result. By default processes for the training of emulators and threads for all else",
    )
    scenarios: dict[Name, dict[str, Any]] = Field(
        {}, description="named overrides, merged into the rest of the file; without any, the one scenario is `base`"
    )
    claims: dict[str, Claim] = Field(
        {},
        description="published numbers, by the row of the scorecard that must agree, or by two rows, as "
        '"base/a/rmse over base/b/rmse", whose ratio must',
    )
