"""Best score found so far against what the search has spent, one line a search."""

import json
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.cross_validation import in_words
from assimilearn.figures.inputs import Group, having, need
from assimilearn.figures.style import (
    CENTIMETRE,
    TWO_COLUMNS,
    colour,
    label,
    legend_columns,
    letter,
    marker,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot(*, tuning: Group | None = None) -> "Figure":
    """One panel for each score that chooses, with all searches for it.

    Cost is counted in trials with the whole budget: a trial with a third of the epochs or cycles counts a third. What
    was found at a smaller budget is no result, so a line begins with the first trial that had all of it.

    Parameters
    ----------
    tuning : mapping of names to Datasets

    Raises
    ------
    FigureError
        If there is no search.
    """
    need("search_progress", tuning=tuning)
    assert tuning is not None
    searches = having(tuning, "mean_score", "evaluation", "best")
    scores = list(dict.fromkeys(search.attrs["objective"] for search in searches.values()))
    with style():
        figure = new_figure(TWO_COLUMNS, 6.6 * CENTIMETRE)
        panels = figure.subplots(1, len(scores), squeeze=False)[0]
        for index, (axes, score) in enumerate(zip(panels, scores, strict=True)):
            here = {name: search for name, search in searches.items() if search.attrs["objective"] == score}
            for name, search in here.items():
                one_search(axes, name, search)
            first = next(iter(here.values()))
            axes.set_xlabel(label("Cost in whole trials", "1"))
            axes.set_ylabel(label(in_words(first), first["mean_score"].attrs.get("units")))
            axes.grid(axis="y")
            letter(axes, index, in_words(first).replace("\n", " "))
        handles = dict(
            (text, handle) for axes in panels for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
        )
        columns = legend_columns(len(handles))
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns)
    return figure


def one_search(axes: "Axes", name: str, search: xr.Dataset) -> None:
    """Best so far, with a mark where it is found."""
    cost, best = progress(search)
    text = f"{name} ({json.loads(search.attrs['search'])['method']})"
    axes.step(cost, best, where="post", color=colour(name), label=text)
    found = np.flatnonzero(np.diff(best, prepend=np.nan) != 0)
    axes.plot(cost[found], best[found], marker(name), color=colour(name), markersize=3, linestyle="")


def progress(search: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Cost and best score after each evaluation with the whole budget, in the order in which they were told."""
    evaluation = search["evaluation"].transpose("trial", "budget").values
    budgets = np.maximum(search["budget"].values.astype(float), 1)
    trial, rung = np.unravel_index(np.argsort(evaluation, axis=None, kind="stable"), evaluation.shape)
    told = evaluation[trial, rung] >= 0
    trial, rung = trial[told], rung[told]
    cost = np.cumsum(budgets[rung] / budgets[-1])
    score = search["mean_score"].transpose("trial", "budget").values[trial, rung]
    largest = search[search.attrs["objective"]].attrs.get("best") == "largest"
    usable = np.where((rung == len(budgets) - 1) & np.isfinite(score), -score if largest else score, np.inf)
    best = np.minimum.accumulate(usable)
    there = np.isfinite(best)
    return cost[there], (-best if largest else best)[there]
