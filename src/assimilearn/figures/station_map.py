"""Map of the stations of a record: how far forecasts and analyses are from values that they did not see, by station."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, in_test_period, need
from assimilearn.figures.observed import at_times, closest, of_states
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    label,
    letter,
    new_figure,
    style,
)
from assimilearn.models.fields import geometry_in
from assimilearn.models.geometry import Geometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEEN: dict[str, Any] = {"marker": "o", "s": 46}
UNSEEN: dict[str, Any] = {"marker": "D", "s": 42}
ROOM = 0.25  # of the extent of the stations, around them


def plot(
    *, observations: xr.Dataset | None = None, analyses: Group | None = None, withheld: xr.Dataset | None = None
) -> "Figure":
    """A panel for each field: the root mean square departure at every station over the test period, in its units.

    Of stations with observations (circles) it is the innovation, of stations of which an analysis saw nothing
    (diamonds) withheld value minus analysis.

    Parameters
    ----------
    observations, withheld : Dataset
        Of a record; without ``withheld`` only innovations are shown.
    analyses : mapping of names to Datasets
        One is shown: that with the smallest innovations.

    Raises
    ------
    FigureError
        If stations have no positions, or nothing is known of any.
    """
    need("station_map", observations=observations, analyses=analyses)
    assert observations is not None and analyses is not None
    parts = {name: in_test_period("station_map", analysis) for name, analysis in analyses.items()}
    name = closest(parts)
    analysis, geometry = parts[name], geometry_in(analyses[name])
    if geometry.stations is None or len(geometry.axes) != 2:
        raise FigureError("the figure 'station_map' needs stations with two coordinates")
    times = analysis["time"].values
    seen = at_times("station_map", observations, times, "the observations")
    errors = rms_of_sites(analysis["innovation"].values.astype(float), seen, geometry.size)
    unseen = np.full(geometry.size, np.nan)
    if withheld is not None:
        hidden = at_times("station_map", withheld, times, "the withheld values")
        states = np.take_along_axis(analysis["mean"].values.astype(float), hidden["site_index"].values.astype(int), 1)
        unseen = rms_of_sites(hidden["value"].values - states, hidden, geometry.size)
    never = np.isnan(errors)
    with style():
        return draw(name, geometry, np.where(never, unseen, errors), never)


def rms_of_sites(departures: np.ndarray, observations: xr.Dataset, size: int) -> np.ndarray:
    """Root mean square over time of ``departures (time, observation)`` at every site, NaN where there are none."""
    there = of_states(observations) & np.isfinite(departures)
    sites = observations["site_index"].values[there].astype(int)
    counts = np.bincount(sites, minlength=size)
    squares = np.bincount(sites, departures[there] ** 2, minlength=size)
    return np.sqrt(np.divide(squares, counts, out=np.full(size, np.nan), where=counts > 0))


def draw(name: str, geometry: Geometry, errors: np.ndarray, never: np.ndarray) -> "Figure":
    """The panels side by side, each with a colour bar of its own; one legend below."""
    from matplotlib.lines import Line2D

    count = len(geometry.fields)
    figure = new_figure(TWO_COLUMNS, 7.4 * CENTIMETRE)
    panels = figure.subplots(1, count, sharex=True, sharey=True, squeeze=False)[0]
    for index, (axes, field) in enumerate(zip(panels, geometry.fields, strict=True)):
        where = geometry.slices[field.name]
        points = one_field(axes, geometry, geometry.coordinates[where], errors[where], never[where])
        text = label("Rms departure", field.units)
        figure.colorbar(points, ax=axes, label=text, location="bottom", shrink=0.9, aspect=16, pad=0.02)
        letter(axes, index, field.name)
        axes.label_outer()
    handles = [
        Line2D([], [], color=GREY, marker=look["marker"], linestyle="none", markersize=5, label=text)
        for look, text in ((SEEN, "observed: innovations"), (UNSEEN, "withheld station: value minus analysis"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle(f"{name}, test period", x=0.01, ha="left", fontsize=8)
    return figure


def one_field(axes: "Axes", geometry: Geometry, places: np.ndarray, errors: np.ndarray, never: np.ndarray) -> Any:
    """Stations coloured by their error, with their names; what the colour bar is of."""
    assert geometry.stations is not None
    order = sorted(range(2), key=lambda axis: geometry.axes[axis].name in ("latitude", "y"))
    x, y = places[:, order[0]], places[:, order[1]]
    colours: dict[str, Any] = {"cmap": "viridis", "vmin": 0.0, "vmax": float(np.nanmax(errors, initial=1e-9))}
    points = None
    for look, chosen in ((SEEN, ~never), (UNSEEN, never)):
        points = axes.scatter(
            x[chosen], y[chosen], c=errors[chosen], edgecolors=BLACK, linewidths=0.5, zorder=3, **look, **colours
        )
    for at, station in zip(np.stack([x, y], axis=1), geometry.stations.names, strict=True):
        axes.annotate(station, at, textcoords="offset points", xytext=(6, 4), fontsize=6)
    for which, values in (("x", x), ("y", y)):
        room = ROOM * max(float(np.ptp(values)), 1e-3)
        axes.set(**{f"{which}lim": (values.min() - room, values.max() + 1.6 * room)})
    axes.grid()
    across, up = (geometry.axes[axis] for axis in order)
    axes.set_xlabel(label(across.name, across.units))
    axes.set_ylabel(label(up.name, up.units))
    return points
