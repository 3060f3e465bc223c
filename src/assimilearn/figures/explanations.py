"""What learned models do with their inputs: importance, mean Jacobian and its error, partial dependence."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    ERROR_COLOURS,
    TWO_COLUMNS,
    colour,
    legend_columns,
    letter,
    line,
    new_figure,
    plain_log,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE = "physical model"
MOST_CURVES = 8  # of the models with the best Jacobian


def plot(*, explanations: Group | None = None) -> "Figure":
    """Four panels for the first output: a row for each model in the first three, curves in the last.

    Importance is drawn on a scale of its root, so that weak inputs are seen. The Jacobian of the physical model stands
    on top. Curves are of the input, other than the output itself, on which the physical model depends most.

    Parameters
    ----------
    explanations : mapping of names to Datasets

    Raises
    ------
    FigureError
        If there are none.
    """
    need("explanations", explanations=explanations)
    assert explanations is not None
    with style():
        return draw(explanations)


def draw(explanations: Group) -> "Figure":
    """Two rows of panels."""
    first = next(iter(explanations.values()))
    figure = new_figure(TWO_COLUMNS, (9.5 + 0.62 * len(explanations)) * CENTIMETRE)
    (top_left, top_right), (low_left, low_right) = figure.subplots(2, 2)
    names = list(explanations)
    importance = np.stack([np.sqrt(np.maximum(row(d, "importance"), 0.0)) for d in explanations.values()])
    image(figure, top_left, importance, names, first, "viridis", "Root of the error added (–)")
    jacobians = [row(first, "physical_jacobian"), *(row(d, "jacobian") for d in explanations.values())]
    image(figure, top_right, np.stack(jacobians), [REFERENCE, *names], first, ERROR_COLOURS, "Mean derivative (–)")
    errors = [float(d.attrs["jacobian_error"]) for d in explanations.values()]
    low_left.barh(names, errors, color=[colour(name) for name in names])
    low_left.invert_yaxis()
    if np.isfinite(errors).all() and min(errors) > 0:
        plain_log(low_left, "x")
    low_left.set_xlabel("Relative error (–)")
    curves(low_right, explanations)
    titles = ("Permutation importance", "Jacobian", "Error of the Jacobian", "Partial dependence")
    for index, (axes, title) in enumerate(zip((top_left, top_right, low_left, low_right), titles, strict=True)):
        letter(axes, index, title)
    handles, labels = low_right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def row(dataset: xr.Dataset, name: str) -> np.ndarray:
    """The numbers of the first output, (input,)."""
    return dataset[name].values[0]


def image(
    figure: "Figure", axes: "Axes", table: np.ndarray, names: list[str], first: xr.Dataset, map_name: str, quantity: str
) -> None:
    """One row of colours for each name, one column for each input."""
    largest = float(np.nanmax(np.abs(table), initial=0.0)) or 1.0
    lowest = -largest if map_name == ERROR_COLOURS else 0.0
    shown: Any = axes.imshow(table, aspect="auto", cmap=map_name, vmin=lowest, vmax=largest)
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(table.shape[1]), inputs_of(first), rotation=0)
    axes.set_xlabel("Input, from the output (sites)" if "offset" in first.coords else "Input (site)")
    figure.colorbar(shown, ax=axes, label=quantity, pad=0.01)


def inputs_of(dataset: xr.Dataset) -> list[str]:
    """Names of the inputs: offsets, or numbers of sites; some are left out where there are many."""
    values = dataset["offset"].values if "offset" in dataset.coords else dataset["input_site"].values[0]
    every = -(-values.size // 14)
    return [f"{value}" if k % every == 0 else "" for k, value in enumerate(values)]


def curves(axes: "Axes", explanations: Group) -> None:
    """Mean increment against the value of the strongest input, of the models whose Jacobian is best."""
    first = next(iter(explanations.values()))
    strength = np.abs(row(first, "physical_jacobian")).copy()
    if "physical_strength" in first:
        strength = row(first, "physical_strength").copy()
    strength[first["input_site"].values[0] == int(first["output_site"].values[0])] = 0.0
    k = int(np.argmax(strength))
    best = sorted(explanations, key=lambda name: float(explanations[name].attrs["jacobian_error"]))[:MOST_CURVES]
    for name in (name for name in explanations if name in best):
        dataset = explanations[name]
        axes.plot(row(dataset, "dependence_value")[k], row(dataset, "dependence")[k], label=name, **line(name))
    axes.axhline(0.0, color=BLACK, linewidth=0.4)
    axes.set_xlabel(f"Input at {inputs_of(first)[k] or k} (–)")
    axes.set_ylabel("Mean increment (–)")
