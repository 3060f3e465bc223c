"""What a figure is given: what must be there, who belongs to which group, which part of a series is shown."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.errors import AssimilearnError
from assimilearn.models.fields import geometry_in
from assimilearn.models.geometry import ATTRIBUTE, Geometry
from assimilearn.periods import select_period

Group = Mapping[str, xr.Dataset]

UNMODELLED, PHYSICAL, LEARNED = "Without a forecast model", "With the physical model", "With learned models"
GROUPS = (UNMODELLED, PHYSICAL, LEARNED)
METHODS_WITHOUT_MODEL = frozenset({"climatology", "interpolation", "persistence", "blue"})
KINDS = {"physical": PHYSICAL, "emulator": LEARNED}


class FigureError(AssimilearnError):
    """A figure cannot be drawn from what it was given; the message says what is missing."""


def need(figure: str, **given: Any) -> None:
    """Stop with one error that names everything the figure lacks.

    Raises
    ------
    FigureError
        If a value is None or an empty mapping.
    """
    missing = [name for name, value in given.items() if value is None or len(value) == 0]
    if missing:
        raise FigureError(f"the figure {figure!r} needs {' and '.join(missing)}: give it or leave the figure out")


def need_variables(figure: str, dataset: xr.Dataset, names: Iterable[str], what: str) -> None:
    """Stop if ``dataset``, described by ``what``, lacks a variable.

    Raises
    ------
    FigureError
        If a variable is missing.
    """
    missing = [name for name in names if name not in dataset.variables]
    if missing:
        raise FigureError(f"the figure {figure!r} needs {', '.join(missing)} in {what}, which lacks it")


def having(datasets: Group, *names: str) -> dict[str, xr.Dataset]:
    """The datasets that hold every one of the variables ``names``, in their order."""
    return {key: dataset for key, dataset in datasets.items() if all(name in dataset for name in names)}


def geometry_given(given: Mapping[str, Any]) -> Geometry | None:
    """The geometry of the states in what a figure is given; None where nothing has sites."""
    values = [value for value in given.values() if value is not None]
    files = [
        d for v in values for d in (v.values() if isinstance(v, Mapping) and not isinstance(v, xr.Dataset) else [v])
    ]
    files = [file for file in files if isinstance(file, xr.Dataset) and "site" in file.sizes]
    told = [file for file in files if ATTRIBUTE in file.attrs]
    return geometry_in((told or files)[0]) if files else None


def in_test_period(figure: str, dataset: xr.Dataset) -> xr.Dataset:
    """The test period of a dataset in time.

    Raises
    ------
    FigureError
        If the dataset has no coordinate ``period`` or its test period is empty.
    """
    if "period" not in dataset.coords:
        raise FigureError(f"the figure {figure!r} needs the coordinate period, which a dataset in time lacks")
    try:
        return select_period(dataset, "test")
    except ValueError as error:
        raise FigureError(f"the figure {figure!r}: {error}") from error


def group_of(name: str, dataset: xr.Dataset, emulators: Iterable[str] = ()) -> str:
    """The group of an analysis: without a forecast model, with the physical one, with a learned one.

    A method that makes no forecasts is without a model, whatever model it was given; of the others the attribute
    ``model_kind`` ("physical", "emulator") decides, and where it is missing the name METHOD-EMULATOR.
    """
    if method_of(name, dataset) in METHODS_WITHOUT_MODEL:
        return UNMODELLED
    kind = dataset.attrs.get("model_kind")
    if kind in KINDS:
        return KINDS[kind]
    return LEARNED if any(name.endswith(f"-{emulator}") for emulator in emulators) else PHYSICAL


def method_of(name: str, dataset: xr.Dataset) -> str:
    """The assimilation method of an analysis; its name up to the first hyphen where the file does not say."""
    return str(dataset.attrs.get("method", name.split("-")[0]))


def grouped(scores: Group, emulators: Iterable[str] = ()) -> dict[str, dict[str, xr.Dataset]]:
    """Analyses by group, groups in the order of ``GROUPS``, empty groups left out."""
    emulators = tuple(emulators)
    groups = {
        group: {name: dataset for name, dataset in scores.items() if group_of(name, dataset, emulators) == group}
        for group in GROUPS
    }
    return {group: members for group, members in groups.items() if members}


def mean_score(scores: xr.Dataset, name: str) -> tuple[float, float]:
    """Mean over the test period and its uncertainty; NaN where the file does not have the score."""
    if "mean" not in scores or name not in scores["score"].values:
        return float("nan"), float("nan")
    chosen = scores.sel(score=name)
    return float(chosen["mean"]), float(chosen["uncertainty"])


def bounds(
    scores: Group, score: str, emulators: Iterable[str] = (), methods: Iterable[str] = ("etkf",)
) -> dict[str, float]:
    """Names and mean scores of the two bounds of learned analyses: interpolation above, the true model below.

    The lower bound is the analysis with the physical model by one of the ``methods``, the first that there is; if there
    is none, the best analysis with that model.
    """
    result = {}
    groups = grouped(scores, emulators)
    for name, dataset in groups.get(UNMODELLED, {}).items():
        if method_of(name, dataset) == "interpolation":
            result[name] = mean_score(dataset, score)[0]
            break
    physical = {
        name: mean_score(dataset, score)[0]
        for name, dataset in groups.get(PHYSICAL, {}).items()
        if trouble(dataset) is None
    }
    physical = {name: value for name, value in physical.items() if np.isfinite(value)}
    filters = [name for method in methods for name in physical if method_of(name, scores[name]) == method]
    if physical:
        name = filters[0] if filters else min(physical, key=lambda key: physical[key])
        result[name] = physical[name]
    return {name: value for name, value in result.items() if np.isfinite(value)}


def trouble(dataset: xr.Dataset) -> str | None:
    """What to write beside the name of a run that diverged or lost the truth; None for a sound one."""
    return "lost" if dataset.attrs.get("status") == "lost" else diverged(dataset)


def diverged(dataset: xr.Dataset) -> str | None:
    """What to write in place of a run that diverged; None for one that has numbers, also bad ones."""
    if dataset.attrs.get("status", "ok") in ("ok", "lost", "poor"):
        return None
    when = dataset.attrs.get("diverged_at")
    return "diverged" if when is None else f"diverged at {float(when):.4g} MTU"


def lyapunov_time(model: xr.Dataset | None, scores: Group | None = None) -> float | None:
    """The inverse of the first Lyapunov exponent in MTU, from the scores or the climatology file; None if unknown."""
    for dataset in (scores or {}).values():
        if float(dataset.attrs.get("lyapunov_time", 0.0)) > 0:
            return float(dataset.attrs["lyapunov_time"])
    if model is not None and "lyapunov_exponent" in model:
        first = float(model["lyapunov_exponent"].values.max())
        return 1 / first if first > 0 else None
    return None


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Centred running mean over ``width`` entries of (time,), shorter at the ends; NaN entries do not count."""
    good = np.isfinite(values)
    window = np.ones(max(1, min(width, len(values))))
    total = np.convolve(np.where(good, values, 0.0), window, mode="same")
    count = np.convolve(good.astype(float), window, mode="same")
    return np.where(good & (count > 0), total / np.maximum(count, 1), np.nan)
