"""Do the ensembles know their error: rank histograms, CRPS, and error against spread."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, diverged, having, mean_score, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    colour,
    label,
    letter,
    marker,
    new_figure,
    plain_log,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4
HIGHEST = 3.0  # of a relative frequency: beyond it a bar is cut and its value written


def plot(*, analysis_scores: Group | None = None) -> "Figure":
    """A rank histogram for each ensemble analysis; below, CRPS and error against spread.

    Parameters
    ----------
    analysis_scores : mapping of names to Datasets
        Shown are those with ``rank_histogram`` that did not diverge; both need a truth.

    Raises
    ------
    FigureError
        If no analysis has a rank histogram.
    """
    need("ensemble_calibration", analysis_scores=analysis_scores)
    assert analysis_scores is not None
    scores = {n: d for n, d in having(analysis_scores, "rank_histogram", "mean").items() if diverged(d) is None}
    if not scores:
        raise FigureError(
            "the figure 'ensemble_calibration' needs rank_histogram in the analysis scores, which lack it"
        )
    with style():
        return draw(scores)


def draw(scores: dict[str, xr.Dataset]) -> "Figure":
    """Histograms in rows of four, then two wide panels."""
    rows = -(-len(scores) // COLUMNS)
    figure = new_figure(TWO_COLUMNS, (3.1 * rows + 6.2) * CENTIMETRE)
    halves: Any = figure.subfigures(2, 1, height_ratios=[3.1 * rows, 6.0])
    upper, lower = halves
    panels = upper.subplots(rows, COLUMNS, squeeze=False, sharey=True).ravel()
    for axes in panels[len(scores) :]:
        axes.remove()
    for index, (axes, (name, dataset)) in enumerate(zip(panels, scores.items(), strict=False)):
        rank_histogram(axes, name, dataset["rank_histogram"].values)
        letter(axes, index, name)
        if index % COLUMNS == 0:
            axes.set_ylabel("Relative\nfrequency (–)")
        if index + COLUMNS >= len(scores):
            axes.set_xlabel("Rank of the truth (–)")
        else:
            axes.tick_params(labelbottom=False)
    left, right = lower.subplots(1, 2)
    units = next(iter(scores.values()))["rmse"].attrs.get("units") if having(scores, "rmse") else None
    crps(left, scores, units)
    letter(left, len(scores), "CRPS over the test period")
    error_against_spread(right, scores, units)
    letter(right, len(scores) + 1, "Error against spread")
    return figure


def rank_histogram(axes: "Axes", name: str, counts: np.ndarray) -> None:
    """Frequencies of the ranks relative to those of a reliable ensemble, which are all 1."""
    relative = counts / counts.mean()
    axes.bar(np.arange(len(counts)), relative, width=1.0, color=colour(name), alpha=0.85)
    axes.axhline(1.0, color=BLACK, linewidth=0.7, linestyle=(0, (4, 2)))
    axes.set_xlim(-0.5, len(counts) - 0.5)
    axes.set_ylim(0, min(HIGHEST, 1.15 * max(1.0, relative.max(), axes.get_ylim()[1] / 1.15)))
    if relative.max() > HIGHEST:
        text = f"highest {relative.max():.3g}"
        axes.text(0.5, 0.95, text, transform=axes.transAxes, ha="center", va="top", fontsize=6)


def crps(axes: "Axes", scores: dict[str, xr.Dataset], units: str | None) -> None:
    """Mean CRPS with its uncertainty, one row for each analysis."""
    for row, (name, dataset) in enumerate(scores.items()):
        value, half = mean_score(dataset, "crps")
        axes.errorbar(value, row, xerr=half, fmt=marker(name), color=colour(name), ms=4.5, elinewidth=1)
    axes.set_yticks(range(len(scores)), list(scores))
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.grid(axis="both")
    axes.set_xlabel(label("Continuous ranked probability score", units))


def error_against_spread(axes: "Axes", scores: dict[str, xr.Dataset], units: str | None) -> None:
    """Mean error over mean spread: on the diagonal they agree, above it the ensemble is too sure of itself."""
    ends = []
    for name, dataset in scores.items():
        (spread, across), (rmse, up) = mean_score(dataset, "spread"), mean_score(dataset, "rmse")
        axes.errorbar(
            spread, rmse, up, across, fmt=marker(name), color=colour(name), ms=4.5, elinewidth=0.8, label=name
        )
        ends += [spread, rmse]
    low, high = 0.85 * np.nanmin(ends), 1.2 * np.nanmax(ends)
    axes.plot(
        [low, high], [low, high], color=GREY, linewidth=0.7, linestyle=(0, (4, 2)), label="error = spread", zorder=0
    )
    plain_log(axes, "x")
    plain_log(axes, "y")
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_xlabel(label("Spread", units))
    axes.set_ylabel(label("RMSE of the mean", units))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)
