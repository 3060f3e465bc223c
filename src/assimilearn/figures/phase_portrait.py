"""Pairs of variables of a small model against each other: truth and analysis."""

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import Group, in_test_period, need
from assimilearn.figures.observed import closest
from assimilearn.figures.style import BLACK, BLUE, CENTIMETRE, TWO_COLUMNS, label, letter, new_figure, style
from assimilearn.figures.time_series import between, variables
from assimilearn.models.fields import geometry_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 400  # analysis times


def plot(*, analyses: Group | None = None, truth: xr.Dataset | None = None) -> "Figure":
    """The last 400 analysis times of the test period, a panel for each pair of the variables.

    Parameters
    ----------
    analyses : mapping of names to Datasets
        One is shown: that with the smallest innovations.
    truth : Dataset, optional

    Raises
    ------
    FigureError
        If there are no analyses, or they have no test period.
    """
    need("phase_portrait", analyses=analyses)
    assert analyses is not None
    parts = {name: in_test_period("phase_portrait", analysis) for name, analysis in analyses.items()}
    name = closest(parts)
    analysis = parts[name].isel(time=slice(-SHOWN, None))
    with style():
        return draw(name, analysis, None if truth is None else between(truth, analysis))


def draw(name: str, analysis: xr.Dataset, truth: xr.Dataset | None) -> "Figure":
    """The panels side by side, a legend below."""
    shown = variables(geometry_in(analysis))
    pairs = list(combinations(range(len(shown)), 2))
    figure = new_figure(TWO_COLUMNS, 7.2 * CENTIMETRE)
    panels = figure.subplots(1, len(pairs), squeeze=False)[0]
    mean = analysis["mean"].values.astype(float)
    for index, (axes, (one, other)) in enumerate(zip(panels, pairs, strict=True)):
        if truth is not None:
            state = truth["state"].values
            axes.plot(state[:, one], state[:, other], color=BLACK, linewidth=0.4, alpha=0.6, label="truth")
        points: dict[str, Any] = {
            "color": BLUE,
            "linestyle": "none",
            "marker": "o",
            "markersize": 1.8,
            "markeredgewidth": 0,
        }
        known = np.isfinite(mean[:, [one, other]]).all(axis=1)
        axes.plot(mean[known, one], mean[known, other], label=f"analysis: {name}", **points)
        axes.set(xlabel=label(*shown[one]), ylabel=label(*shown[other]))
        letter(axes, index, f"{shown[other][0]} against {shown[one][0]}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
