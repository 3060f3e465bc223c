"""Analysis error against the settings that sweeps go over: how sharp the best value is, and where filters fail."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, method_of, need, need_variables
from assimilearn.figures.style import (
    CENTIMETRE,
    TWO_COLUMNS,
    colour,
    label,
    legend_columns,
    letter,
    marker,
    new_figure,
    plain_log,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS, ROW = 3, 5.2 * CENTIMETRE
MOST_CURVES = 6  # of one panel; of more values some are left out, evenly
UNITS = {"localization_radius": "sites"}
RANGE = (np.nanmin, np.nanmax)


def plot(*, grids: Group | None = None) -> "Figure":
    """One panel for each sweep: lines go through the medians over realizations, shades from the lowest to the highest.

    The axis is the first setting with numbers other than the members; there is a line for each value of a second
    setting, and what else is swept is at its best. Open marks: some realization lost the truth or diverged.

    Parameters
    ----------
    grids : mapping of names to Datasets
        Sweeps; those over members alone, or over nothing, are left out.

    Raises
    ------
    FigureError
        If there is no sweep over another setting than the members.
    """
    need("rmse_against_settings", grids=grids)
    assert grids is not None
    for name, sweep in grids.items():
        need_variables("rmse_against_settings", sweep, ("rmse", "rmse_median", "status"), f"the sweep {name}")
    shown = {name: sweep for name, sweep in grids.items() if swept_settings(sweep)}
    if not shown:
        raise FigureError("the figure 'rmse_against_settings' needs a sweep over another setting than the members")
    with style():
        columns = min(COLUMNS, len(shown))
        rows = -(-len(shown) // columns)
        colours = colours_of_values(shown)
        lines = -(-len(colours) // MOST_CURVES)  # of the legend
        figure = new_figure(TWO_COLUMNS, rows * ROW + (0.3 + 0.5 * lines) * CENTIMETRE)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for index, (axes, (name, sweep)) in enumerate(zip(panels, shown.items(), strict=False)):
            draw(axes, sweep, method_of(name, sweep), colours)
            letter(axes, index, name)
        for axes in panels[len(shown) :]:
            axes.remove()
        if colours:
            handles = [axes.plot([], [], color=look)[0] for look in colours.values()]
            beside = legend_columns(len(colours), MOST_CURVES)
            figure.legend(handles, list(colours), loc="outside lower center", ncols=beside)
    return figure


def swept_settings(sweep: xr.Dataset) -> list[str]:
    """Settings with several numbers, members last: the axis, and what there may be a line for each value of."""
    dims = [str(dim) for dim in sweep["rmse_median"].dims if np.issubdtype(sweep[dim].dtype, np.number)]
    several = [dim for dim in dims if sweep.sizes[dim] > 1]
    others = [dim for dim in several if dim != "members"]
    return [*others, *(dim for dim in several if dim == "members")] if others else []


def lines_for(sweep: xr.Dataset) -> str | None:
    """The setting for the values of which there are lines: the members, or else the second one that is swept."""
    _, *others = swept_settings(sweep)
    return "members" if "members" in others else next(iter(others), None)


def colours_of_values(sweeps: Group) -> dict[str, tuple[float, ...]]:
    """A colour for each value of the second settings of all panels, dark to light as they rise: "members 10"."""
    found: dict[str, set[float]] = {}
    for sweep in sweeps.values():
        second = lines_for(sweep)
        if second is not None:
            found.setdefault(second, set()).update(shown_values(sweep[second].values))
    return {
        named(second, value): shade(k, len(values))
        for second, values in found.items()
        for k, value in enumerate(sorted(values))
    }


def shown_values(values: np.ndarray) -> np.ndarray:
    """All values, or some, evenly chosen, if they are too many for one panel."""
    chosen = np.unique(np.linspace(0, len(values) - 1, min(len(values), MOST_CURVES)).round().astype(int))
    return values[chosen]


def named(setting: str, value: float) -> str:
    """What the legend calls a value."""
    return f"{setting.replace('_', ' ')} {value:g}"


def draw(axes: "Axes", sweep: xr.Dataset, method: str, colours: dict[str, tuple[float, ...]]) -> None:
    """The curves of one sweep."""
    axis = swept_settings(sweep)[0]
    for text, curve in at_best(sweep, axis, lines_for(sweep)):
        place, median = curve[axis].values, curve["rmse_median"].values
        values = np.where(np.isfinite(curve["rmse"].values), curve["rmse"].values, np.nan)
        look = colours.get(text, colour(method))
        sound = np.isfinite(values).any(axis=-1) & np.isfinite(median)
        troubled = sound & (curve["status"].values > 0).any(axis=-1)
        low, high = (np.array([f(row) if ok else np.nan for row, ok in zip(values, sound, strict=True)]) for f in RANGE)
        axes.fill_between(place, low, high, color=look, alpha=0.2, linewidth=0)
        axes.plot(place, np.where(sound, median, np.nan), marker(method), linestyle="-", color=look, label=text)
        axes.plot(place[troubled], median[troubled], marker(method), color=look, mfc="white", linestyle="none")
    axes.set_xlabel(label(axis.replace("_", " ").capitalize(), UNITS.get(axis, "1")))
    axes.set_ylabel(label("Analysis RMSE", "1"))
    plain_log(axes, "y")
    axes.grid()


def at_best(sweep: xr.Dataset, axis: str, second: str | None) -> Iterator[tuple[str, xr.Dataset]]:
    """For some values of the second setting, the sweep along the axis with all other settings at their best there."""
    parts = {"": sweep}
    if second is not None:
        parts = {named(second, value): sweep.sel({second: value}) for value in shown_values(sweep[second].values)}
    for name, part in parts.items():
        rest = [dim for dim in part["rmse_median"].dims if dim != axis]
        if rest:
            part = part.stack(rest=rest).transpose(axis, "rest", ...)
            part = part.isel(rest=part["rmse_median"].fillna(np.inf).argmin("rest"))
        yield name, part.transpose(axis, ...)


def shade(k: int, count: int) -> tuple[float, ...]:
    """A colour for the k-th of ``count`` values that rise, dark to light."""
    from matplotlib import colormaps

    return tuple(colormaps["viridis"](0.85 * k / max(count - 1, 1)))
