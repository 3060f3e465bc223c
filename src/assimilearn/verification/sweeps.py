"""The best settings of a sweep, and what they score."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

SWEPT_SCORES = ("rmse", "rmse_pooled", "spread", "lost_fraction")
MEDIAN = 1.2533  # standard error of a median over that of a mean, for normal deviates: sqrt(pi / 2)


class Best(NamedTuple):
    """The best settings of a sweep, for given values of those in ``by``.

    Attributes
    ----------
    at : dict
        The given values.
    scores : Dataset
        The part of the sweep with the settings chosen, (realization,).
    note : str
        What was chosen and from how many, and how many realizations lost the truth or diverged.
    """

    at: dict[str, Any]
    scores: xr.Dataset
    note: str

    @property
    def place(self) -> str:
        """Where its rows stand below the node: "members=20/", or nothing."""
        return "".join(f"{name}={plain(value)}/" for name, value in self.at.items())

    def median(self, score: str) -> tuple[float, float]:
        """Median over realizations, of which a diverged one counts as the worst, and its standard error."""
        values = self.scores[score].values
        median = float(np.median(np.where(np.isnan(values), np.inf, values)))
        sound = values[np.isfinite(values)]
        error = MEDIAN * float(sound.std(ddof=1)) / np.sqrt(sound.size) if sound.size > 1 else float("nan")
        return (median if np.isfinite(median) else float("nan")), error


def swept_scores(sweep: xr.Dataset) -> list[str]:
    """The scores that have rows: those of whole states, then the rmse of their parts."""
    of_parts = [str(name) for name in sweep if str(name).startswith("rmse_") and "realization" in sweep[name].dims]
    return [*SWEPT_SCORES, *(name for name in of_parts if name not in (*SWEPT_SCORES, "rmse_typical"))]


def best_settings(sweep: xr.Dataset) -> Iterator[Best]:
    """The settings with the lowest median RMSE over realizations, for all values of the settings in ``by``.

    The choice is made with the truth, on the scores that are then given: it shows what a method can do, and the lowest
    of many is a little too low.

    Parameters
    ----------
    sweep : Dataset
        From :func:`assimilearn.tuning.sweep.sweep`; its attribute ``by`` (JSON) lists names of settings.
    """
    by = json.loads(sweep.attrs.get("by", "[]"))
    others = [str(dim) for dim in sweep["rmse_median"].dims if dim not in by]
    for values in product(*(sweep[name].values for name in by)):
        at = dict(zip(by, values, strict=True))
        here = sweep.sel(at)
        ranking = here["rmse_median"].fillna(np.inf).values
        where = np.unravel_index(int(np.argmin(ranking)), ranking.shape)
        chosen = here.isel(dict(zip(others, where, strict=True)))
        yield Best(at, chosen, remark(chosen, others, ranking.size))


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
