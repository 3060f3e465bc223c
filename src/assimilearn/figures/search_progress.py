"""Best score found so far against what the search has spent, one line a search, coloured by its method."""

import json
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.cross_validation import in_words, sought
from assimilearn.figures.inputs import Group, having, need
from assimilearn.figures.style import (
    BLUE,
    CENTIMETRE,
    GREEN,
    GREY,
    ORANGE,
    TWO_COLUMNS,
    VERMILION,
    label,
    letter,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLUMNS = 3
HUES = {"grid": GREY, "random": ORANGE, "tpe": BLUE, "gp": GREEN, "hyperband": VERMILION}
SHAPES = {"grid": "s", "random": "v", "tpe": "o", "gp": "D", "hyperband": "^"}
"""Colour and marker of a method of search."""


def plot(*, tuning: Group | None = None) -> "Figure":
    """One panel for each set of settings sought by one score, with all searches of it, told apart by their method.

    Cost is counted in trials with the whole budget: a trial with a third of the epochs or cycles counts a third. What
    was found at a smaller budget is no result, so a line begins with the first trial that had all of it. Panels show
    the best half of what was found; lines come down from above.

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
    groups: dict[tuple[str, ...], dict[str, xr.Dataset]] = {}
    for name, search in having(tuning, "mean_score", "evaluation", "best").items():
        groups.setdefault((search.attrs["objective"], *sorted(sought(search))), {})[name] = search
    columns = min(COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    with style():
        figure = new_figure(TWO_COLUMNS, (1.2 + 5.4 * rows) * CENTIMETRE)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels[len(groups) :]:
            axes.remove()
        for index, (axes, group) in enumerate(zip(panels, groups.values(), strict=False)):
            one_group(axes, group)
            letter(axes, index, in_common(list(group)))
        handles = dict(
            (text, handle)
            for axes in figure.axes
            for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
        )
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=len(handles))
    return figure


def one_group(axes: "Axes", searches: dict[str, xr.Dataset]) -> None:
    """Best so far of each, with a mark where it is found."""
    lines = []
    for search in searches.values():
        method = json.loads(search.attrs["search"])["method"]
        cost, best = progress(search)
        axes.step(cost, best, where="post", color=HUES[method])
        found = np.flatnonzero(np.diff(best, prepend=np.nan) != 0)
        axes.plot(cost[found], best[found], SHAPES[method], color=HUES[method], markersize=3, label=method)
        lines.append(best)
    show_best(axes, lines)
    first = next(iter(searches.values()))
    axes.set_xlabel(label("Cost in whole trials", "1"))
    axes.set_ylabel(label(in_words(first), first["mean_score"].attrs.get("units")))
    axes.grid(axis="y")


def show_best(axes: "Axes", lines: list[np.ndarray]) -> None:
    """Limit the panel to the better half of all scores found, where a first bad one would hide the others."""
    values = np.concatenate([np.unique(best) for best in lines])
    ends = [best[-1] for best in lines if best.size]
    if not ends or np.ptp(values) == 0:
        return
    falls = all(best[0] >= best[-1] for best in lines if best.size)
    good = np.median(values)
    worst = max([good, *ends]) if falls else min([good, *ends])
    best = min(ends) if falls else max(ends)
    margin = 0.08 * abs(worst - best) or 0.01 * abs(best)
    axes.set_ylim(min(worst, best) - margin, max(worst, best) + margin)


def in_common(names: list[str]) -> str:
    """What the names of a group begin with; the first one and how many more where they begin with nothing."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    start = "".join(letters[0] for letters in same).rstrip("-_.")
    return start or f"{names[0]} and {len(names) - 1} more"


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
