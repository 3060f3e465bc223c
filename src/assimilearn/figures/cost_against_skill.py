"""What models cost and what they are worth: valid time against seconds of training, and against those of a step."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, having, need
from assimilearn.figures.style import (
    CENTIMETRE,
    TWO_COLUMNS,
    colour,
    legend_columns,
    letter,
    marker,
    new_figure,
    plain_log,
    style,
)
from assimilearn.figures.time_axis import unit as unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot(*, costs: Group | None = None, forecast_scores: Group | None = None) -> "Figure":
    """Two panels; valid times are those of forecasts from analyses, or without a truth their errors over all leads.

    Parameters
    ----------
    costs, forecast_scores : mappings of names to Datasets

    Raises
    ------
    FigureError
        If no model has both.
    """
    need("cost_against_skill", costs=costs, forecast_scores=forecast_scores)
    assert costs is not None and forecast_scores is not None
    scores = having(forecast_scores, "valid_time_mean") or dict(forecast_scores)
    names = [name for name in costs if name in scores]
    if not names:
        raise FigureError("the figure 'cost_against_skill' needs forecast scores of a model whose cost is given")
    with style():
        return draw(costs, {name: scores[name].isel(initial=0) for name in names})


def draw(costs: Group, scores: dict[str, xr.Dataset]) -> "Figure":
    """Training to the left, a step to the right, one legend."""
    figure = new_figure(TWO_COLUMNS, (7.4 + 0.09 * len(scores)) * CENTIMETRE)
    left, right = figure.subplots(1, 2, sharey=True)
    for name, score in scores.items():
        mark(left, name, float(costs[name]["training_seconds"]), score)
        mark(right, name, 1e6 * float(costs[name]["step_seconds"]), score)
    timed = "valid_time_mean" in next(iter(scores.values()))
    quantity = f"Valid prediction time ({unit_of(scores.values())})" if timed else "Normalised RMSE over all leads (–)"
    left.set(xlabel="Training (s)", ylabel=quantity, ylim=(0, None))
    right.set(xlabel="Step of a member (µs)")
    for axes in (left, right):
        plain_log(axes, "x")
    letter(left, 0, "Cost of training")
    letter(right, 1, "Cost of a step")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def mark(axes: "Axes", name: str, cost: float, score: xr.Dataset) -> None:
    """One model; none where its cost is not known, or there was none."""
    if np.isfinite(cost) and cost > 0:
        if "valid_time_mean" in score:
            value, half = float(score["valid_time_mean"]), float(score["valid_time_uncertainty"])
        else:
            value, half = float(score["error_mean"].mean()), float(score["error_uncertainty"].mean())
        axes.errorbar(cost, value, half, fmt=marker(name), color=colour(name), ms=4.5, elinewidth=0.7, label=name)
