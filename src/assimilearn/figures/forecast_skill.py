"""Forecast error against lead time for every model, and how long each stays useful."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, having, lyapunov_time, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    colour,
    legend_columns,
    letter,
    line,
    lyapunov_axis,
    new_figure,
    style,
)
from assimilearn.figures.time_axis import unit as unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SATURATION = (1.0, float(np.sqrt(2)))  # error of climatology; of two unrelated states
HIGHEST = 1.75  # of the error axis: a forecast that grows without bound leaves the panel
TITLES = {"analysis": "From analyses", "truth": "From true states"}


def plot(*, forecast_scores: Group | None = None, model: xr.Dataset | None = None) -> "Figure":
    """Panels for forecasts from analyses and from true states, and for the valid prediction times.

    Without a truth there are forecasts from analyses alone, measured against the observations, and no valid times.

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
    scores = having(forecast_scores, "error_mean", "error_uncertainty")
    if not scores:
        raise FigureError("the figure 'forecast_skill' needs error_mean in the forecast scores, which lack it")
    with style():
        return draw(scores, lyapunov_time(model, scores))


def draw(scores: dict[str, xr.Dataset], unit: float | None) -> "Figure":
    """Curves to the left, valid times to the right, one legend below."""
    present = {str(name) for dataset in scores.values() for name in dataset["initial"].values}
    initials = [initial for initial in TITLES if initial in present]
    last = max(float(dataset["lead"].max()) for dataset in scores.values())
    timed = having(scores, "valid_time_mean", "valid_time_uncertainty")
    figure = new_figure(TWO_COLUMNS, (7.4 + 0.14 * len(scores)) * CENTIMETRE)
    ratios = [1.0] * len(initials) + [0.9] * bool(timed)
    panels = figure.subplots(1, len(ratios), squeeze=False, width_ratios=ratios)[0]
    for index, (axes, initial) in enumerate(zip(panels, initials, strict=False)):
        for name, dataset in scores.items():
            if initial in dataset["initial"].values:
                skill_curve(axes, name, dataset.sel(initial=initial))
        reference_lines(axes, {float(d.attrs["threshold"]) for d in timed.values() if "threshold" in d.attrs})
        axes.set(ylabel="Normalised RMSE (–)", xlim=(0, last), ylim=(0, HIGHEST))
        axes.set_xlabel(f"Lead time ({unit_of(scores.values())})")
        lyapunov_axis(axes, unit)
        letter(axes, index, TITLES[initial] if timed else f"{TITLES[initial]}, against the observations")
    if timed:
        valid_times(panels[-1], timed, initials)
        lyapunov_axis(panels[-1], unit)
        letter(panels[-1], len(initials), "Valid prediction time")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def skill_curve(axes: "Axes", name: str, scores: xr.Dataset) -> None:
    """Mean error and its uncertainty against lead."""
    lead, mean = scores["lead"].values, scores["error_mean"].values
    half = scores["error_uncertainty"].values
    axes.fill_between(lead, mean - half, mean + half, color=colour(name), alpha=0.2, linewidth=0)
    axes.plot(lead, mean, label=name, **line(name))


def reference_lines(axes: "Axes", thresholds: set[float]) -> None:
    """The threshold of the valid time, where there is one, and the two levels at which error saturates."""
    for threshold in sorted(thresholds):
        text = f"threshold: {threshold:g}"
        axes.axhline(threshold, color=GREY, linewidth=0.7, linestyle=(0, (6, 2)), label=text, zorder=0)
    for level, text in zip(SATURATION, ("saturation: 1 and √2", "_"), strict=True):
        axes.axhline(level, color=GREY, linewidth=0.6, label=text, zorder=0)


def valid_times(axes: "Axes", scores: dict[str, xr.Dataset], initials: list[str]) -> None:
    """Horizontal bars of the valid time with its uncertainty: filled from analyses, open from true states.

    An arrow ends the bar of a model of which some forecasts were still valid at the last lead: a lower bound.
    """
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
            if "censored" in chosen and chosen["censored"].any():
                axes.plot(value + half, place, ">", color=BLACK, ms=3, clip_on=False)
            axes.errorbar(value, place, xerr=half, color=BLACK, elinewidth=0.7, capsize=1.2, capthick=0.7, fmt="none")
    axes.set_yticks(range(len(scores)), list(scores))
    axes.invert_yaxis()
    axes.set(xlabel=f"Valid prediction time ({unit_of(scores.values())})", xlim=(0, None))
    axes.margins(y=0.02)
    names = {"analysis": "from analyses", "truth": "from true states"}
    looks: dict[str, dict[str, Any]] = {"analysis": {"facecolor": GREY}, "truth": {"fill": False}}
    handles = [Patch(edgecolor=GREY, label=names[initial], **looks[initial]) for initial in initials]
    axes.legend(handles=handles, loc="lower right", handlelength=1.2)
