"""Truth, observations, analysis and its error in time and space; without a truth the innovation is the error."""

from typing import TYPE_CHECKING

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
from assimilearn.figures.observed import at_times
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
from assimilearn.observations.operators import ATTRIBUTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

SHOWN = 10.0  # MTU


def plot(
    *,
    observations: xr.Dataset | None = None,
    analyses: Group | None = None,
    truth: xr.Dataset | None = None,
    model: xr.Dataset | None = None,
) -> "Figure":
    """The last 10 MTU of the test period, one panel a field, all on one time axis.

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
    analysis = last_part(in_test_period("hovmoller", analyses[name]))
    times = analysis["time"].values
    seen = at_times("hovmoller", observations, times, "the observations")
    size = analysis.sizes["site"]
    fields = {f"Analysis: {name}": analysis["mean"].values}
    if ATTRIBUTE not in seen.attrs:  # what is seen through an operator has other units than the state
        fields = {"Observations": on_sites(seen["value"], seen, size), **fields}
    if truth is not None:
        true = at_times("hovmoller", truth, times, "the truth")["state"].values
        fields = {"Truth": true, **fields}
        error, title = analysis["mean"].values - true, "Error: analysis − truth"
    else:
        error, title = on_sites(analysis["innovation"], seen, size), "Innovation: observation − forecast"
    units = analysis["mean"].attrs.get("units")
    with style():
        return draw(times, fields, title, error, units, lyapunov_time(model))


def shown(analyses: Group) -> str:
    """The name of the analysis that the figure shows."""
    sound = {name: analysis for name, analysis in analyses.items() if trouble(analysis) is None} or dict(analyses)
    for name, analysis in sound.items():
        if method_of(name, analysis) == "etkf" and group_of(name, analysis) == PHYSICAL:
            return name
    return next(iter(sound))


def last_part(dataset: xr.Dataset) -> xr.Dataset:
    """The last ``SHOWN`` MTU of a dataset in time."""
    times = dataset["time"].values
    return dataset.isel(time=np.flatnonzero(times > times[-1] - SHOWN))


def on_sites(values: xr.DataArray, observations: xr.Dataset, size: int) -> np.ndarray:
    """Values (time, observation) put on their sites, (time, site), NaN where there is none."""
    field = np.full((values.sizes["time"], size), np.nan)
    row, column = np.nonzero(observations["valid"].values)
    field[row, observations["site_index"].values[row, column]] = values.values[row, column]
    return field


def draw(
    times: np.ndarray,
    fields: dict[str, np.ndarray],
    title: str,
    error: np.ndarray,
    units: str | None,
    unit: float | None,
) -> "Figure":
    """The panels and their two colour bars."""
    count = len(fields) + 1
    figure = new_figure(TWO_COLUMNS, (1.8 + 2.5 * count) * CENTIMETRE)
    panels = figure.subplots(count, 1, sharex=True, sharey=True)
    finite = np.concatenate([field[np.isfinite(field)] for field in fields.values()])
    low, high = np.percentile(finite, [0.5, 99.5])
    for index, (axes, (name, field)) in enumerate(zip(panels, fields.items(), strict=False)):
        image = mesh(axes, times, field, STATE_COLOURS, low, high)
        letter(axes, index, name, beside_axis=index == 0 and unit is not None)
    figure.colorbar(image, ax=list(panels[:-1]), label=label("State", units), extend="both", aspect=35, pad=0.01)
    known = np.abs(error[np.isfinite(error)])
    top = float(np.percentile(known, 99)) if known.size else 1.0
    image = mesh(panels[-1], times, error, ERROR_COLOURS, -top, top)
    letter(panels[-1], count - 1, title)
    figure.colorbar(image, ax=panels[-1], label=label(title.split(":")[0], units), extend="both", aspect=10, pad=0.01)
    panels[-1].set_xlabel("Time (MTU)")
    lyapunov_axis(panels[0], unit, start=float(times[0]))
    return figure


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
