"""Maps at one time: truth, observations, analysis, its error and its spread, a row for each field."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, in_test_period, need
from assimilearn.figures.observed import at_times, closest, of_states, points, with_cycle
from assimilearn.figures.style import (
    CENTIMETRE,
    ERROR_COLOURS,
    NO_DATA,
    SPREAD_COLOURS,
    STATE_COLOURS,
    TWO_COLUMNS,
    label,
    letter,
    new_figure,
    style,
)
from assimilearn.figures.time_axis import moment
from assimilearn.models.fields import geometry_in
from assimilearn.models.geometry import FieldGrid, Geometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATE, ERROR, INNOVATION, SPREAD = "State", "Error", "Innovation", "Spread"  # panels of one colour scale
COLOURS = {STATE: STATE_COLOURS, ERROR: ERROR_COLOURS, INNOVATION: ERROR_COLOURS, SPREAD: SPREAD_COLOURS}


class Panel(NamedTuple):
    """What one panel shows of all fields.

    Attributes
    ----------
    title : above the panel
    scale : a key of ``COLOURS``
    values : ndarray (site,), or (observation,) if ``at_points``
    at_points : whether they stand at the observations
    """

    title: str
    scale: str
    values: np.ndarray
    at_points: bool = False


def plot(
    *, observations: xr.Dataset | None = None, analyses: Group | None = None, truth: xr.Dataset | None = None
) -> "Figure":
    """The last observed time of the test period; truth, observations and analysis share the colours of their field.

    Parameters
    ----------
    observations, truth : Dataset
        Observations of functions of the state are not shown. Without ``truth`` the innovations are the error.
    analyses : mapping of names to Datasets
        One is shown: that with the smallest innovations.

    Raises
    ------
    FigureError
        If there are no observations or analyses, or truth and analysis have no times in common.
    """
    need("maps", observations=observations, analyses=analyses)
    assert observations is not None and analyses is not None
    name = closest({name: in_test_period("maps", analysis) for name, analysis in analyses.items()})
    analysis = in_test_period("maps", analyses[name])
    seen = at_times("maps", observations, analysis["time"].values, "the observations")
    observed = np.flatnonzero(of_states(seen).any(axis=1))
    last = int(observed[-1]) if observed.size else analysis.sizes["time"] - 1
    analysis, seen = with_cycle(analysis, observations, "mean"), with_cycle(seen, observations, "value")
    analysis, seen = analysis.isel(time=last), seen.isel(time=last)
    true = None
    if truth is not None:
        states = at_times("maps", truth, analysis["time"].values[None], "the truth")
        true = with_cycle(states, observations, "state")["state"].values[0]
    with style():
        figure = draw(geometry_in(analyses[name]), panels_of(analysis, seen, true), seen)
        figure.suptitle(f"{name} at {moment(analysis)}", x=0.01, ha="left", fontsize=8)
    return figure


def panels_of(analysis: xr.Dataset, seen: xr.Dataset, true: np.ndarray | None) -> list[Panel]:
    """The panels of a row; without a truth the innovations are the error."""
    mean = analysis["mean"].values.astype(float)
    found = [Panel("Observations", STATE, seen["value"].values, True), Panel("Analysis", STATE, mean)]
    if true is None:
        found.append(Panel("Innovations", INNOVATION, analysis["innovation"].values.astype(float), True))
    else:
        found = [Panel("Truth", STATE, true), *found, Panel("Error", ERROR, mean - true)]
    if "spread" in analysis:
        found.append(Panel("Spread", SPREAD, analysis["spread"].values.astype(float)))
    return found


def draw(geometry: Geometry, panels: list[Panel], seen: xr.Dataset) -> "Figure":
    """A row for each field, and below it a colour bar for each scale."""
    width = TWO_COLUMNS / len(panels)
    high, wide = geometry.axes
    tall = min(2.5, max(0.4, high.length / (wide.length * squeeze(geometry))))
    figure = new_figure(TWO_COLUMNS, (0.8 * width * tall + 2.9 * CENTIMETRE) * len(geometry.fields))
    grid = figure.subplots(len(geometry.fields), len(panels), sharex=True, sharey=True, squeeze=False)
    for row, field in enumerate(geometry.fields):
        limits = limits_of(geometry, field, panels, seen)
        for column, panel in enumerate(panels):
            axes = grid[row, column]
            one_panel(axes, geometry, field, panel, seen, limits[panel.scale])
            letter(axes, row * len(panels) + column, panel.title)
            axes.set_xlabel(label(wide.name, wide.units))
            axes.set_ylabel(label(high.name, high.units))
            axes.label_outer()
        colour_bars(figure, grid[row], field, panels)
    return figure


def limits_of(
    geometry: Geometry, field: FieldGrid, panels: list[Panel], seen: xr.Dataset
) -> dict[str, tuple[float, float]]:
    """Lowest and highest colour of each scale, from all panels that share it."""
    found = {}
    for scale in dict.fromkeys(panel.scale for panel in panels):
        parts = [part(geometry, field, panel, seen) for panel in panels if panel.scale == scale]
        known = np.concatenate([values[np.isfinite(values)] for values in parts])
        found[scale] = span(scale, known) if known.size else (-1.0, 1.0)
    return found


def span(scale: str, known: np.ndarray) -> tuple[float, float]:
    """From the lowest to the highest state, from 0 for spreads, symmetric about 0 for errors."""
    if scale == STATE:
        low, high = np.percentile(known, [0.5, 99.5])
        return float(low), float(high)
    top = float(np.percentile(np.abs(known), 99)) or 1.0
    return (0.0 if scale == SPREAD else -top), top


def part(geometry: Geometry, field: FieldGrid, panel: Panel, seen: xr.Dataset) -> np.ndarray:
    """The values of a panel that belong to a field: on its grid, or at the observations of it."""
    if panel.at_points:
        return panel.values[points(seen, geometry, field.name).entries]
    values: np.ndarray = geometry.split(panel.values)[field.name]
    return values


def one_panel(
    axes: "Axes", geometry: Geometry, field: FieldGrid, panel: Panel, seen: xr.Dataset, limits: tuple[float, float]
) -> None:
    """A field as coloured cells, or observations as coloured points."""
    colours: dict[str, Any] = {"cmap": COLOURS[panel.scale], "vmin": limits[0], "vmax": limits[1]}
    values = part(geometry, field, panel, seen)
    y, x = (axis.points(count) for axis, count in zip(geometry.axes, field.shape, strict=True))
    axes.set_facecolor(NO_DATA)
    axes.set_aspect(1 / squeeze(geometry))
    if panel.at_points:
        down, along = wrapped(geometry, field, points(seen, geometry, field.name).places).T
        axes.scatter(along, down, c=values, s=6, linewidths=0, **colours)
    else:
        axes.pcolormesh(x, y, np.ma.masked_invalid(values), shading="nearest", rasterized=True, **colours)


def wrapped(geometry: Geometry, field: FieldGrid, places: np.ndarray) -> np.ndarray:
    """Places (observation, axis) within the cells that are drawn: those of a periodic axis begin half a cell early."""
    places = places.copy()
    for number, (axis, count) in enumerate(zip(geometry.axes, field.shape, strict=True)):
        if axis.periodic:
            first = axis.origin - axis.length / count / 2
            places[:, number] = first + (places[:, number] - first) % axis.length
    return places


def squeeze(geometry: Geometry) -> float:
    """How much shorter a unit of the second axis is than one of the first: on the sphere the cosine of latitude."""
    latitude = geometry.axes[0]
    if latitude.name != "latitude":
        return 1.0
    return max(float(np.cos(np.deg2rad(latitude.origin + latitude.length / 2))), 0.1)


def colour_bars(figure: "Figure", row: Any, field: FieldGrid, panels: list[Panel]) -> None:
    """A colour bar below the panels of each scale, with the name and the units of the field."""
    from matplotlib.ticker import MaxNLocator

    for scale in dict.fromkeys(panel.scale for panel in panels):
        own = [axes for axes, panel in zip(row, panels, strict=True) if panel.scale == scale]
        text = label(field.name if scale == STATE else f"{scale} of {field.name}", field.units)
        place: dict[str, Any] = {"location": "bottom", "aspect": 14 * len(own), "pad": 0.02, "shrink": 0.9}
        ticks = MaxNLocator(2 if len(own) == 1 else 7, symmetric=scale in (ERROR, INNOVATION))
        extend = "max" if scale == SPREAD else "both"
        figure.colorbar(own[0].collections[0], ax=own, label=text, extend=extend, ticks=ticks, **place)
