"""One method over many settings and realizations: one labelled table of scores.

All settings meet the same truth, the same observations and the same random numbers (common random numbers), so that
differences between settings are far better known than the scores themselves. Of each experiment only its scores are
kept. Experiments run side by side, on threads of this process by default, because the compiled cycle releases the GIL;
the table does not depend on where they run, nor on how many run at a time.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn.assimilation.cycling.divergence import guarded, lost_windows
from assimilearn.assimilation.learned_step import AnalysisStep
from assimilearn.assimilation.methods.named import run_of
from assimilearn.assimilation.problem import Problem, pose, refuse_misfit
from assimilearn.assimilation.selection import candidate
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.assimilation.twin import Twin
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import Model
from assimilearn.models.regions import Region, Regions, masks
from assimilearn.periods import TEST
from assimilearn.tuning.halving import SweepBudget, kept, lengths, shortened
from assimilearn.tuning.workers import AnyWorkers, Pool, pool
from assimilearn.verification.matching import observed_sites, root_mean_square

log = logging.getLogger(__name__)

OK, LOST, DIVERGED, STOPPED = 0, 1, 2, 3
STATUS = {"ok": OK, "lost": LOST, "diverged": DIVERGED, "stopped": STOPPED}
NAN = float("nan")
NO_REGIONS: Mapping[str, Region] = {}
NO_PARTS: Mapping[str, float] = {}
NOTHING = (NAN, NAN, NAN, NAN, NAN)  # what a diverged run has of errors and spread


class Scores(NamedTuple):
    """What is kept of one experiment; NaN where it diverged."""

    rmse: float
    rmse_pooled: float
    rmse_typical: float
    forecast_rmse: float
    spread: float
    lost_fraction: float
    status: int
    of_parts: Mapping[str, float] = NO_PARTS  # rmse of parts of the state, by name


STOPPED_EARLY = Scores(*NOTHING, NAN, STOPPED)
"""Of what was not run to its end."""

LONG_NAMES = {
    "rmse": "time mean of the spatial RMSE of the analysis mean",
    "rmse_pooled": "root of the mean over times and sites of the squared error of the analysis mean",
    "rmse_typical": "median over time of the spatial RMSE of the analysis mean",
    "forecast_rmse": "time mean of the spatial RMSE of the forecast mean",
    "spread": "time mean of the root of the mean over sites of the analysis variance",
    "lost_fraction": "share of windows of 100 times with a forecast worse than climatology, or far surer than right",
    "status": "whether the run was sound, lost the truth for some time, diverged, or was stopped early",
}


class Posed(NamedTuple):
    """One realization, checked and laid out once for all settings.

    Attributes
    ----------
    problem : Problem
    truth : ndarray (time, site)
    parts : {name: bool (time, site) or (1, site)}, parts of the state that have an rmse of their own
    rng : numpy.random.Generator
    """

    problem: Problem
    truth: np.ndarray
    parts: Mapping[str, np.ndarray]
    rng: np.random.Generator


def sweep(
    twins: Iterable[Twin],
    model: Model,
    settings: AnalysisSettings,
    over: Mapping[str, Sequence[Any]],
    climatology_file: xr.Dataset,
    workers: int = 1,
    kind: AnyWorkers = "threads",
    step: AnalysisStep | None = None,
    budget: SweepBudget | None = None,
    by: Sequence[str] = (),
    regions: Regions = NO_REGIONS,
) -> xr.Dataset:
    """Score a method for all combinations of settings in all realizations.

    Parameters
    ----------
    twins : iterable of Twin
        One a realization, from :func:`assimilearn.assimilation.twin.simulate_twin`. A generator is read as needed, so
        that few realizations are in memory at a time.
    model : Model
        The forecast model.
    settings : AnalysisSettings
        Of any method, for all that is not in ``over``.
    over : mapping
        Setting -> values: ``{"inflation": [1.0, 1.02], "members": [10, 20]}``. Empty for the one setting given.
    climatology_file : Dataset
        Climatology, as for :func:`assimilearn.assimilation.assimilate`.
    workers, kind : as of :func:`assimilearn.tuning.workers.pool`
        Where experiments run. Other processes and machines are sent the observations and the truth of each.
    step : AnalysisStep, optional
        The trained step of the method ``learned``.
    budget : SweepBudget, optional
        Give all settings few cycles, and the whole to the best alone; all realizations are then held in memory. What
        is stopped on the way has no scores.
    by : names of settings
        With a budget, the best are sought apart for each combination of their values.
    regions : {name: Region}, optional
        Parts of the state that have an rmse of their own.

    Returns
    -------
    Dataset
        ``rmse``, ``rmse_pooled``, ``rmse_typical``, ``forecast_rmse``, ``spread``, ``lost_fraction`` and ``status``
        with the dimensions of ``over`` in their order and ``realization``; scores are those of the test period.
        Besides ``rmse_{part}``, in the same way, of the sites that are observed and those that are not, of each of
        several fields and of each region.
        ``rmse_median``, ``rmse_mean`` and ``rmse_std`` over the realizations: a diverged run counts as the worst in
        the median, and makes the other two NaN. With a budget, the attribute ``cycle_share``: what was spent of the
        cycles of all settings.

    Raises
    ------
    SettingsError
        If a name or a value in ``over`` is not valid, a region is not a part of the state, or there is nothing to run.
    """
    points = combinations(settings, over)
    problems = posed(twins, model, climatology_file, step, regions)
    groups = [tuple(getattr(point, name) for name in by) for point in points]
    log.info("%d settings in every realization", len(points))
    with pool(kind, workers, experiment) as hands:
        if budget is not None:
            results, facts = halve(hands, list(problems), points, groups, budget)
        else:
            calls = ((*posed, point, deepcopy(rng)) for *posed, rng in problems for point in points)
            results, facts = list(hands.results(calls)), {}
    if not results:
        raise SettingsError("a sweep needs one realization or more")
    return table(results, over).assign_attrs(method=settings.method, **facts)


def halve(
    hands: Pool,
    problems: Sequence[Posed],
    points: Sequence[AnalysisSettings],
    groups: Sequence[object],
    budget: SweepBudget,
) -> tuple[list[Scores], dict[str, float]]:
    """Scores of all experiments, realization by realization, by successive halving; and the share of cycles spent."""
    if not problems:
        return [], {}
    alive, spent, full = list(range(len(points))), 0, problems[0][0].times.size
    found = [[STOPPED_EARLY] * len(points) for _ in problems]
    for length in lengths(budget, full):
        calls = (
            (shortened(problem, length), truth[:length], cut(parts, length), points[i], deepcopy(rng))
            for problem, truth, parts, rng in problems
            for i in alive
        )
        results = list(hands.results(calls))
        spent += len(alive) * length
        if length < full:
            rmse = np.reshape([scores.rmse for scores in results], (len(problems), len(alive)))
            alive = kept(np.median(np.where(np.isnan(rmse), np.inf, rmse), axis=0), groups, alive, budget.factor)
    for k, scores in enumerate(results):
        found[k // len(alive)][alive[k % len(alive)]] = scores
    return [scores for of_one in found for scores in of_one], {"cycle_share": spent / (len(points) * full)}


def combinations(settings: AnalysisSettings, over: Mapping[str, Sequence[Any]]) -> list[AnalysisSettings]:
    """Validated settings for all combinations of values, the last name varying fastest.

    Raises
    ------
    SettingsError
        If a name or a value is not valid.
    """
    for name, values in over.items():
        if len(values) == 0 or len(set(map(str, values))) < len(values):
            raise SettingsError(f"over: {name} needs values, each once: {list(values)}")
    plain = settings.without_members()
    return [candidate(plain, dict(zip(over, values, strict=True)), "over") for values in product(*over.values())]


def posed(
    twins: Iterable[Twin], model: Model, climatology_file: xr.Dataset, step: AnalysisStep | None, regions: Regions
) -> Iterator[Posed]:
    """Each realization, for all settings."""
    for twin in twins:
        problem = replace(pose(twin.observations, model, climatology_file), start=twin.start, step=step)
        yield Posed(problem, twin.truth["state"].values, parts_of(twin, problem.geometry, regions), twin.rng)


def parts_of(twin: Twin, geometry: Geometry, regions: Regions) -> dict[str, np.ndarray]:
    """The parts of the state that have an rmse of their own: sites that are observed and not, fields, regions."""
    parts = {name: sites[None] for name, sites in masks(regions, geometry).items()}
    if len(geometry.fields) > 1:
        parts |= {name: (geometry.field_of == number)[None] for number, name in enumerate(geometry.names)}
    observed = observed_sites(twin.observations, geometry.size)
    return parts if observed.all() else {"observed": observed, "unobserved": ~observed, **parts}


def cut(parts: Mapping[str, np.ndarray], length: int) -> dict[str, np.ndarray]:
    """The parts at the first ``length`` times."""
    return {name: sites[:length] for name, sites in parts.items()}


def experiment(
    problem: Problem,
    truth: np.ndarray,
    parts: Mapping[str, np.ndarray],
    settings: AnalysisSettings,
    rng: np.random.Generator,
) -> Scores:
    """Run one setting in one realization, as :func:`assimilearn.assimilation.assimilate` would, and score it."""
    refuse_misfit(problem, settings)
    record = guarded(run_of(settings), problem, settings, rng.spawn(2)[0])
    lost = lost_windows(record, problem)
    lost_fraction = float(lost.mean()) if lost.size else 0.0
    if record.diverged is not None:
        return Scores(*NOTHING, lost_fraction, DIVERGED, dict.fromkeys(parts, NAN))
    counted = problem.period == TEST
    squares, forecast, variance = (
        (values[counted].astype(float) ** 2).mean(axis=1)
        for values in (record.mean - truth, record.forecast_mean - truth, record.spread)
    )
    rmse = np.sqrt(squares)
    return Scores(
        rmse=float(rmse.mean()),
        rmse_pooled=float(np.sqrt(squares.mean())),
        rmse_typical=float(np.median(rmse)),
        forecast_rmse=float(np.sqrt(forecast).mean()),
        spread=float(np.sqrt(variance).mean()),
        lost_fraction=lost_fraction,
        status=LOST if lost.any() else OK,
        of_parts=errors_of_parts(record.mean - truth, parts, counted),
    )


def errors_of_parts(error: np.ndarray, parts: Mapping[str, np.ndarray], counted: np.ndarray) -> dict[str, float]:
    """Time mean of the RMSE of each part, of ``error (time, site)``, over the times ``counted``."""
    found = {}
    for name, sites in parts.items():
        here = sites if len(sites) == 1 else sites[counted]
        rmse = root_mean_square(error[counted].astype(float), np.broadcast_to(here, error[counted].shape))
        found[name] = float(np.nanmean(rmse)) if np.isfinite(rmse).any() else NAN
    return found


def table(results: Sequence[Scores], over: Mapping[str, Sequence[Any]]) -> xr.Dataset:
    """The scores of all experiments, realization by realization, as one Dataset."""
    shape = (-1, *map(len, over.values()))
    dims = (*over, "realization")
    names = list(dict.fromkeys(name for scores in results for name in scores.of_parts))
    numbers = [[*scores[: len(LONG_NAMES)], *(scores.of_parts.get(name, NAN) for name in names)] for scores in results]
    columns = np.moveaxis(np.array(numbers, dtype=float).reshape(*shape, len(LONG_NAMES) + len(names)), 0, -2)
    texts = LONG_NAMES | {f"rmse_{name}": f"{LONG_NAMES['rmse']}, of {told(name)}" for name in names}
    dataset = xr.Dataset(coords={name: (name, coordinate(values), described(name)) for name, values in over.items()})
    realization = {"units": "1", "long_name": "index of the realization"}
    dataset.coords["realization"] = ("realization", np.arange(columns.shape[-2]), realization)
    for k, (name, text) in enumerate(texts.items()):
        dataset[name] = (dims, columns[..., k].copy(), {"units": "1", "long_name": text})
    flags = {"flag_values": np.array(list(STATUS.values()), dtype=np.int8), "flag_meanings": " ".join(STATUS)}
    dataset["status"] = dataset["status"].astype(np.int8).assign_attrs(dataset["status"].attrs | flags)
    values = columns[..., Scores._fields.index("rmse")]
    middle = np.median(np.where(np.isnan(values), np.inf, values), axis=-1)
    summaries = {
        "median": np.where(np.isinf(middle), np.nan, middle),
        "mean": values.mean(axis=-1),
        "std": values.std(axis=-1, ddof=1) if values.shape[-1] > 1 else np.full(values.shape[:-1], np.nan),
    }
    for name, summary in summaries.items():
        attributes = {"units": "1", "long_name": f"{name} of rmse over realizations"}
        dataset[f"rmse_{name}"] = (tuple(over), summary, attributes)
    return dataset


def told(part: str) -> str:
    """A part of the state in words."""
    return {"observed": "the sites observed at that time", "unobserved": "the sites not observed then"}.get(part, part)


def coordinate(values: Sequence[Any]) -> np.ndarray:
    """Values of a setting as the labels of a dimension; no value is NaN among numbers."""
    numbers = all(value is None or isinstance(value, int | float) for value in values)
    return np.array([np.nan if value is None else value for value in values] if numbers else [*map(str, values)])


def described(name: str) -> dict[str, str]:
    """Attributes of the dimension of a setting."""
    return {"units": "1", "long_name": name.replace("_", " ")}
