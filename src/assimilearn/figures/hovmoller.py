"""Truth, observations, analysis and its error in time and space; without a truth the innovation is the error."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import (
    PHYSICAL,
    Group,
    group_of,
    in_test_period,
    lyapunov_time,
    method_of,
    need,
    trouble,
)
from assimilearn.figures.observed import at_times, of_states, with_cycle
from assimilearn.figures.style import (
    CENTIMETRE,
    ERROR_COLOURS,
    NO_DATA,
    STATE_COLOURS,
    TWO_COLUMNS,
    label,
    letter,
    lyapunov_axis,
    new_figure,
    style,
)
from assimilearn.figures.time_axis import date_axis
from assimilearn.models.fields import geometry_in
from assimilearn.models.geometry import Geometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

SHOWN, TIMES = 10.0, 200  # MTU; times where there are dates


def plot(
    *,
    observations: xr.Dataset | None = None,
    analyses: Group | None = None,
    truth: xr.Dataset | None = None,
    model: xr.Dataset | None = None,
) -> "Figure":
    """The last 10 MTU of the test period, all on one time axis; of several fields a row of panels for each.

    Parameters
    ----------
    observations, truth, model : Dataset
        Without ``truth`` the last panel shows the innovations; without ``model`` there are no Lyapunov times.
        Observations of functions of the state are not shown.
    analyses : mapping of names to Datasets
        One is shown: the first ETKF with the physical model that did not diverge, else the first that did not.

    Raises
    ------
    FigureError
        If there are no observations or analyses, or truth and analysis have no times in common.
    """
    need("hovmoller", observations=observations, analyses=analyses)
    assert observations is not None and analyses is not None
    name = shown(analyses)
    analysis = with_cycle(last_part(in_test_period("hovmoller", analyses[name])), observations, "mean")
    times = analysis["time"].values
    seen = with_cycle(at_times("hovmoller", observations, times, "the observations"), observations, "value")
    size = analysis.sizes["site"]
    states = {f"Analysis: {name}": analysis["mean"].values}
    direct = of_states(seen)  # what is seen through a function has other units than the state
    if direct.any():
        states = {"Observations": on_sites(seen["value"].where(direct), seen, size), **states}
    if truth is not None:
        true = with_cycle(at_times("hovmoller", truth, times, "the truth"), observations, "state")["state"].values
        states = {"Truth": true, **states}
        error, title = analysis["mean"].values - true, "Error: analysis − truth"
    else:
        error, title = on_sites(analysis["innovation"], seen, size), "Innovation: observation − forecast"
    geometry = geometry_in(analysis)
    with style():
        if len(geometry.fields) > 1:
            return draw_fields(analysis, states, title, error, geometry)
        return draw(analysis, states, title, error, lyapunov_time(model))


def shown(analyses: Group) -> str:
    """The name of the analysis that the figure shows."""
    sound = {name: analysis for name, analysis in analyses.items() if trouble(analysis) is None} or dict(analyses)
    for name, analysis in sound.items():
        if method_of(name, analysis) == "etkf" and group_of(name, analysis) == PHYSICAL:
            return name
    return next(iter(sound))


def last_part(dataset: xr.Dataset) -> xr.Dataset:
    """The last ``SHOWN`` MTU of a dataset in time, of a record with dates the last ``TIMES`` times."""
    times = dataset["time"].values
    if "date" in dataset.coords:
        return dataset.isel(time=slice(-TIMES, None))
    return dataset.isel(time=np.flatnonzero(times > times[-1] - SHOWN))


def on_sites(values: xr.DataArray, observations: xr.Dataset, size: int) -> np.ndarray:
    """Values (time, observation) put on their sites, (time, site), NaN where there is none."""
    field = np.full((values.sizes["time"], size), np.nan)
    row, column = np.nonzero(observations["valid"].values)
    field[row, observations["site_index"].values[row, column]] = values.values[row, column]
    return field


def draw(
    analysis: xr.Dataset, states: dict[str, np.ndarray], title: str, error: np.ndarray, unit: float | None
) -> "Figure":
    """The panels of one field below each other, and their two colour bars."""
    times, units = analysis["time"].values, analysis["mean"].attrs.get("units")
    count = len(states) + 1
    figure = new_figure(TWO_COLUMNS, (1.8 + 2.5 * count) * CENTIMETRE)
    panels = figure.subplots(count, 1, sharex=True, sharey=True)
    images = fill(panels, times, states, error)
    for index, (axes, name) in enumerate(zip(panels, [*states, title], strict=True)):
        letter(axes, index, name, beside_axis=index == 0 and unit is not None)
    figure.colorbar(images[-2], ax=list(panels[:-1]), label=label("State", units), extend="both", aspect=35, pad=0.01)
    figure.colorbar(
        images[-1], ax=panels[-1], label=label(title.split(":")[0], units), extend="both", aspect=10, pad=0.01
    )
    date_axis(panels[-1], analysis)
    lyapunov_axis(panels[0], unit, start=float(times[0]))
    return figure


def draw_fields(
    analysis: xr.Dataset, states: dict[str, np.ndarray], title: str, error: np.ndarray, geometry: Geometry
) -> "Figure":
    """A row of panels for each field, with two colour bars of its own."""
    from matplotlib.ticker import MaxNLocator

    times, titles = analysis["time"].values, [name.split(":")[0] for name in (*states, title)]
    figure = new_figure(TWO_COLUMNS, (1.2 + 5.2 * len(geometry.fields)) * CENTIMETRE)
    grid = figure.subplots(len(geometry.fields), len(titles), sharex=True, sharey="row", squeeze=False)
    for row, field in enumerate(geometry.fields):
        where = geometry.slices[field.name]
        panels = grid[row]
        images = fill(panels, times, {name: values[:, where] for name, values in states.items()}, error[:, where])
        for column, (axes, name) in enumerate(zip(panels, titles, strict=True)):
            letter(axes, row * len(titles) + column, name)
            date_axis(axes, analysis)
            axes.label_outer()
        bars = (
            (images[-2], list(panels[:-1]), field.name),
            (images[-1], [panels[-1]], f"{titles[-1]} of {field.name}"),
        )
        for image, own, quantity in bars:
            place: dict[str, Any] = {"location": "bottom", "aspect": 14 * len(own), "pad": 0.02, "extend": "both"}
            ticks = MaxNLocator(7 if len(own) > 1 else 2, symmetric=len(own) == 1)
            figure.colorbar(image, ax=own, label=label(quantity, field.units), ticks=ticks, **place)
    return figure


def fill(
    panels: "Sequence[Axes]", times: np.ndarray, states: dict[str, np.ndarray], error: np.ndarray
) -> "list[QuadMesh]":
    """The states of one field on one scale and, in the last panel, the error on one that is symmetric about 0."""
    finite = np.concatenate([values[np.isfinite(values)] for values in states.values()])
    low, high = np.percentile(finite, [0.5, 99.5])
    shown = list(states.values())
    images = [mesh(axes, times, values, STATE_COLOURS, low, high) for axes, values in zip(panels, shown, strict=False)]
    known = np.abs(error[np.isfinite(error)])
    top = float(np.percentile(known, 99)) if known.size else 1.0
    return [*images, mesh(panels[-1], times, error, ERROR_COLOURS, -top, top)]


def mesh(axes: "Axes", times: np.ndarray, field: np.ndarray, colours: str, low: float, high: float) -> "QuadMesh":
    """A field (time, site) as coloured cells, time to the right; cells without a value stay grey."""
    axes.set_facecolor(NO_DATA)
    axes.set_ylabel("Site (index)")
    return axes.pcolormesh(
        times,
        np.arange(field.shape[1]),
        np.ma.masked_invalid(field.T),
        cmap=colours,
        vmin=low,
        vmax=high,
        shading="nearest",
        rasterized=True,
    )
