"""Search the settings of an emulator by blocked cross-validation, folds and candidates in parallel with Dask.

A candidate is fitted to what a fold leaves for training, with early stopping on the validation period, and scored on
the block held out: weighted mean square error of forecasts from its analyses, over `lead` successive steps. One step
alone misleads: an analysis is noisy at both ends of a step, and a model with a small one-step error can still drift or
blow up. The test period is dropped before anything else is done.
"""

import json
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from assimilearn.emulators import open_emulator, train, with_values
from assimilearn.emulators.pairs import Windows, check_usable, windows
from assimilearn.errors import SettingsError
from assimilearn.models.integrate import advance
from assimilearn.models.protocol import Model, with_memory
from assimilearn.periods import FLAGS, TRAIN, with_periods
from assimilearn.settings import Settings
from assimilearn.tuning.candidates import Law, grid_candidates, random_candidates
from assimilearn.tuning.splits import fold_flags

log = logging.getLogger(__name__)


class TuneSettings(Settings):
    """Search of an emulator's settings by blocked cross-validation."""

    folds: int = Field(4, ge=2, description="blocks of the training period, each held out once")
    gap: int = Field(50, ge=0, description="analysis times left out on either side of the held-out block")
    lead: int = Field(4, ge=1, description="successive steps over which held-out forecasts are scored")
    grid: dict[str, list[Any]] = Field({}, description="values to try, by setting")
    samples: int | None = Field(
        None, ge=1, description="draw so many candidates at random; without it, all of the grid"
    )
    laws: dict[str, Law] = Field({}, description="laws from which a random search draws settings")

    @model_validator(mode="after")
    def _something_to_search(self) -> "TuneSettings":
        if not self.grid and not self.laws:
            raise ValueError("grid: name at least one setting and the values to try")
        if empty := [name for name, values in self.grid.items() if not values]:
            raise ValueError(f"grid: no values for {', '.join(empty)}")
        if self.laws and self.samples is None:
            raise ValueError("samples: say how many candidates to draw from the laws")
        if both := set(self.grid) & set(self.laws):
            raise ValueError(f"laws: {', '.join(sorted(both))} is in the grid as well")
        return self


def tune(
    analysis: xr.Dataset, settings: Any, search: TuneSettings, rng: np.random.Generator, workers: int = 1
) -> xr.Dataset:
    """Score every candidate on every fold and choose the best.

    Parameters
    ----------
    analysis : xarray.Dataset
        As for :func:`assimilearn.emulators.train`.
    settings : settings of any emulator
        What the search does not vary.
    search : TuneSettings
    rng : numpy.random.Generator
        Every fit has a seed of its own, by its place: the result is the same for any number of workers.
    workers : int
        Processes of one thread each; 1 works in this process.

    Returns
    -------
    xarray.Dataset
        ``score(candidate, fold)``, ``mean_score`` and ``standard_error`` (candidate), the searched settings along
        ``candidate``, ``train_size(fold)``, ``best``, and the attribute ``chosen`` (JSON). The best candidate has the
        smallest mean score, the first of equals. A forecast that overflows, or a failed training, scores infinity.

    Raises
    ------
    SettingsError
        If a searched setting is unknown or out of bounds, or no candidate can be used.
    FileError
        If the analysis cannot be used.
    """
    draws, fits = rng.spawn(2)
    candidates = candidates_of(search, draws)
    check_candidates(settings, candidates)
    folds = folds_of(analysis, search)
    log.info("%d fits: %d candidates x %d folds", len(candidates) * len(folds), len(candidates), len(folds))
    generators = iter(fits.spawn(len(candidates) * len(folds)))
    jobs = [
        (fold, with_values(settings, candidate), search.lead, next(generators))
        for candidate in candidates
        for fold in folds
    ]
    scores = np.reshape(compute(jobs, workers), (len(candidates), len(folds)))
    return result(scores, candidates, folds, settings, search)


def candidates_of(search: TuneSettings, rng: np.random.Generator) -> list[dict[str, Any]]:
    """All of the grid, or the draws of a random search."""
    if search.samples is None:
        return grid_candidates(search.grid)
    return random_candidates(search.grid, search.laws, search.samples, rng)


def check_candidates(settings: Any, candidates: Sequence[dict[str, Any]]) -> None:
    """Raise one SettingsError that lists every problem of every candidate once."""
    problems: dict[str, None] = {}
    for candidate in candidates:
        try:
            with_values(settings, candidate)
        except SettingsError as error:
            problems.update(dict.fromkeys(str(error).splitlines()))
    if problems:
        raise SettingsError("\n".join(problems))


def folds_of(analysis: xr.Dataset, search: TuneSettings) -> list[xr.Dataset]:
    """The analysis without its test period, once a fold, each with the flags of its fold."""
    check_usable(analysis)
    seen = analysis[["mean", "spread"]].isel(time=np.flatnonzero(analysis["period"].values != FLAGS["test"]))
    return [with_periods(seen, flags) for flags in fold_flags(seen["period"].values, search.folds, search.gap)]


def compute(fits: Sequence[tuple[xr.Dataset, Any, int, np.random.Generator]], workers: int) -> list[float]:
    """Scores of all ``fits`` in their order, in this process or on ``workers`` processes of one thread."""
    import dask
    from tqdm import tqdm
    from tqdm.dask import TqdmCallback

    tasks = [dask.delayed(score_fit)(*fit) for fit in fits]
    if workers == 1:
        with TqdmCallback(disable=None, leave=False, desc="tuning", unit="fit"):
            return list(dask.compute(*tasks, scheduler="synchronous"))
    from dask.distributed import Client, LocalCluster, as_completed

    cluster = LocalCluster(
        n_workers=min(workers, len(tasks)),
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",  # any free port: searches that run side by side do not meet
        scheduler_kwargs={"dashboard": False},
        memory_limit=0,
    )
    with cluster, Client(cluster) as client:
        futures = client.compute(tasks)
        for _ in tqdm(as_completed(futures), total=len(futures), disable=None, leave=False, desc="tuning", unit="fit"):
            pass
        return client.gather(futures)


def score_fit(fold: xr.Dataset, settings: Any, lead: int, rng: np.random.Generator) -> float:
    """Fit ``settings`` to one fold and score the forecasts from its held-out analyses; infinite if they overflow."""
    with one_thread():
        fitted = train(fold, settings, rng)
        if fitted.attrs["status"] == "failed":
            return float("inf")
        return forecast_error(open_emulator(fitted), windows(fold, "test", lead))


def forecast_error(model: Model, held_out: Windows) -> float:
    """Weighted mean square error over all windows, steps and sites of ``held_out``."""
    states, total = with_memory(model, held_out.inputs), 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(held_out.lead):
            states = advance(model, states, 1)
            total += np.mean(held_out.weights[:, k] * (states[:, : model.size] - held_out.states[:, k + 1]) ** 2)
    return float(total / held_out.lead) if np.isfinite(total) else float("inf")


def one_thread() -> AbstractContextManager[object]:
    """One thread for linear algebra, so that sums do not depend on where a fit runs."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def result(
    scores: np.ndarray,
    candidates: Sequence[dict[str, Any]],
    folds: Sequence[xr.Dataset],
    settings: Any,
    search: TuneSettings,
) -> xr.Dataset:
    """The tuning file from scores (candidate, fold)."""
    mean_score = scores.mean(axis=1)
    if not np.isfinite(mean_score).any():
        raise SettingsError("no candidate can be used: each failed or overflowed on some fold; widen the search")
    best = int(np.argmin(mean_score))
    with np.errstate(invalid="ignore"):
        standard_error = scores.std(axis=1, ddof=1) / np.sqrt(scores.shape[1])
    train_size = np.array([np.count_nonzero(fold["period"].values == TRAIN) for fold in folds])
    square = {"units": "model units squared"}
    dataset = xr.Dataset(
        {
            "score": (("candidate", "fold"), scores, square | {"long_name": "weighted mean square forecast error"}),
            "mean_score": ("candidate", mean_score, square | {"long_name": "mean score over folds"}),
            "standard_error": ("candidate", standard_error, square | {"long_name": "standard error of the mean score"}),
            "train_size": ("fold", train_size, {"units": "1", "long_name": "analysis times in training"}),
            "best": ((), best, {"units": "1", "long_name": "candidate with the smallest mean score"}),
        },
        attrs={
            "method": settings.method,
            "settings": settings.canonical(),
            "search": search.canonical(),
            "chosen": json.dumps(candidates[best], sort_keys=True),
        },
    )
    for name in candidates[0]:
        dataset[name] = setting_variable(name, [candidate[name] for candidate in candidates])
    return dataset


def setting_variable(name: str, values: Sequence[Any]) -> xr.DataArray:
    """A searched setting along the candidates; what is neither number nor text is written as JSON."""
    plain = all(isinstance(v, int | float) for v in values) or all(isinstance(v, str) for v in values)
    column = np.array(values if plain else [json.dumps(v) for v in values])
    return xr.DataArray(column, dims="candidate", attrs={"units": "1", "long_name": f"setting {name}"})
