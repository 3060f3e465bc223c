"""The climate of free runs against that of the physical model: pdf, power spectrum, mean and deviation of sites."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, need, need_variables
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    TWO_COLUMNS,
    label,
    letter,
    line,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIABLES = ("pdf", "power_spectrum", "mean", "std")
DECADES = 5  # of the spectrum below the reference's highest density
HEADROOM = 1.6  # the pdf of a run at rest is a spike: the axis ends at so many times the reference's mode


def plot(*, forecast_scores: Group | None = None, model: xr.Dataset | None = None) -> "Figure":
    """Four panels; a free run that diverged has no lines and is named in the legend as diverged.

    Parameters
    ----------
    forecast_scores : mapping of names to Datasets
        Those without a free run are left out.
    model : Dataset
        The model file, the reference.

    Raises
    ------
    FigureError
        If there are no scores, or no model file with its climate.
    """
    need("climate", model=model, forecast_scores=forecast_scores)
    assert forecast_scores is not None and model is not None
    need_variables("climate", model, VARIABLES, "the model file")
    with style():
        return draw(forecast_scores, model)


def draw(scores: Group, model: xr.Dataset) -> "Figure":
    """Four panels, one legend below."""
    figure = new_figure(TWO_COLUMNS, 11.8 * CENTIMETRE)
    panels = figure.subplots(2, 2).ravel()
    for axes, variable in zip(panels, VARIABLES, strict=True):
        axis = model[variable].dims[0]
        for name, dataset in scores.items():
            if variable not in dataset:
                continue
            over = dataset.attrs.get("free_run", "ok") != "ok"
            values = np.full(model.sizes[axis], np.nan) if over else visible(variable, dataset[variable].values)
            title = f"{name} (diverged)" if over else name
            axes.plot(along(dataset, str(axis)), values, label=title, **line(name))
        reference = visible(variable, model[variable].values)
        axes.plot(along(model, str(axis)), reference, color=BLACK, linewidth=2.2, alpha=0.35, label="reference climate")
    name_axes(panels, model)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure


def along(dataset: xr.Dataset, axis: str) -> np.ndarray:
    """The values of an axis; the index where the file gives none."""
    return dataset[axis].values


def visible(variable: str, values: np.ndarray) -> np.ndarray:
    """Values as they can be drawn: a logarithmic axis has no place for zero, nor for the frequency 0."""
    if variable != "power_spectrum":
        return values
    values = np.where(values > 0, values, np.nan)
    values[0] = np.nan
    return values


def name_axes(panels: "np.ndarray[tuple[int], np.dtype[np.object_]]", model: xr.Dataset) -> None:
    """Labels, limits and titles."""
    state = model["mean"].attrs.get("units")
    density = "1" if state in (None, "", "1") else f"1/({state})"
    pdf, spectrum, mean, std = panels
    pdf.set(xlabel=label("State", state), ylabel=label("Probability density", density))
    pdf.set_ylim(0, HEADROOM * float(model["pdf"].max()))
    power = model["power_spectrum"].values[1:]
    spectrum.set(
        xscale="log", yscale="log", xlabel="Frequency (1/MTU)", ylabel=label("Power density", power_units(state))
    )
    spectrum.set_ylim(power.max() * 10.0**-DECADES, power.max() * 4)
    for axes, quantity in ((mean, "Mean"), (std, "Standard deviation")):
        axes.set(xlabel="Site (index)", ylabel=label(quantity, state))
    spread = float(model["std"].mean())
    mean.set_ylim(float(model["mean"].mean()) - 0.5 * spread, float(model["mean"].mean()) + 0.5 * spread)
    std.set_ylim(-0.05 * spread, 1.45 * spread)
    for index, (axes, title) in enumerate(
        zip(panels, ("Distribution", "Temporal power spectrum", "Mean of sites", "Deviation of sites"), strict=True)
    ):
        letter(axes, index, title)


def power_units(state: str | None) -> str:
    """Units of a one-sided power density over frequency."""
    return "MTU" if state in (None, "", "1") else f"({state})² MTU"
