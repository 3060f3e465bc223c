"""Search of an emulator's settings by cross-validation in time.

A trial is fitted to what a fold leaves for training, with early stopping on the validation period, and scored on the
block held out, by forecasts from its analyses. One step alone misleads: an analysis is noisy at both ends of a step,
and a model with a small one-step error can still drift or blow up. The test period is dropped first.
"""

import json
import logging
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field, field_validator

from assimilearn.emulators import open_emulator, train, with_values
from assimilearn.emulators.pairs import Windows, check_usable, shortened, windows
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.integrate import advance
from assimilearn.models.protocol import Model, PhysicalModel, with_memory
from assimilearn.periods import FLAGS, GAP, TRAIN, with_periods
from assimilearn.tuning.file import as_dataset
from assimilearn.tuning.journal import Journal
from assimilearn.tuning.objective import Score, Unusable
from assimilearn.tuning.search import SearchSettings, find
from assimilearn.tuning.space import Values
from assimilearn.tuning.splits import SHUFFLED, SPLITTERS, Splitter, decorrelation_time, fold_flags
from assimilearn.tuning.workers import AnyWorkers

log = logging.getLogger(__name__)

SQUARE = "model units squared"
SHORTEST_GAP = 50  # analysis times, where the study names no gap and the record decorrelates faster
VALID = 0.5  # climatological standard deviations: a forecast is valid as long as its error is below this
STARTS = 20  # forecasts of a fold whose valid times are averaged, at most

ONE_STEP = Score("one_step", "weighted mean square error of forecasts over one step", SQUARE)
ROLLOUT = Score("rollout", "weighted mean square error of forecasts over successive steps", SQUARE)
TRAINING = Score("training", "weighted mean square error of forecasts over the same steps of what was learned", SQUARE)
VALID_TIME = Score("valid_time", "mean time for which forecasts stay valid", "MTU", "largest")
SCORES = {score.name: score for score in (ROLLOUT, ONE_STEP, VALID_TIME)}


class TuneSettings(SearchSettings):
    """Search of an emulator's settings by cross-validation in time."""

    objective: Literal["rollout", "one_step", "valid_time"] = Field(
        "rollout", description="score of held-out forecasts that chooses; the others are recorded beside it"
    )
    lead: int = Field(4, ge=1, description="successive steps over which held-out forecasts are scored")
    horizon: int = Field(100, ge=1, description="steps within which the valid time is sought, where it chooses")
    splits: Literal["blocked", "expanding", "sliding"] = Field(
        "blocked",
        description="blocks of the training period, each held out once; or blocks held out in time order, forecast "
        "from all times before them, or from as many times before them each",
    )
    folds: int = Field(4, ge=2, description="number of held-out blocks")
    gap: int | None = Field(
        None,
        ge=0,
        description=f"analysis times left out beside the held-out block; by default {SHORTEST_GAP}, or the "
        "decorrelation time of the record if that is longer",
    )
    calibration: int = Field(
        0, ge=0, description="last analysis times of the training period that no fold uses: for calibrating errors"
    )
    nested: int | None = Field(
        None,
        ge=2,
        description="outer folds: the whole search is done once more without each of them, and what it chooses is "
        "scored there, for an error estimate that the choice has not flattered",
    )

    @field_validator("splits", mode="before")
    @classmethod
    def _not_shuffled(cls, value: Any) -> Any:
        if value in ("shuffled", "random", "shuffle"):
            raise ValueError(SHUFFLED)
        return value


@dataclass(frozen=True)
class CrossValidation:
    """The objective: fit to a fold, forecast its held-out block.

    Attributes
    ----------
    record : analysis without its test period
    flags : period flags of every fold
    settings : of the emulator, for all that is not sought
    search : how forecasts are scored
    seeds : of the fits; each has random numbers of its own, by its place
    model : physical model, for emulators that correct one
    """

    record: xr.Dataset
    flags: tuple[np.ndarray, ...]
    settings: Any
    search: TuneSettings
    seeds: np.random.SeedSequence
    model: PhysicalModel | None = None

    @property
    def scores(self) -> tuple[Score, ...]:
        """The one that chooses, and those that cost nothing beside it."""
        chosen = SCORES[self.search.objective]
        return (chosen, *(score for score in (ROLLOUT, ONE_STEP, TRAINING) if score != chosen))

    @property
    def parts(self) -> int:
        """One part a fold."""
        return len(self.flags)

    @property
    def folds(self) -> int:
        """Number of folds."""
        return len(self.flags)

    def problem(self, values: Values) -> str:
        """Why the emulator cannot have these settings."""
        try:
            with_values(self.settings, values)
        except SettingsError as error:
            return str(error)
        return ""

    def full(self, of: str) -> int:
        """Epochs of the settings, or times of the shortest fold."""
        if of == "length":
            return min(int(np.count_nonzero(flags == TRAIN)) for flags in self.flags)
        if of != "epochs" or not hasattr(self.settings, "epochs"):
            raise SettingsError(f"budget: {self.settings.method} has no {of} to spend more or less of: use length")
        return int(self.settings.epochs)

    def evaluate(self, values: Values, trial: int, part: int, budget: int) -> dict[str, list[float]]:
        """Scores on one fold."""
        settings, fold = with_values(self.settings, values), with_periods(self.record, self.flags[part])
        if budget and self.search.budget is not None:
            if self.search.budget.of == "epochs":
                settings = with_values(settings, {"epochs": budget})
            else:
                fold = shortened(fold, budget)
        rng = np.random.default_rng(child(self.seeds, trial * self.folds + part))
        emulator = fitted_to(fold, settings, rng, self.model)
        return self.scores_of(emulator, fold) | {"training": [self.training_error(emulator, fold, settings)]}

    def scores_of(self, emulator: Model, fold: xr.Dataset) -> dict[str, list[float]]:
        """Scores of an emulator on the block that a fold holds out."""
        held_out = windows(fold, "test", self.search.lead)
        errors = step_errors(emulator, held_out)
        if not np.isfinite(errors).all():
            raise Unusable("a forecast of the held-out block is not finite")
        found = {"one_step": [float(errors[0])], "rollout": [float(errors.mean())]}
        if self.search.objective == "valid_time":
            found["valid_time"] = [valid_time(emulator, fold, self.search.horizon)]
        return found

    def training_error(self, emulator: Model, fold: xr.Dataset, settings: Any) -> float:
        """Error over the same steps on the analyses that the emulator learned from, as many as are held out."""
        times = settings.training_times
        try:
            learned = windows(fold if times is None else shortened(fold, times), "train", self.search.lead)
        except FileError:  # no stretch of them is as long
            return float("nan")
        count = min(len(learned.states), len(windows(fold, "test", self.search.lead).states))
        chosen = np.unique(np.linspace(0, len(learned.states) - 1, count).astype(int))
        shown = Windows(learned.states[chosen], learned.weights[chosen], learned.geometry)
        return float(step_errors(emulator, shown).mean())


def tune(
    analysis: xr.Dataset,
    settings: Any,
    search: TuneSettings,
    rng: np.random.Generator,
    workers: int = 1,
    *,
    kind: AnyWorkers = "processes",
    model: PhysicalModel | None = None,
    splitter: Splitter | None = None,
    journal: Journal | None = None,
) -> xr.Dataset:
    """Search the settings of an emulator.

    Parameters
    ----------
    analysis : xarray.Dataset
        As for :func:`assimilearn.emulators.train`.
    settings : settings of any emulator
        What the search does not vary.
    search : TuneSettings
    rng : numpy.random.Generator
        Every fit has a seed of its own, by its place: the result is the same for any number of workers.
    workers, kind : as of :func:`assimilearn.tuning.workers.pool`
    model : PhysicalModel, optional
        For emulators that correct one.
    splitter : optional
        Any cross-validation splitter, of scikit-learn say, in place of that in ``search``; a shuffled one is refused.
    journal : Journal, optional
        Of finished trials.

    Returns
    -------
    xarray.Dataset
        As :func:`assimilearn.tuning.file.as_dataset` makes it; besides ``train_size(fold)``, the attributes
        ``decorrelation_time`` and ``gap`` (analysis times) and, of a nested search, ``nested_score(outer)``.

    Raises
    ------
    SettingsError
        If a value is out of bounds, the search takes more than its limit, or no trial can be used.
    FileError
        If the analysis cannot be used.
    """
    if "observations" in settings.needs:
        raise SettingsError(f"the method {settings.method} learns from observations: it has no search")
    draws, fits = rng.spawn(2)
    record, gap, decorrelation = without_test(analysis, search)
    splitter = splitter or SPLITTERS[search.splits](search.folds, gap)
    flags = tuple(fold_flags(record["period"].values, splitter, search.calibration))
    seed = int(draws.integers(2**32))
    objective = CrossValidation(record, flags, settings, search, fits.bit_generator.seed_seq, model)  # type: ignore[arg-type]
    result = find(objective, search, seed, kind, workers, journal)
    dataset = as_dataset(result, objective, search)
    train_size = [np.count_nonzero(fold == TRAIN) for fold in flags]
    dataset["train_size"] = ("fold", train_size, {"units": "1", "long_name": "analysis times in training"})
    dataset.attrs |= {"method": settings.method, "settings": settings.canonical(), "tuned_part": "emulator"}
    dataset.attrs |= {"gap": gap, "decorrelation_time": decorrelation}
    if search.nested is not None:
        add_nested(dataset, objective, search.nested, gap, seed, kind, workers)
    return dataset


def without_test(analysis: xr.Dataset, search: TuneSettings) -> tuple[xr.Dataset, int, int]:
    """The analysis without its test period, the gap, and the decorrelation time, both in analysis times."""
    check_usable(analysis)
    record = analysis[["mean", "spread"]].isel(time=np.flatnonzero(analysis["period"].values != FLAGS["test"]))
    training = record["mean"].values[record["period"].values == TRAIN]
    decorrelation = decorrelation_time(training)
    gap = max(SHORTEST_GAP, decorrelation) if search.gap is None else search.gap
    if gap < decorrelation:
        log.warning("a gap of %d analysis times is shorter than the decorrelation time of %d", gap, decorrelation)
    return record, gap, decorrelation


def add_nested(
    dataset: xr.Dataset,
    objective: CrossValidation,
    count: int,
    gap: int,
    seed: int,
    kind: AnyWorkers,
    workers: int,
) -> None:
    """Add the scores of what the search chooses without each of ``count`` outer blocks, on that block."""
    search, chosen = objective.search, objective.scores[0]
    outer = fold_flags(objective.record["period"].values, SPLITTERS["blocked"](count, gap), search.calibration)
    scores, choices = [], []
    for k, flags in enumerate(outer):
        inner = np.where(flags == FLAGS["test"], GAP, flags)
        splitter = SPLITTERS[search.splits](search.folds, gap)
        seeds = child(objective.seeds, -1 - k)
        within = replace(objective, flags=tuple(fold_flags(inner, splitter)), seeds=seeds)
        result = find(within, search, seed, kind, workers)
        values = result.trials[result.best].values
        fold = with_periods(objective.record, flags)
        emulator = fitted_to(
            fold, with_values(objective.settings, values), np.random.default_rng(seeds), objective.model
        )
        scores.append(objective.scores_of(emulator, fold)[chosen.name][0])
        choices.append(json.dumps(values, sort_keys=True))
    attributes = {"units": chosen.units, "long_name": f"{chosen.long_name}, of what was chosen without the outer fold"}
    dataset["nested_score"] = ("outer", np.array(scores), attributes)
    dataset["nested_choice"] = ("outer", np.array(choices), {"units": "1", "long_name": "settings chosen without it"})


def child(seeds: np.random.SeedSequence, index: int) -> np.random.SeedSequence:
    """The child of some number, as ``spawn`` makes them in their order; those of negative numbers are others still."""
    index = index if index >= 0 else 2**32 + index
    return np.random.SeedSequence(entropy=seeds.entropy, spawn_key=(*seeds.spawn_key, index))


def fitted_to(fold: xr.Dataset, settings: Any, rng: np.random.Generator, model: PhysicalModel | None) -> Model:
    """The emulator that a fold gives.

    Raises
    ------
    Unusable
        If its training fails.
    """
    fitted = train(fold, settings, rng, model=model)
    if fitted.attrs["status"] == "failed":
        raise Unusable(str(fitted.attrs.get("reason", "the training failed")))
    return open_emulator(fitted)


def step_errors(model: Model, held_out: Windows) -> np.ndarray:
    """Weighted mean square error after each step, (step,), over all windows and sites of ``held_out``."""
    states, errors = with_memory(model, held_out.inputs), []
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(held_out.lead):
            states = advance(model, states, 1)
            errors.append(np.mean(held_out.weights[:, k] * (states[:, : model.size] - held_out.states[:, k + 1]) ** 2))
    return np.array(errors)


def valid_time(emulator: Any, fold: xr.Dataset, horizon: int) -> float:
    """Mean time in MTU until the error of forecasts of the held-out block exceeds half the climatological deviation.

    The deviation is that of the training part, site by site. Forecasts that are still valid at the horizon, or at the
    end of the block, count with their length.
    """
    mean, flags = fold["mean"].values.astype(float), fold["period"].values
    held_out, std = np.flatnonzero(flags == FLAGS["test"]), mean[flags == TRAIN].std(axis=0)
    lead = min(horizon, held_out.size - 1)
    found = windows(fold, "test", lead)
    starts = np.unique(np.linspace(0, len(found.states) - 1, STARTS).astype(int))
    states, valid = with_memory(emulator, found.inputs[starts]), np.zeros(starts.size)
    alive = np.ones(starts.size, dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(lead):
            states = advance(emulator, states, 1)
            away = (states[:, : emulator.size] - found.states[starts, k + 1]) / std
            error = np.sqrt(np.mean(away**2, axis=1))
            alive &= error < VALID
            valid += alive
            if not alive.any():
                break
    return float(valid.mean() * emulator.time_step)
