"""Loops of learning and assimilating: errors of the analysis of each cycle between the bounds; innovation scores."""

import json
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.analysis_error import BOUNDS
from assimilearn.figures.inputs import Group, bounds, mean_score, method_of, need
from assimilearn.figures.style import (
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    colour,
    label,
    legend_columns,
    letter,
    marker,
    new_figure,
    plain_log,
    style,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERRORS = {"rmse": "Analysis", "forecast_rmse": "Forecast"}
CHOSEN = "Innovations, validation period"


def plot(*, loop_scores: Group | None = None, analysis_scores: Group | None = None) -> "Figure":
    """RMSE of analysis and forecast over the test period, and the score that stops a loop, by cycle.

    Parameters
    ----------
    loop_scores : mapping of "LOOP.CYCLE" to Datasets
        Cycles after a loop has stopped are left out. Without a truth the panels of errors are too.
    analysis_scores : mapping of names to Datasets, optional
        For the bounds: interpolation above, below the loops' own filter with the physical model.

    Raises
    ------
    FigureError
        If no scores are given.
    """
    need("loop_convergence", loop_scores=loop_scores)
    assert loop_scores is not None
    with style():
        return draw(by_loop(loop_scores), analysis_scores or {})


def by_loop(scores: Group) -> dict[str, list[xr.Dataset]]:
    """The cycles of each loop that were really run, in order."""
    loops: dict[str, list[xr.Dataset]] = {}
    for name, dataset in scores.items():
        cycles = loops.setdefault(name.rsplit(".", 1)[0], [])
        if dataset.attrs.get("loop_status") != "stopped":
            cycles.append(dataset)
    return {loop: sorted(cycles, key=lambda d: int(d.attrs["cycle"])) for loop, cycles in loops.items()}


def draw(loops: dict[str, list[xr.Dataset]], analyses: Group) -> "Figure":
    """A panel for each error that is known, one for the innovation scores; one legend below."""
    from matplotlib.lines import Line2D

    errors = [name for name in ERRORS if any(name in d["score"].values for cycles in loops.values() for d in cycles)]
    figure = new_figure(TWO_COLUMNS, 6.6 * CENTIMETRE)
    panels = figure.subplots(1, len(errors) + 1, squeeze=False)[0]
    filters = [*dict.fromkeys(method_of(loop, d) for loop, cycles in loops.items() for d in cycles), "etkf"]
    limits = {score: bounds(analyses, score, methods=filters) for score in errors}
    looks = dict(zip(dict.fromkeys(name for found in limits.values() for name in found), BOUNDS, strict=False))
    for index, (axes, score) in enumerate(zip(panels, errors, strict=False)):
        for loop, cycles in loops.items():
            values, uncertainties = zip(*(mean_score(dataset, score) for dataset in cycles), strict=True)
            one_loop(axes, loop, cycles, np.array(values), np.array(uncertainties))
        for name, value in limits[score].items():
            axes.axhline(value, **looks[name])
        finish(axes, index, ERRORS[score], "RMSE")
    for loop, cycles in loops.items():
        one_loop(panels[-1], loop, cycles, chosen_by(cycles[-1])[: len(cycles)], None)
    finish(panels[-1], len(errors), CHOSEN, "RMS of innovations")
    handles = [
        *(Line2D([], [], color=colour(loop), marker=marker(loop), label=loop) for loop in loops),
        Line2D([], [], color=GREY, marker="o", markersize=7, markerfacecolor="none", linestyle="", label="best cycle"),
        *(Line2D([], [], label=name, **look) for name, look in looks.items()),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=legend_columns(len(handles)))
    return figure


def chosen_by(last: xr.Dataset) -> np.ndarray:
    """Innovation scores (cycle,) of a loop; NaN where the filter diverged."""
    scores = json.loads(last.attrs.get("innovation_scores", "[]"))
    return np.array([np.nan if score is None else score for score in scores], dtype=float)


def one_loop(
    axes: "Axes", loop: str, cycles: list[xr.Dataset], values: np.ndarray, uncertainties: np.ndarray | None
) -> None:
    """One loop, with standard errors where known, and a ring around the cycle with the best innovation score."""
    numbers = np.array([int(dataset.attrs["cycle"]) for dataset in cycles])
    axes.errorbar(numbers, values, uncertainties, color=colour(loop), marker=marker(loop), elinewidth=0.6, label=loop)
    scores = chosen_by(cycles[-1])
    if np.isfinite(scores).any():
        best = int(np.nanargmin(scores))
        axes.plot(numbers[best], values[best], "o", markersize=7, markerfacecolor="none", color=colour(loop))


def finish(axes: "Axes", index: int, title: str, quantity: str) -> None:
    """Axes and title of a panel."""
    plain_log(axes, "y")
    whole_numbers(axes)
    axes.grid(axis="y")
    axes.set(xlabel=label("Cycle", "1"), ylabel=label(quantity, "1"))
    letter(axes, index, title)
