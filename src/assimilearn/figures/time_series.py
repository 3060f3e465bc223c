"""Variables of a model without space, or stations, against time: truth, observations, analysis and its spread."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, in_test_period, need
from assimilearn.figures.observed import at_times, closest, of_states, with_cycle
from assimilearn.figures.style import (
    BLACK,
    BLUE,
    CENTIMETRE,
    ORANGE,
    TWO_COLUMNS,
    label,
    letter,
    new_figure,
    style,
)
from assimilearn.figures.time_axis import date_axis
from assimilearn.models.fields import geometry_in
from assimilearn.models.geometry import Geometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 100  # analysis times
PANELS = 8  # variables: more do not fit on a page


def plot(
    *, observations: xr.Dataset | None = None, analyses: Group | None = None, truth: xr.Dataset | None = None
) -> "Figure":
    """The last 100 analysis times of the test period, a panel for each of the first eight variables.

    Parameters
    ----------
    observations, truth : Dataset
        Observations of functions of the state are not shown.
    analyses : mapping of names to Datasets
        One is shown: that with the smallest innovations.

    Raises
    ------
    FigureError
        If there are no observations or analyses, or they have no times in common.
    """
    need("time_series", observations=observations, analyses=analyses)
    assert observations is not None and analyses is not None
    parts = {name: in_test_period("time_series", analysis) for name, analysis in analyses.items()}
    name = closest(parts)
    analysis = parts[name].isel(time=slice(-SHOWN, None))
    seen = at_times("time_series", observations, analysis["time"].values, "the observations")
    analysis, seen = with_cycle(analysis, observations, "mean"), with_cycle(seen, observations, "value")
    truth = None if truth is None else with_cycle(truth, observations, "state")
    with style():
        return draw(name, analysis, seen, None if truth is None else between(truth, analysis))


def between(truth: xr.Dataset, analysis: xr.Dataset) -> xr.Dataset:
    """The truth at all its times from the first to the last of an analysis."""
    times, shown = truth["time"].values, analysis["time"].values
    margin = 1e-6  # MTU, for clocks that count in other steps
    return truth.isel(time=np.flatnonzero((times >= shown[0] - margin) & (times <= shown[-1] + margin)))


def variables(geometry: Geometry) -> list[tuple[str, str]]:
    """Name and units of each site; values of one field have the name of their station or are numbered from 0."""
    if geometry.stations is not None:
        named = geometry.stations.names
        one = len(geometry.fields) == 1
        return [(at if one else f"{f.name}, {at}", f.units) for f in geometry.fields for at in named]
    return [
        (field.name if field.size == 1 else f"{field.name} {number}", field.units)
        for field in geometry.fields
        for number in range(field.size)
    ]


def draw(name: str, analysis: xr.Dataset, seen: xr.Dataset, truth: xr.Dataset | None) -> "Figure":
    """The panels on one time axis, a legend below."""
    geometry = geometry_in(analysis)
    shown, field = variables(geometry)[:PANELS], geometry.field_of
    figure = new_figure(TWO_COLUMNS, (2.0 + 2.9 * len(shown)) * CENTIMETRE)
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for site, (axes, (variable, units)) in enumerate(zip(panels, shown, strict=True)):
        one_variable(axes, site, name, analysis, seen, truth)
        axes.set_ylabel(label(variable if geometry.stations is None else geometry.names[field[site]], units))
        letter(axes, site, variable)
    panels[-1].set_xlim(float(analysis["time"][0]), float(analysis["time"][-1]))
    date_axis(panels[-1], analysis)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def one_variable(
    axes: "Axes", site: int, name: str, analysis: xr.Dataset, seen: xr.Dataset, truth: xr.Dataset | None
) -> None:
    """Truth and analysis as lines, the spread as a band, observations as points."""
    times, mean = analysis["time"].values, analysis["mean"].values[:, site].astype(float)
    if truth is not None:
        axes.plot(truth["time"].values, truth["state"].values[:, site], color=BLACK, linewidth=0.8, label="truth")
    axes.plot(
        times, mean, color=BLUE, marker=".", markersize=3, linewidth=0.8, linestyle="--", label=f"analysis: {name}"
    )
    if "spread" in analysis:
        spread = analysis["spread"].values[:, site].astype(float)
        band: dict[str, Any] = {"color": BLUE, "alpha": 0.25, "linewidth": 0, "label": "mean ± spread"}
        axes.fill_between(times, mean - spread, mean + spread, **band)
    row, column = np.nonzero(of_states(seen) & (seen["site_index"].values == site))
    values = seen["value"].values[row, column]
    axes.plot(times[row], values, color=ORANGE, linestyle="none", marker="o", markersize=2.5, label="observations")
