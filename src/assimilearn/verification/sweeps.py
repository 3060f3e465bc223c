"""The best settings of a sweep, and what they score."""

import json
from collections.abc import Iterator
from itertools import product

import numpy as np
import xarray as xr

SCORES = ("rmse", "rmse_pooled", "spread", "lost_fraction")
MEDIAN = 1.2533  # standard error of a median over that of a mean, for normal deviates: sqrt(pi / 2)


def best_settings(sweep: xr.Dataset) -> Iterator[tuple[str, str, dict[str, tuple[float, float]]]]:
    """The settings with the lowest median RMSE over realizations, for each value of the settings in ``by``.

    The choice is made with the truth, on the scores that are then given: it shows what a method can do, and the lowest
    of many is a little too low.

    Parameters
    ----------
    sweep : Dataset
        From :func:`assimilearn.assimilation.sweep.sweep`; its attribute ``by`` (JSON) lists names of settings.

    Yields
    ------
    str : place of the rows below the node, as "members=20/", or nothing
    str : what was chosen, and from how many
    dict : score -> median over realizations and its standard error; a diverged realization counts as the worst
    """
    by = json.loads(sweep.attrs.get("by", "[]"))
    others = [str(dim) for dim in sweep["rmse_median"].dims if dim not in by]
    for values in product(*(sweep[name].values for name in by)):
        here = sweep.sel(dict(zip(by, values, strict=True)))
        place = "".join(f"{name}={plain(value)}/" for name, value in zip(by, values, strict=True))
        ranking = here["rmse_median"].fillna(np.inf).values
        where = np.unravel_index(int(np.argmin(ranking)), ranking.shape)
        chosen = here.isel(dict(zip(others, where, strict=True)))
        yield place, remark(chosen, others, ranking.size), {score: over_realizations(chosen[score]) for score in SCORES}


def over_realizations(scores: xr.DataArray) -> tuple[float, float]:
    """Median of ``scores (realization,)`` and its standard error."""
    values = scores.values
    median = float(np.median(np.where(np.isnan(values), np.inf, values)))
    sound = values[np.isfinite(values)]
    error = MEDIAN * float(sound.std(ddof=1)) / np.sqrt(sound.size) if sound.size > 1 else float("nan")
    return (median if np.isfinite(median) else float("nan")), error


def remark(chosen: xr.Dataset, others: list[str], count: int) -> str:
    """The settings chosen, and how many realizations lost the truth or diverged."""
    parts = []
    if others:
        settings = ", ".join(f"{name} {plain(chosen[name].item())}" for name in others)
        parts.append(settings + (f", the best of {count}" if count > 1 else ""))
    total = chosen.sizes["realization"]
    for flag, meaning in enumerate(("", "lost the truth for some time", "diverged")):
        troubled = int((chosen["status"] == flag).sum())
        if flag and troubled:
            parts.append(f"{troubled} of {total} realizations {meaning}")
    return "; ".join(parts)


def plain(value: object) -> str:
    """A value of a setting as a user writes it."""
    return f"{value:g}" if isinstance(value, float | int) else str(value)
