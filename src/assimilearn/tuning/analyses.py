"""Search of the settings of an analysis on the validation period, of its model's settings too where that is learned.

Every trial starts from the climatology shortly before the validation period and meets the same random numbers. Scores
are those of the innovations, for which no truth is needed. Settings ``model.*`` are those of the emulator that is the
forecast model: it is then trained anew in every trial, on the analysis that it learns from, and what is scored is the
analysis that emulator and filter make together.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from assimilearn.assimilation import AnalysisSettings
from assimilearn.assimilation.cycling.divergence import guarded
from assimilearn.assimilation.learned_step import AnalysisStep
from assimilearn.assimilation.methods.named import run_of
from assimilearn.assimilation.problem import pose, refuse_misfit
from assimilearn.assimilation.selection import candidate, innovation_scores, validation_part
from assimilearn.emulators import with_values
from assimilearn.emulators.pairs import shortened
from assimilearn.errors import SettingsError
from assimilearn.models.protocol import Model, PhysicalModel
from assimilearn.periods import TRAIN, VALIDATION
from assimilearn.settings import Settings
from assimilearn.tuning.emulators import fitted_to
from assimilearn.tuning.file import as_dataset
from assimilearn.tuning.journal import Journal
from assimilearn.tuning.objective import DIVERGED, Score, Unusable
from assimilearn.tuning.search import SearchSettings, find
from assimilearn.tuning.space import OF_MODEL, Values
from assimilearn.tuning.splits import blocks
from assimilearn.tuning.workers import AnyWorkers
from assimilearn.unions import OneOf

INNOVATION_SCORES = (
    Score("innovation_rmse", "rmse of the innovations over the validation period", mean="root_mean_square"),
    Score("innovation_crps", "continuous ranked probability score of the innovations"),
    Score("innovation_chi_square", "distance from 1 of the mean square of the normalized innovations"),
)
RMSE = Score("rmse", "rmse of the analysis against the truth", mean="root_mean_square")


class TuneAnalysisSettings(SearchSettings):
    """Search of the settings of an analysis on the validation period.

    A mapping of settings to lists of values alone is short for a grid of these. Settings of the emulator that is the
    forecast model are named `model.alpha`, say: emulator and filter are then tuned together.
    """

    objective: Literal["innovation_rmse", "innovation_crps", "innovation_chi_square", "rmse"] = Field(
        "innovation_rmse",
        description="score that chooses; the others are recorded beside it. `rmse` is that of the analysis against the "
        "truth, for twin experiments that ask how well it could be done; no other score needs the truth",
    )
    folds: int = Field(4, ge=1, description="blocks of the validation period, for the uncertainty of the scores")

    @model_validator(mode="before")
    @classmethod
    def _lists_are_a_grid(cls, data: Any) -> Any:
        short = isinstance(data, dict) and data and all(isinstance(value, list) for value in data.values())
        return {"grid": data} if short else data


class Tuned(Settings):
    """What is added to the settings of an assimilation method where it may be tuned."""

    tune: TuneAnalysisSettings | None = Field(
        None,
        description="settings to choose on the validation period, without the truth: a search, or for a grid just "
        "setting -> values",
    )


TunedAnalysis: TypeAlias = Annotated[Tuned, OneOf("method", adds=Tuned)]
"""Settings of any method with their search, told apart by `method`."""


@dataclass(frozen=True)
class Learning:
    """What a forecast model is learned from, where it is tuned too.

    Attributes
    ----------
    analysis : that it learns from, without its test period
    settings : of the emulator, for all that is not sought
    model : physical model, for emulators that correct one
    """

    analysis: xr.Dataset
    settings: Any
    model: PhysicalModel | None = None


@dataclass(frozen=True)
class Validation:
    """The objective: assimilate over the validation period.

    Attributes
    ----------
    observations : without the test period
    climate : climatology file
    forecaster : the forecast model, or what it is learned from in every trial
    settings : of the method, for all that is not sought
    search : how runs are scored
    seed, fits : of the runs, which all share it, and of the fits
    truth : without the test period, where the search asks for it by name
    step : the trained step of the method ``learned``
    """

    observations: xr.Dataset
    climate: xr.Dataset
    forecaster: Model | Learning
    settings: AnalysisSettings
    search: TuneAnalysisSettings
    seed: int
    fits: int
    truth: xr.Dataset | None = None
    step: AnalysisStep | None = None

    @property
    def scores(self) -> tuple[Score, ...]:
        """The one that chooses, and the others."""
        there = (*INNOVATION_SCORES, *([RMSE] if self.truth is not None else []))
        return tuple(sorted(there, key=lambda score: score.name != self.search.objective))

    @property
    def parts(self) -> int:
        """A run is one piece."""
        return 1

    @property
    def folds(self) -> int:
        """Blocks of the validation period."""
        return len(blocks(np.flatnonzero(self.observations["period"].values == VALIDATION), self.search.folds))

    def problem(self, values: Values) -> str:
        """Why method or model cannot have these settings."""
        try:
            self._settings(values)
        except SettingsError as error:
            return str(error)
        return ""

    def full(self, of: str) -> int:
        """Cycles of the validation period, or times of the training period that a model learns from."""
        if of == "cycles":
            return int(np.count_nonzero(self.observations["period"].values == VALIDATION))
        if of == "epochs" and isinstance(self.forecaster, Learning) and hasattr(self.forecaster.settings, "epochs"):
            return int(self.forecaster.settings.epochs)
        if of == "length" and isinstance(self.forecaster, Learning):
            return int(np.count_nonzero(self.forecaster.analysis["period"].values == TRAIN))
        raise SettingsError(f"budget: there are no {of} to spend more or less of: use cycles")

    def evaluate(self, values: Values, trial: int, part: int, budget: int) -> dict[str, list[float]]:
        """Scores of one run."""
        settings, of_model = self._settings(values)
        of = self.search.budget.of if self.search.budget is not None else ""
        model = self._model(of_model, of, budget)
        problem = replace(pose(self.observations, model, self.climate), step=self.step)
        refuse_misfit(problem, settings)
        cycles = budget if of == "cycles" else 0
        if of == "length":
            cycles = max(self.folds, round(self.full("cycles") * budget / self.full("length")))
        piece, times = validation_part(problem, cycles)
        record = guarded(run_of(settings), piece, settings, np.random.default_rng(self.seed))
        if record.diverged is not None:
            raise Unusable(f"at {piece.times[record.diverged]:g} MTU: {record.reason}", DIVERGED)
        found = [innovation_scores(record, block) for block in blocks(times, self.folds)]
        if self.truth is not None:
            state = self.truth["state"].sel(time=piece.times[times]).values
            for one, block, true in zip(
                found, blocks(times, self.folds), np.array_split(state, len(found)), strict=True
            ):
                one["rmse"] = float(np.sqrt(np.mean((record.mean[block] - true) ** 2)))
        return {score.name: [one[score.name] for one in found] for score in self.scores}

    def _settings(self, values: Values) -> tuple[AnalysisSettings, Any]:
        """Settings of the method and of the emulator."""
        own = {name: value for name, value in values.items() if not name.startswith(OF_MODEL)}
        of_model = {name.removeprefix(OF_MODEL): v for name, v in values.items() if name.startswith(OF_MODEL)}
        if isinstance(self.forecaster, Learning):
            return candidate(self.settings, own), with_values(self.forecaster.settings, of_model)
        if of_model:
            raise SettingsError(f"{OF_MODEL}{next(iter(of_model))}: the forecast model is not one that is learned")
        return candidate(self.settings, own), None

    def _model(self, settings: Any, of: str, budget: int) -> Model:
        """The forecast model, trained for this trial if it is to be."""
        learning = self.forecaster
        if not isinstance(learning, Learning):
            return learning
        analysis = learning.analysis
        if of == "epochs":
            settings = with_values(settings, {"epochs": budget})
        elif of == "length":
            analysis = shortened(analysis, budget)
        return fitted_to(analysis, settings, np.random.default_rng(self.fits), learning.model)


def tune_analysis(
    observations: xr.Dataset,
    forecaster: Model | Learning,
    settings: AnalysisSettings,
    search: TuneAnalysisSettings,
    climate: xr.Dataset,
    rng: np.random.Generator,
    workers: int = 1,
    *,
    kind: AnyWorkers = "threads",
    truth: xr.Dataset | None = None,
    step: AnalysisStep | None = None,
    journal: Journal | None = None,
) -> xr.Dataset:
    """Search the settings of an analysis, and of its model where that is learned.

    Parameters
    ----------
    observations, climate : Dataset
        As for :func:`assimilearn.assimilation.assimilate`. The test period is left aside.
    forecaster : Model or Learning
        The forecast model, or what an emulator is to be learned from in every trial.
    settings : AnalysisSettings
        What the search does not vary.
    search : TuneAnalysisSettings
    rng : numpy.random.Generator
        That of the analysis: the search has a stream of its own beside that of the run.
    workers, kind : as of :func:`assimilearn.tuning.workers.pool`
    truth : Dataset, optional
        Looked at only if the search names `rmse`.
    step : AnalysisStep, optional
        The trained step of the method ``learned``.
    journal : Journal, optional
        Of finished trials.

    Returns
    -------
    xarray.Dataset
        As :func:`assimilearn.tuning.file.as_dataset` makes it.

    Raises
    ------
    SettingsError
        If a value is out of bounds, there is no validation period or truth, or no trial can be used.
    """
    if search.objective == "rmse" and truth is None:
        raise SettingsError("objective: rmse is that against the truth, and there is none")
    if search.budget is not None and search.budget.of == "cycles" and search.budget.smallest < search.folds:
        raise SettingsError(f"budget: {search.budget.smallest} cycles cannot be cut into {search.folds} folds")
    tuning_rng = rng.spawn(2)[1]
    if isinstance(forecaster, Learning):
        forecaster = replace(forecaster, analysis=before_test(forecaster.analysis))
    objective = Validation(
        before_test(observations),
        climate,
        forecaster,
        settings,
        search,
        int(tuning_rng.integers(2**63)),
        int(tuning_rng.integers(2**63)),
        before_test(truth) if truth is not None and search.objective == "rmse" else None,
        step,
    )
    if not np.any(observations["period"].values == VALIDATION):
        raise SettingsError("settings are tuned on the validation period, and it is empty: give it a length")
    found = find(objective, search, int(tuning_rng.integers(2**32)), kind, workers, journal)
    dataset = as_dataset(found, objective, search)
    dataset.attrs |= {"method": settings.method, "settings": settings.canonical(), "tuned_part": "analysis"}
    return dataset


def before_test(dataset: xr.Dataset) -> xr.Dataset:
    """What lies before the end of the validation period."""
    validation = np.flatnonzero(dataset["period"].values == VALIDATION)
    return dataset.isel(time=slice(0, int(validation[-1]) + 1 if validation.size else None))
