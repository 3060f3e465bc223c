"""Lyapunov exponents of learned models against those of the physical model."""

from typing import TYPE_CHECKING

import numpy as np

from assimilearn.figures.inputs import Group, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    legend_columns,
    letter,
    line,
    marker,
    new_figure,
    style,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXPONENT = "Lyapunov exponent (1/MTU)"
TOLERANCE, FLOOR = 0.10, 0.05  # a positive exponent is retrieved within a tenth of it, or this much per MTU
WIDEST = 1.0  # per MTU: a model that misses by more leaves the panel of differences


def plot(*, spectra: Group | None = None) -> "Figure":
    """Two panels: the exponents in falling order, and their differences from the physical model's.

    The band in the second panel is a tenth of each exponent, or 0.05 per MTU where that is more. Models whose
    exponents could not be found (they diverge) are named in the legend and have no marks.

    Parameters
    ----------
    spectra : mapping of names to Datasets
        Forecast scores with ``lyapunov_exponent`` and ``lyapunov_reference``.

    Raises
    ------
    FigureError
        If there are none.
    """
    need("lyapunov_spectrum", spectra=spectra)
    assert spectra is not None
    with style():
        return draw(spectra)


def draw(spectra: Group) -> "Figure":
    """Exponents on the left, differences on the right, one legend below."""
    figure = new_figure(TWO_COLUMNS, 7.2 * CENTIMETRE)
    left, right = figure.subplots(1, 2)
    reference = next(iter(spectra.values()))["lyapunov_reference"].values
    index = np.arange(1, reference.size + 1)
    left.plot(index, reference, color=BLACK, linewidth=2.2, alpha=0.35, label="reference")
    for name, dataset in spectra.items():
        exponents = dataset["lyapunov_exponent"].values
        found = bool(np.isfinite(exponents).all())
        look = {**line(name), "marker": marker(name), "linewidth": 0.8}
        left.plot(index, exponents, label=name if found else f"{name} (none found)", **look)
        right.plot(index, exponents - reference, **look)
    name_axes(left, right, reference)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def name_axes(left: "Axes", right: "Axes", reference: np.ndarray) -> None:
    """Labels, the zero lines, the band, and limits that keep a wild model from squeezing the others."""
    index = np.arange(1, reference.size + 1)
    allowed = np.maximum(TOLERANCE * np.abs(reference), FLOOR)
    right.fill_between(index, -allowed, allowed, color=GREY, alpha=0.2, linewidth=0, label="within a tenth or 0.05")
    span = float(np.ptp(reference)) or 1.0
    left.set_ylim(float(reference.min()) - 0.15 * span, float(reference.max()) + 0.3 * span)
    low, high = right.get_ylim()
    right.set_ylim(max(low, -WIDEST), min(high, WIDEST))
    right.legend(loc="best")
    for place, (axes, title, quantity) in enumerate(
        ((left, "Spectrum", EXPONENT), (right, "Difference from the reference", "Difference (1/MTU)"))
    ):
        axes.axhline(0, color=GREY, linewidth=0.6)
        axes.set(xlabel="Exponent (index)", ylabel=quantity)
        whole_numbers(axes)
        letter(axes, place, title)
