"""Choose settings of a filter on the validation period, from the observations alone.

The score is the rmse of the innovations y - H x_f: the observation is independent of the forecast's error, so the mean
square is that of the forecast plus that of the observation, and the best forecast has the smallest. No truth is needed.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from pydantic import ValidationError

from assimilearn.assimilation.cycling.divergence import guarded
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.errors import SettingsError
from assimilearn.periods import VALIDATION

SPINUP = 100  # analysis times before the validation period with which every candidate starts


def choose(
    problem: Problem, settings: AnalysisSettings, run: Callable[..., Record], rng: np.random.Generator
) -> tuple[AnalysisSettings, xr.DataArray]:
    """The best of all combinations in ``settings.tune``, and the score of each.

    Every candidate starts from the climatology shortly before the validation period and meets the same random numbers.

    Returns
    -------
    settings : AnalysisSettings
        The chosen ones; ``tune`` stays, as a record of what was searched.
    score : DataArray
        rmse of the innovations over the validation period, one dimension a tuned setting; NaN where the filter
        diverged.

    Raises
    ------
    SettingsError
        If a name or a value in ``tune`` is not valid, or there is no validation period.
    """
    grid = settings.tune or {}
    candidates = [candidate(settings, dict(zip(grid, values, strict=True))) for values in product(*grid.values())]
    validation = np.flatnonzero(problem.period == VALIDATION)
    if validation.size == 0:
        raise SettingsError("settings are tuned on the validation period, and it is empty: give it a length")
    first = max(validation[0] - SPINUP, 0)
    part = problem.window(first, validation[-1] + 1)
    seed = int(rng.integers(2**63))
    scores = [
        innovation_rmse(guarded(run, part, c, np.random.default_rng(seed)), validation - first) for c in candidates
    ]
    best = candidates[int(np.nanargmin(scores))] if np.isfinite(scores).any() else candidates[0]
    curve = xr.DataArray(
        np.reshape(scores, [len(values) for values in grid.values()]),
        coords={name: (name, list(values), {"long_name": name, "units": "1"}) for name, values in grid.items()},
        dims=list(grid),
        attrs={"units": "1", "long_name": "rmse of the innovations over the validation period"},
    )
    return best, curve


def candidate(settings: AnalysisSettings, values: dict[str, Any], place: str = "tune") -> AnalysisSettings:
    """``settings`` with some of them replaced; ``place`` names in an error where the values stand."""
    fields = [name for name in type(settings).model_fields if name not in ("method", "tune", "keep_members")]
    for name in values:
        if name not in fields:
            raise SettingsError(
                f"{place}: {settings.method} has no setting {name!r} to tune; it has {', '.join(fields) or 'none'}"
            )
    try:
        return type(settings).model_validate(settings.model_dump() | values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = f"{problem['loc'][0]} = {problem['input']!r}: " if problem["loc"] else ""  # none: settings that clash
        raise SettingsError(f"{place}: {where}{problem['msg'].lower()}") from error


def innovation_rmse(record: Record, times: np.ndarray) -> float:
    """Root mean square of all innovations at the time indices ``times``; NaN if the run diverged."""
    if record.diverged is not None:
        return float("nan")
    return float(np.sqrt(np.nanmean(record.innovation[times].astype(float) ** 2)))
