"""Error of every analysis in time, between its bounds, with its spread; one panel for each group of analyses."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import (
    FigureError,
    Group,
    bounds,
    grouped,
    having,
    in_test_period,
    need,
    running_mean,
    trouble,
)
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    DASHES,
    GREY,
    TWO_COLUMNS,
    colour,
    label,
    letter,
    new_figure,
    plain_log,
    style,
)
from assimilearn.figures.time_axis import date_axis, unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WINDOW, TIMES = 2.0, 40  # MTU of the running mean; analysis times where there are dates
BOUNDS: tuple[dict[str, Any], ...] = (
    {"color": BLACK, "linewidth": 0.7, "linestyle": (0, (6, 2))},
    {"color": BLACK, "linewidth": 0.7, "linestyle": (0, (1, 1))},
)
NAMES = {
    "rmse": ("RMSE of the mean", "spread", "RMSE"),
    "innovation_rmse": ("RMS innovation", "innovation_spread", "RMS of innovations"),
}


def plot(*, analysis_scores: Group | None = None, forecast_scores: Group | None = None) -> "Figure":
    """Running means of error (solid) and spread (dashed), the single errors thin behind, the bounds across.

    Parameters
    ----------
    analysis_scores : mapping of names to Datasets
        Without a truth the innovations stand for the errors.
    forecast_scores : mapping, optional
        Its names tell analyses with a learned model from those with the physical one where the files do not.

    Raises
    ------
    FigureError
        If no analysis has a score in time.
    """
    need("analysis_error", analysis_scores=analysis_scores)
    assert analysis_scores is not None
    score = drawn_score("analysis_error", analysis_scores)
    scores = having(analysis_scores, score)
    with style():
        return draw(score, grouped(scores, forecast_scores or ()), bounds(scores, score, forecast_scores or ()))


def drawn_score(figure: str, scores: Group) -> str:
    """The error where there is a truth, else the innovation.

    Raises
    ------
    FigureError
        If no analysis has either.
    """
    for score in NAMES:
        if having(scores, score):
            return score
    raise FigureError(f"the figure {figure!r} needs {' or '.join(NAMES)} in the analysis scores, which lack them")


def draw(score: str, groups: dict[str, dict[str, xr.Dataset]], limits: dict[str, float]) -> "Figure":
    """One row for each group of analyses, its legend beside it."""
    figure = new_figure(TWO_COLUMNS, (1.2 + 4.3 * len(groups)) * CENTIMETRE)
    panels = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for index, (axes, (group, members)) in enumerate(zip(panels, groups.items(), strict=True)):
        for name, dataset in members.items():
            one_analysis(axes, score, name, in_test_period("analysis_error", dataset))
        draw_bounds(axes, limits)
        units = next(iter(members.values()))[score].attrs.get("units")
        axes.set_ylabel(label(NAMES[score][2], units))
        axes.grid(axis="y")
        letter(axes, index, group)
        plain_log(axes, "y")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
    panels[-1].set_xlim(panels[-1].dataLim.intervalx)
    files = [dataset for members in groups.values() for dataset in members.values()]
    date_axis(panels[-1], files[0])
    explain(figure, score, limits, smoothing(files))
    return figure


def one_analysis(axes: "Axes", score: str, name: str, test: xr.Dataset) -> None:
    """One analysis: single errors, running mean of error and of spread."""
    times, width = test["time"].values, averaged(test)
    shade, note = colour(name), trouble(test)
    axes.plot(times, test[score].values, color=shade, linewidth=0.3, alpha=0.25, rasterized=True)
    title = name if note is None else f"{name} ({note})"
    axes.plot(times, running_mean(test[score].values, width), color=shade, label=title)
    spread = NAMES[score][1]
    if spread in test:
        axes.plot(times, running_mean(test[spread].values, width), color=shade, linestyle=DASHES[0], linewidth=0.8)


def averaged(dataset: xr.Dataset) -> int:
    """Analysis times in the running mean."""
    times = dataset["time"].values
    return max(1, round(window(dataset) / float(np.median(np.diff(times))))) if times.size > 1 else 1


def smoothing(files: list[xr.Dataset]) -> str:
    """What the legend says of the running mean; nothing where analyses are too far apart for one."""
    if max(averaged(dataset) for dataset in files) == 1:
        return ""
    return f", running mean over {window(files[0]):g} {unit(files)}"


def window(dataset: xr.Dataset) -> float:
    """Width of the running mean in MTU: of a record with dates 40 times, else :data:`WINDOW`."""
    times = dataset["time"].values
    return float(np.median(np.diff(times))) * TIMES if "date" in dataset.coords and times.size > 1 else WINDOW


def draw_bounds(axes: "Axes", limits: dict[str, float]) -> None:
    """The mean scores of the bounds as lines across the panel."""
    for value, look in zip(limits.values(), BOUNDS, strict=False):
        axes.axhline(value, **look)


def explain(figure: "Figure", score: str, limits: dict[str, float], smoothed: str) -> None:
    """What solid, dashed, thin and straight lines are, once for the figure."""
    from matplotlib.lines import Line2D

    spread = "spread, running mean" if smoothed else "spread"
    handles = [
        Line2D([], [], color=GREY, label=f"{NAMES[score][0]}{smoothed}"),
        Line2D([], [], color=GREY, linewidth=0.8, linestyle=DASHES[0], label=spread),
        *([Line2D([], [], color=GREY, linewidth=0.3, alpha=0.6, label="single analyses")] if smoothed else []),
        *(Line2D([], [], label=f"time mean of {name}", **look) for name, look in zip(limits, BOUNDS, strict=False)),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
