"""Coefficients of learned polynomial tendencies with their standard errors, beside the regression they started from."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, need, need_variables
from assimilearn.figures.style import (
    CENTIMETRE,
    GREY,
    LIGHT_GREY,
    TWO_COLUMNS,
    colour,
    label,
    letter,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VARIABLES = ("coefficient", "coefficient_std", "first_guess")
LINEAR = 0.1  # MTU-1: the axis is linear up to here, logarithmic beyond
STANDARD_ERRORS = 2


def plot(*, polynomials: Group | None = None) -> "Figure":
    """One panel for each polynomial emulator, one row for each monomial.

    Parameters
    ----------
    polynomials : mapping of names to Datasets
        Emulator files with ``coefficient``, ``coefficient_std`` and ``first_guess`` (monomial), per MTU.

    Raises
    ------
    FigureError
        If none is given, or one lacks a variable.
    """
    need("coefficients", polynomials=polynomials)
    assert polynomials is not None
    for name, dataset in polynomials.items():
        need_variables("coefficients", dataset, VARIABLES, f"the emulator {name}")
    with style():
        return draw(polynomials)


def draw(polynomials: Group) -> "Figure":
    """Panels side by side; those with the same monomials share their names."""
    from matplotlib.lines import Line2D

    rows = max(dataset.sizes["monomial"] for dataset in polynomials.values())
    figure = new_figure(TWO_COLUMNS, (2.8 + 0.36 * rows) * CENTIMETRE)
    panels = figure.subplots(1, len(polynomials), squeeze=False)[0]
    for index, (axes, (name, dataset)) in enumerate(zip(panels, polynomials.items(), strict=True)):
        one_polynomial(axes, name, dataset)
        letter(axes, index, name)
    handles = [
        Line2D([], [], color=GREY, marker="o", label=f"learned, ± {STANDARD_ERRORS} standard errors"),
        Line2D(
            [], [], color=GREY, marker="D", linestyle="", markerfacecolor="white", label="regression on the analysis"
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def one_polynomial(axes: "Axes", name: str, dataset: xr.Dataset) -> None:
    """Learned coefficients and first guess on an axis that shows zeros and large numbers alike."""
    rows = np.arange(dataset.sizes["monomial"])
    shade = colour(name)
    learned, error = dataset["coefficient"].values, STANDARD_ERRORS * dataset["coefficient_std"].values
    axes.axvline(0.0, color=LIGHT_GREY, linewidth=0.8)
    axes.plot(dataset["first_guess"].values, rows, "D", color=GREY, markerfacecolor="white")
    axes.errorbar(learned, rows, xerr=error, fmt="o", color=shade, elinewidth=0.8)
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=0.8)
    ticks = [tick for tick in (-10, -1, -0.1, 0, 0.1, 1, 10) if within(tick, axes.get_xlim())]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks(rows, dataset["monomial"].values)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y")
    axes.set_xlabel(label("Coefficient", dataset["coefficient"].attrs.get("units")))


def within(value: float, limits: tuple[float, float]) -> bool:
    """Whether ``value`` lies between the limits."""
    return limits[0] <= value <= limits[1]
