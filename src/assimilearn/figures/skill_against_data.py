"""Skill against the number of analyses that a model learns from, one curve a model."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.cross_validation import SETTING, WORDS
from assimilearn.figures.fitting import over_folds
from assimilearn.figures.inputs import FigureError, Group, having, need
from assimilearn.figures.style import (
    CENTIMETRE,
    TWO_COLUMNS,
    colour,
    label,
    legend_columns,
    letter,
    line,
    marker,
    new_figure,
    plain_log,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIMES = f"{SETTING}training_times"


def plot(*, data_curves: Group | None = None) -> "Figure":
    """Two panels: the score that the search names, and the error over some steps of held-out forecasts.

    Parameters
    ----------
    data_curves : mapping of names to Datasets
        Searches over ``training_times``; all with the same objective.

    Raises
    ------
    FigureError
        If there is none, or they have different objectives.
    """
    need("skill_against_data", data_curves=data_curves)
    assert data_curves is not None
    searches = having(data_curves, TIMES, "rollout")
    if len(objectives := {str(search.attrs["objective"]) for search in searches.values()}) != 1:
        raise FigureError("the figure 'skill_against_data' needs searches over training_times with one objective")
    with style():
        return draw(searches, objectives.pop())


def draw(searches: dict[str, xr.Dataset], objective: str) -> "Figure":
    """Two panels and one legend."""
    figure = new_figure(TWO_COLUMNS, 7.6 * CENTIMETRE)
    left, right = figure.subplots(1, 2)
    first = next(iter(searches.values()))
    for axes, score in ((left, objective), (right, "rollout" if objective != "rollout" else "one_step")):
        for name, search in searches.items():
            curve(axes, name, search, score)
        axes.set_xlabel("Analyses that are learned from (–)")
        axes.set_ylabel(label(WORDS.get(score, score), first[score].attrs.get("units")))
        axes.set_xscale("log")
    left.set_ylim(bottom=0)
    plain_log(right, "y")
    letter(left, 0, "Skill of held-out forecasts")
    letter(right, 1, "Their error")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def curve(axes: "Axes", name: str, search: xr.Dataset, score: str) -> None:
    """Means over the folds with their standard errors."""
    values = search[TIMES].values.astype(float)
    mean, error = over_folds(search[score])
    order = np.argsort(values)
    axes.plot(values[order], mean[order], marker=marker(name), label=name, **line(name))
    axes.errorbar(values[order], mean[order], error[order], fmt="none", ecolor=colour(name), elinewidth=0.7)
