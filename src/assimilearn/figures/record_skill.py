"""Forecasts of a record at values that they never saw: error against lead time, and skill over the references."""

import json
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, having, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    DASHES,
    GREY,
    TWO_COLUMNS,
    colour,
    label,
    legend_columns,
    letter,
    line,
    new_figure,
    style,
)
from assimilearn.figures.time_axis import unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = {"damped_persistence": "damped persistence", "climatology": "climatology"}  # panels of skill
LOOKS = {
    "persistence": {"color": GREY, "linestyle": DASHES[0], "linewidth": 1.0},
    "damped_persistence": {"color": BLACK, "linestyle": DASHES[0], "linewidth": 1.0},
    "climatology": {"color": GREY, "linewidth": 1.0},
}
LOWEST = -0.5  # of the axis of skill: a forecast far worse than its reference leaves the panel


def plot(*, verified_forecasts: Group | None = None) -> "Figure":
    """The root mean square error of every model and of the references against lead, and the skill over two of them.

    Parameters
    ----------
    verified_forecasts : mapping of names to Datasets
        Forecast scores with ``verified_rmse`` and ``skill``. The references shown are those from the analysis that most
        of the models start from; the skill of each is over those from its own.

    Raises
    ------
    FigureError
        If no model has a skill.
    """
    need("record_skill", verified_forecasts=verified_forecasts)
    assert verified_forecasts is not None
    scores = having(verified_forecasts, "verified_rmse", "skill")
    if not scores:
        raise FigureError("the figure 'record_skill' needs skill in the forecast scores, which lack it")
    with style():
        return draw(scores)


def draw(scores: dict[str, xr.Dataset]) -> "Figure":
    """Errors to the left, then skill over each reference; one legend below."""
    first = of_most(scores)
    figure = new_figure(TWO_COLUMNS, (7.2 + 0.14 * len(scores)) * CENTIMETRE)
    panels = figure.subplots(1, 1 + len(SHOWN), sharex=True)
    for name, dataset in scores.items():
        panels[0].plot(dataset["lead"], dataset["verified_rmse"].sel(forecaster="model"), label=name, **line(name))
        for axes, reference in zip(panels[1:], SHOWN, strict=True):
            skill_curve(axes, name, dataset.sel(reference=reference))
    for reference, look in LOOKS.items():
        values = first["verified_rmse"].sel(forecaster=reference)
        panels[0].plot(first["lead"], values, label=reference.replace("_", " "), zorder=1, **look)
    units = first["verified_rmse"].attrs.get("units")
    panels[0].set_ylabel(label("Rms departure", units))
    panels[0].set_ylim(0, None)
    letter(panels[0], 0, f"Departure from {first.attrs.get('verified_against', 'unseen values')}")
    for index, (axes, title) in enumerate(zip(panels[1:], SHOWN.values(), strict=True), start=1):
        axes.axhline(0.0, color=GREY, linewidth=0.6)
        axes.set_ylabel("Skill (–)")
        axes.set_ylim(max(axes.get_ylim()[0], LOWEST), min(axes.get_ylim()[1], 1.0))
        letter(axes, index, f"Over {title}")
    for axes in panels:
        axes.set_xlabel(f"Lead time ({unit(first)})")
        axes.set_xlim(0, float(max(dataset["lead"].max() for dataset in scores.values())))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def of_most(scores: dict[str, xr.Dataset]) -> xr.Dataset:
    """The first file of forecasts from the analysis that most of them start from."""
    starts = [json.loads(file.attrs.get("inputs", "{}")).get("analysis") for file in scores.values()]
    return list(scores.values())[starts.index(max(starts, key=starts.count))]


def skill_curve(axes: "Axes", name: str, scores: xr.Dataset) -> None:
    """Skill against lead with its standard error as a band."""
    lead, skill, half = (scores[key].values for key in ("lead", "skill", "skill_uncertainty"))
    half = np.nan_to_num(half)
    axes.fill_between(lead, skill - half, skill + half, color=colour(name), alpha=0.2, linewidth=0)
    axes.plot(lead, skill, **line(name))
