"""Error and spread of every analysis over the test period, side by side, between their bounds."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.analysis_error import BOUNDS, drawn_score
from assimilearn.figures.inputs import (
    Group,
    bounds,
    diverged,
    grouped,
    having,
    mean_score,
    need,
    need_variables,
    trouble,
)
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    GREY,
    LIGHT_GREY,
    TWO_COLUMNS,
    colour,
    label,
    new_figure,
    plain_log,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTITIES = {
    "rmse": "RMSE and spread, mean over the test period",
    "innovation_rmse": "RMS of innovations and their spread, mean over the test period",
}
# score: marker, face (None: filled with the name's colour), size, vertical offset in rows, name in the legend
MARKS = {
    "rmse": {
        "rmse": ("o", None, 4.5, 0.0, "RMSE of the mean"),
        "spread": ("D", "white", 3.5, 0.3, "spread"),
        "rmse_observed": (">", None, 2.5, -0.3, "RMSE, observed sites"),
        "rmse_unobserved": ("<", "white", 2.5, -0.3, "RMSE, unobserved sites"),
    },
    "innovation_rmse": {
        "innovation_rmse": ("o", None, 4.5, 0.0, "RMS of innovations"),
        "innovation_spread": ("D", "white", 3.5, 0.3, "innovation spread"),
    },
}


def plot(*, analysis_scores: Group | None = None, forecast_scores: Group | None = None) -> "Figure":
    """One row for each analysis, by group and in each group the worst first; those diverged or lost are named so.

    Parameters
    ----------
    analysis_scores : mapping of names to Datasets
        Without a truth the innovations stand for the errors.
    forecast_scores : mapping, optional
        Its names tell analyses with a learned model from those with the physical one where the files do not.

    Raises
    ------
    FigureError
        If no analysis has mean scores.
    """
    need("scoreboard", analysis_scores=analysis_scores)
    assert analysis_scores is not None
    score = drawn_score("scoreboard", analysis_scores)
    scores = {
        name: d
        for name, d in analysis_scores.items()
        if diverged(d) or "mean" in having({name: d}, score).get(name, ())
    }
    if not scores:
        need_variables("scoreboard", next(iter(analysis_scores.values())), ("mean",), "the analysis scores")
    emulators = tuple(forecast_scores or ())
    with style():
        return draw(score, ordered(grouped(scores, emulators), score), bounds(scores, score, emulators))


def ordered(groups: dict[str, dict[str, xr.Dataset]], score: str) -> dict[str, dict[str, xr.Dataset]]:
    """In each group the largest error first, diverged analyses before all."""

    def key(item: tuple[str, xr.Dataset]) -> float:
        value = mean_score(item[1], score)[0]
        return -np.inf if diverged(item[1]) or not np.isfinite(value) else -value

    return {group: dict(sorted(members.items(), key=key)) for group, members in groups.items()}


def draw(score: str, groups: dict[str, dict[str, xr.Dataset]], limits: dict[str, float]) -> "Figure":
    """Rows from top to bottom, a gap between groups, legend to the right."""
    rows = sum(map(len, groups.values())) + len(groups)
    figure = new_figure(TWO_COLUMNS, (1.8 + 0.55 * rows) * CENTIMETRE)
    axes = figure.subplots()
    names: list[str] = []
    for group, members in groups.items():
        names.append(group)
        for name, dataset in members.items():
            one_row(axes, len(names), name, dataset, score)
            names.append(f"{name} (lost)" if trouble(dataset) == "lost" else name)
    for value, look in zip(limits.values(), BOUNDS, strict=False):
        axes.axvline(value, zorder=0, **look)
    plain_log(axes, "x")
    units = next(
        dataset[score].attrs.get("units")
        for members in groups.values()
        for dataset in members.values()
        if score in dataset
    )
    axes.set_xlabel(label(QUANTITIES[score], units))
    axes.set_yticks(range(len(names)), names)
    for text in axes.get_yticklabels():
        text.set_fontweight("bold" if text.get_text() in groups else "normal")
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    legend(axes, score, limits)
    return figure


def one_row(axes: "Axes", row: int, name: str, dataset: xr.Dataset, score: str) -> None:
    """Dots of one analysis with their uncertainty, or the word that it diverged."""
    axes.axhline(row, color=LIGHT_GREY, linewidth=0.4, zorder=0)
    failure = diverged(dataset)
    if failure is not None:
        axes.text(0.5, row, failure, transform=axes.get_yaxis_transform(), va="center", ha="center", color=colour(name))
        return
    for quantity, (shape, face, size, offset, _) in MARKS[score].items():
        value, half = mean_score(dataset, quantity)
        if not np.isfinite(value):
            continue
        main = quantity == score
        axes.errorbar(
            value,
            row + offset,
            xerr=half if main or "spread" in quantity else None,
            fmt=shape,
            color=colour(name),
            mfc=face or colour(name),
            ms=size,
            mew=0.7,
            ecolor=BLACK,
            elinewidth=0.7,
            capsize=1.5,
            capthick=0.7,
            zorder=3 if main else 2,
        )


def legend(axes: "Axes", score: str, limits: dict[str, float]) -> None:
    """What the marks and the vertical lines mean."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=GREY, linestyle="none", marker=shape, mfc=face or GREY, ms=size, mew=0.7, label=text)
        for shape, face, size, _, text in MARKS[score].values()
    ]
    handles += [Line2D([], [], label=name, **look) for name, look in zip(limits, BOUNDS, strict=False)]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
