"""Forecast error against lead time for every model, and how long each stays useful."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, having, lyapunov_time, need, need_variables
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    colour,
    letter,
    line,
    lyapunov_axis,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THRESHOLD = 0.5  # of the normalised error: the valid prediction time ends here
SATURATION = {1.0: "error of climatology", float(np.sqrt(2)): "error of two unrelated states"}
TITLES = {"analysis": "From analyses", "truth": "From true states"}


def plot(*, forecast_scores: Group | None = None, model: xr.Dataset | None = None) -> "Figure":
    """Panels for forecasts from analyses and from true states, where there are any, and the valid prediction times.

    Parameters
    ----------
    forecast_scores : mapping of names to Datasets, at least one with ``error_mean``
    model : Dataset, optional
        Gives the Lyapunov time where the scores do not.

    Raises
    ------
    FigureError
        If no model has forecast errors.
    """
    need("forecast_skill", forecast_scores=forecast_scores)
    assert forecast_scores is not None
    scores = having(forecast_scores, "error_mean", "valid_time_mean")
    if not scores:
        first = next(iter(forecast_scores))
        need_variables(
            "forecast_skill", forecast_scores[first], ("error_mean", "valid_time_mean"), f"scores of {first}"
        )
    with style():
        return draw(scores, lyapunov_time(model, scores))


def draw(scores: dict[str, xr.Dataset], unit: float | None) -> "Figure":
    """Curves to the left, valid times to the right, one legend below."""
    present = {str(name) for dataset in scores.values() for name in dataset["initial"].values}
    initials = [initial for initial in TITLES if initial in present]
    figure = new_figure(TWO_COLUMNS, (7.4 + 0.42 * len(scores) / 3) * CENTIMETRE)
    panels = figure.subplots(1, len(initials) + 1, squeeze=False, width_ratios=[1.0] * len(initials) + [0.9])[0]
    for index, (axes, initial) in enumerate(zip(panels, initials, strict=False)):
        for name, dataset in scores.items():
            if initial in dataset["initial"].values:
                skill_curve(axes, name, dataset.sel(initial=initial))
        reference_lines(axes)
        axes.set(xlabel="Lead time (MTU)", ylabel="Normalised RMSE (–)", xlim=(0, None), ylim=(0, 1.65))
        lyapunov_axis(axes, unit)
        letter(axes, index, TITLES[initial])
    valid_times(panels[-1], scores, initials)
    lyapunov_axis(panels[-1], unit)
    letter(panels[-1], len(initials), "Valid prediction time")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def skill_curve(axes: "Axes", name: str, scores: xr.Dataset) -> None:
    """Mean error and its uncertainty against lead."""
    lead, mean = scores["lead"].values, scores["error_mean"].values
    half = scores["error_uncertainty"].values
    axes.fill_between(lead, mean - half, mean + half, color=colour(name), alpha=0.2, linewidth=0)
    axes.plot(lead, mean, label=name, **line(name))


def reference_lines(axes: "Axes") -> None:
    """The threshold of the valid time and the two levels at which error saturates."""
    axes.axhline(THRESHOLD, color=GREY, linewidth=0.7, linestyle=(0, (6, 2)), label="threshold", zorder=0)
    for level, meaning in SATURATION.items():
        axes.axhline(level, color=GREY, linewidth=0.6, zorder=0)
        axes.annotate(
            meaning,
            (0.98, level),
            xycoords=("axes fraction", "data"),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="right",
            fontsize=6,
            color=GREY,
        )


def valid_times(axes: "Axes", scores: dict[str, xr.Dataset], initials: list[str]) -> None:
    """Horizontal bars of the valid time with its uncertainty: filled from analyses, open from true states."""
    from matplotlib.patches import Patch

    height = 0.8 / len(initials)
    fills: dict[str, dict[str, Any]] = {"analysis": {"alpha": 0.85}, "truth": {"fill": False}}
    for row, (name, dataset) in enumerate(scores.items()):
        for k, initial in enumerate(initials):
            if initial not in dataset["initial"].values:
                continue
            chosen = dataset.sel(initial=initial)
            value, half = float(chosen["valid_time_mean"]), float(chosen["valid_time_uncertainty"])
            place = row + (k - (len(initials) - 1) / 2) * height
            axes.barh(place, value, 0.85 * height, edgecolor=colour(name), facecolor=colour(name), **fills[initial])
            axes.errorbar(value, place, xerr=half, color=BLACK, elinewidth=0.7, capsize=1.2, capthick=0.7, fmt="none")
    axes.set_yticks(range(len(scores)), list(scores))
    axes.invert_yaxis()
    axes.set(xlabel="Valid prediction time (MTU)", xlim=(0, None))
    axes.margins(y=0.02)
    names = {"analysis": "from analyses", "truth": "from true states"}
    looks: dict[str, dict[str, Any]] = {"analysis": {"facecolor": GREY}, "truth": {"fill": False}}
    handles = [Patch(edgecolor=GREY, label=names[initial], **looks[initial]) for initial in initials]
    axes.legend(handles=handles, loc="lower right", handlelength=1.2)
