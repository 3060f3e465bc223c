"""The climate of free runs against that of the physical model: pdf, power spectrum, mean and deviation of sites.

Of a field on a plane the last two are drawn along its first axis, averaged over the second.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, having, need, need_variables
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    TWO_COLUMNS,
    colour,
    label,
    legend_columns,
    letter,
    line,
    marker,
    new_figure,
    style,
    whole_numbers,
)
from assimilearn.figures.time_axis import unit
from assimilearn.models.fields import field_scales, geometry_in
from assimilearn.models.geometry import Geometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VARIABLES = ("pdf", "power_spectrum", "mean", "std")
DECADES = 5  # of the spectrum below the reference's highest density
HEADROOM = 1.6  # the pdf of a run with little variability is a spike: the axis ends at so many times the reference
REST = 0.01  # of the reference's standard deviation: a run that varies less in time is at rest
DIVERGED, AT_REST = "diverged", "at rest"


def plot(*, forecast_scores: Group | None = None, model: xr.Dataset | None = None) -> "Figure":
    """Four panels; a free run that diverged has no lines and is named in the legend as diverged.

    So is a run at rest (persistence, climatology), which has no climate to compare.

    Parameters
    ----------
    forecast_scores : mapping of names to Datasets
        Those without a free run are left out.
    model : Dataset
        The climatology file, the reference.

    Raises
    ------
    FigureError
        If there are no scores, or no climatology file with its climate.
    """
    need("climate", model=model, forecast_scores=forecast_scores)
    assert forecast_scores is not None and model is not None
    need_variables("climate", model, VARIABLES, "the climatology file")
    with style():
        return draw(forecast_scores, model)


def draw(scores: Group, model: xr.Dataset) -> "Figure":
    """Four panels, one legend below."""
    whole = having(scores, *VARIABLES)
    runs = {name: d for name, d in scores.items() if name in whole or d.attrs.get("free_run") == DIVERGED}
    figure = new_figure(TWO_COLUMNS, 11.8 * CENTIMETRE)
    panels = figure.subplots(2, 2).ravel()
    geometry = geometry_in(model)
    several = len(geometry.fields) > 1
    for axes, variable in zip(panels, VARIABLES[:2] if several else VARIABLES, strict=False):
        for name, dataset in runs.items():
            trouble = remark(dataset, model)
            drawn = trouble is None
            at, values = profile(variable, dataset if drawn else model, geometry)
            values = values if drawn else np.full(values.shape, np.nan)
            axes.plot(at, values, label=name if trouble is None else f"{name} ({trouble})", **line(name))
        axes.plot(
            *profile(variable, model, geometry), color=BLACK, linewidth=2.2, alpha=0.35, label="reference climate"
        )
    if several:
        compare_fields(panels[2:], runs, model, geometry)
    name_axes(panels, model, geometry)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def profile(variable: str, dataset: xr.Dataset, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """What a panel draws against what: of sites on a plane the mean over its second axis against the first."""
    values, axis = visible(variable, dataset[variable].values), dataset[variable].dims[0]
    if axis != "site" or not on_plane(geometry):
        return dataset[axis].values, values
    rows = values.reshape(geometry.fields[0].shape)
    at = geometry.axes[0].points(rows.shape[0])
    return at, np.sqrt((rows**2).mean(axis=1)) if variable == "std" else rows.mean(axis=1)


def on_plane(geometry: Geometry) -> bool:
    """Whether the sites are all points of a grid of two axes."""
    return len(geometry.axes) == 2 and len(geometry.fields[0].shape) == 2


def compare_fields(panels: Any, runs: Group, model: xr.Dataset, geometry: Geometry) -> None:
    """Mean and deviation of each field, by name, relative to the reference: fields have units of their own."""
    scales = field_scales(model, geometry)
    shift = 0.6 / max(len(runs), 1)
    for number, (name, dataset) in enumerate(runs.items()):
        if remark(dataset, model) is not None:
            continue
        at = np.arange(len(geometry.fields)) + shift * (number - (len(runs) - 1) / 2)
        mean = (dataset["mean"].values - model["mean"].values) / scales
        square = (dataset["std"].values / scales) ** 2
        look = {"color": colour(name), "marker": marker(name), "linestyle": "none"}
        panels[0].plot(at, [mean[sites].mean() for sites in geometry.slices.values()], **look)
        panels[1].plot(at, [np.sqrt(square[sites].mean()) for sites in geometry.slices.values()], **look)
    for axes, level in zip(panels, (0.0, 1.0), strict=True):
        axes.axhline(level, color=BLACK, linewidth=2.2, alpha=0.35)
        axes.set_xticks(range(len(geometry.fields)), geometry.names)
        axes.set_xlim(-0.5, len(geometry.fields) - 0.5)


def remark(dataset: xr.Dataset, model: xr.Dataset) -> str | None:
    """What to write beside the name of a free run: that it diverged, or came to rest; None for any other."""
    if dataset.attrs.get("free_run") == DIVERGED:
        return DIVERGED
    # NaN stands above the highest frequency that a model with a longer step can have
    power, reference = (float(np.nansum(d["power_spectrum"].values[1:])) for d in (dataset, model))
    return AT_REST if power < REST**2 * reference else None


def visible(variable: str, values: np.ndarray) -> np.ndarray:
    """Values as they can be drawn: a logarithmic axis has no place for zero, nor for the frequency 0."""
    if variable != "power_spectrum":
        return values
    values = np.where(values > 0, values, np.nan)
    values[0] = np.nan
    return values


def name_axes(panels: "np.ndarray[tuple[int], np.dtype[np.object_]]", model: xr.Dataset, geometry: Geometry) -> None:
    """Labels, limits and titles; densities of several fields are those of standardised values."""
    several = len(geometry.fields) > 1
    state = None if several else model["mean"].attrs.get("units")
    density = "1" if state in (None, "", "1") else f"1/({state})"
    pdf, spectrum, mean, std = panels
    time = unit(model)
    pdf.set(
        xlabel=label("Standardised state" if several else "State", state), ylabel=label("Probability density", density)
    )
    pdf.set_ylim(0, HEADROOM * float(model["pdf"].max()))
    power = model["power_spectrum"].values[1:]
    spectrum.set(
        xscale="log",
        yscale="log",
        xlabel=f"Frequency (1/{time})",
        ylabel=label("Power density", power_units(state, time)),
    )
    spectrum.set_ylim(power.max() * 10.0**-DECADES, power.max() * 4)
    if several:
        mean.set_ylabel("Mean − that of the reference\n(standard deviations)")
        std.set_ylabel("Standard deviation\n(of the reference)")
    else:
        name_site_axes(mean, std, model, geometry)
    along = f"sites along {geometry.axes[0].name}" if on_plane(geometry) else "sites"
    what = "fields" if several else along
    titles = ("Distribution", "Temporal power spectrum", f"Mean of {what}", f"Deviation of {what}")
    for index, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        letter(axes, index, title)


def name_site_axes(mean: "Axes", std: "Axes", model: xr.Dataset, geometry: Geometry) -> None:
    """Labels and limits of mean and standard deviation against the sites."""
    state = model["mean"].attrs.get("units")
    for axes, quantity in ((mean, "Mean"), (std, "Standard deviation")):
        axes.set_ylabel(label(quantity, state))
        if on_plane(geometry):
            axes.set_xlabel(label(geometry.axes[0].name, geometry.axes[0].units))
        else:
            axes.set_xlabel("Site (index)")
            whole_numbers(axes)
    spread = float(model["std"].mean())
    middle = float(model["mean"].mean())
    low, high = mean.get_ylim()
    # wide enough not to magnify sampling errors, narrow enough to see the reference beside a wild run
    mean.set_ylim(
        *np.clip(
            [low, high], [middle - 2 * spread, middle + 0.3 * spread], [middle - 0.3 * spread, middle + 2 * spread]
        )
    )
    std.set_ylim(-0.05 * spread, np.clip(std.get_ylim()[1], 1.3 * spread, 3 * spread))


def power_units(state: str | None, time: str) -> str:
    """Units of a one-sided power density over frequency, with times in the unit ``time``."""
    return time if state in (None, "", "1") else f"({state})² {time}"
