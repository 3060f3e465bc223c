"""The climate of free runs against that of the physical model: pdf, power spectrum, mean and deviation of sites."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, having, need, need_variables
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    TWO_COLUMNS,
    label,
    legend_columns,
    letter,
    line,
    new_figure,
    style,
    whole_numbers,
)

if TYPE_CHECKING:
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
    whole = having(scores, *VARIABLES)
    runs = {name: d for name, d in scores.items() if name in whole or d.attrs.get("free_run") == DIVERGED}
    figure = new_figure(TWO_COLUMNS, 11.8 * CENTIMETRE)
    panels = figure.subplots(2, 2).ravel()
    for axes, variable in zip(panels, VARIABLES, strict=True):
        axis = model[variable].dims[0]
        for name, dataset in runs.items():
            trouble = remark(dataset, model)
            drawn = trouble is None
            values = visible(variable, dataset[variable].values) if drawn else np.full(model.sizes[axis], np.nan)
            axes.plot(
                model[axis].values, values, label=name if trouble is None else f"{name} ({trouble})", **line(name)
            )
        reference = visible(variable, model[variable].values)
        axes.plot(model[axis].values, reference, color=BLACK, linewidth=2.2, alpha=0.35, label="reference climate")
    name_axes(panels, model)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


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
    for index, (axes, title) in enumerate(
        zip(panels, ("Distribution", "Temporal power spectrum", "Mean of sites", "Deviation of sites"), strict=True)
    ):
        letter(axes, index, title)


def power_units(state: str | None) -> str:
    """Units of a one-sided power density over frequency."""
    return "MTU" if state in (None, "", "1") else f"({state})² MTU"
