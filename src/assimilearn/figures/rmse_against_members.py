"""Analysis error against ensemble size, every method at its best settings for each size, beside published numbers."""

import json
from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, need, need_variables
from assimilearn.figures.style import (
    CENTIMETRE,
    DASHES,
    GREY,
    SOLID,
    TWO_COLUMNS,
    colour,
    label,
    line,
    marker,
    new_figure,
    plain_log,
    style,
    whole_numbers,
)
from assimilearn.verification import Claim
from assimilearn.verification.sweeps import Best, best_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPEN: dict[str, Any] = {"mfc": "none", "ms": 6.5, "mew": 0.8, "linestyle": "none", "zorder": 4}


def plot(*, sweeps: Group | None = None, claims: Mapping[str, Claim] | None = None) -> "Figure":
    """One curve for each sweep over ``members``, one dot for a single size, one level for methods without ensemble.

    Bars reach from the lowest to the highest realization, curves go through the medians; published numbers are open.

    Parameters
    ----------
    sweeps : mapping of names to Datasets
    claims : mapping of rows of the scorecard to published numbers, optional
        Those that name rows of the sweeps are drawn.

    Raises
    ------
    FigureError
        If there is no sweep.
    """
    need("rmse_against_members", sweeps=sweeps)
    assert sweeps is not None
    for name, sweep in sweeps.items():
        need_variables("rmse_against_members", sweep, ("rmse", "rmse_median", "status"), f"the sweep {name}")
    with style():
        figure = new_figure(TWO_COLUMNS, 9.5 * CENTIMETRE)
        axes = figure.subplots()
        for name, sweep in sweeps.items():
            for dash, (text, points) in zip(cycle((SOLID, *DASHES)), curves(name, sweep).items(), strict=False):
                draw(axes, text, sweep, points, published(name, sweep, points, claims or {}), dash)
        plain_log(axes, "y")
        whole_numbers(axes)
        axes.set_xlabel(label("Ensemble size", "members"))
        axes.set_ylabel(label("Analysis RMSE, median over realizations", "1"))
        axes.grid()
        if claims:
            axes.plot([], [], "o", color=GREY, label="published", **OPEN)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    return figure


def curves(name: str, sweep: xr.Dataset) -> dict[str, list[Best]]:
    """The best settings of a sweep by the name of their curve; settings in ``by`` but the members are part of it."""
    result: dict[str, list[Best]] = {}
    for best in best_settings(sweep):
        others = [f"{setting} {value:g}" for setting, value in best.at.items() if setting != "members"]
        result.setdefault(", ".join([name, *others]), []).append(best)
    return result


def size(sweep: xr.Dataset, best: Best) -> float:
    """Number of members; NaN for a method without an ensemble."""
    if "members" in best.scores.coords:
        return float(best.scores["members"])
    settings = json.loads(sweep.attrs.get("settings", "{}")).get("sweep", {})
    return float(settings.get("analysis", {}).get("members", np.nan))


def published(name: str, sweep: xr.Dataset, points: list[Best], claims: Mapping[str, Claim]) -> list[float]:
    """The published RMSE of every point; NaN where there is none."""
    rows = [f"{sweep.attrs.get('scenario', 'base')}/{name}/{best.place}rmse" for best in points]
    return [claims[row].published if row in claims else np.nan for row in rows]


def draw(axes: "Axes", text: str, sweep: xr.Dataset, points: list[Best], known: list[float], dash: Any) -> None:
    """One curve, or one level across the figure where there are no members."""
    method = str(sweep.attrs.get("method", text))
    members = np.array([size(sweep, best) for best in points])
    median = np.array([best.median("rmse")[0] for best in points])
    if np.isnan(members).all():
        axes.axhline(median[0], label=text, **line(method))
        axes.plot([0.97], known[:1], marker(method), color=colour(method), transform=axes.get_yaxis_transform(), **OPEN)
        return
    realizations = [best.scores["rmse"].values for best in points]
    low, high = (np.array([extreme(values) for values in realizations]) for extreme in (np.nanmin, np.nanmax))
    bars: Any = np.maximum(np.stack([median - low, high - median]), 0)
    look: dict[str, Any] = line(method) | {
        "linestyle": dash,
        "marker": marker(method),
        "elinewidth": 0.7,
        "capsize": 1.5,
    }
    axes.errorbar(members, median, yerr=bars, label=text, **look)
    axes.plot(members, known, marker(method), color=colour(method), **OPEN)
