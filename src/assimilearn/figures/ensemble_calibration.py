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
AT_REST = 1e-3  # of the largest: bins with less spread are of sites at rest, such as those of a boundary
HIGHEST = 3.0  # of a relative frequency: beyond it a bar is cut and its value written
# error, spread, and their names on the axes
PAIRS = (
    ("rmse", "spread", "RMSE of the mean", "Spread"),
    ("innovation_rmse", "innovation_spread", "RMS of innovations", "Expected RMS of innovations"),
)


def plot(*, analysis_scores: Group | None = None) -> "Figure":
    """Rank histograms in rows of four; below them, error against spread and CRPS.

    Parameters
    ----------
    analysis_scores : mapping of names to Datasets
        Those that did not diverge are shown, with a histogram if they have ``rank_histogram``. Without a truth the
        innovations stand for the errors, the ranks are those of observations, and there is no CRPS.

    Raises
    ------
    FigureError
        If no sound analysis has a mean error and spread.
    """
    need("ensemble_calibration", analysis_scores=analysis_scores)
    assert analysis_scores is not None
    sound = {name: d for name, d in having(analysis_scores, "mean").items() if diverged(d) is None}
    for pair in PAIRS:
        scores = {name: d for name, d in sound.items() if known(d, pair[0]) and known(d, pair[1])}
        if scores:
            with style():
                return draw(scores, pair)
    raise FigureError(
        "the figure 'ensemble_calibration' needs an analysis that did not diverge and has scores of error and spread"
    )


def known(scores: xr.Dataset, name: str) -> bool:
    """Whether the mean of a score is there."""
    return bool(np.isfinite(mean_score(scores, name)[0]))


def draw(scores: dict[str, xr.Dataset], pair: tuple[str, str, str, str]) -> "Figure":
    """Histograms above, one or two wide panels below."""
    ranked, scored = having(scores, "rank_histogram"), {name: d for name, d in scores.items() if known(d, "crps")}
    rows = -(-len(ranked) // COLUMNS)
    figure = new_figure(TWO_COLUMNS, (3.1 * rows + 6.4) * CENTIMETRE)
    lower: Any = figure
    if ranked:
        halves: Any = figure.subfigures(2, 1, height_ratios=[3.1 * rows, 6.4])
        rank_histograms(halves[0], ranked)
        lower = halves[1]
    panels = lower.subplots(1, 2 if scored else 1, squeeze=False)[0]
    units = next(iter(scores.values()))[pair[0]].attrs.get("units") if having(scores, pair[0]) else None
    if scored:
        crps(panels[0], scored, units)
        letter(panels[0], len(ranked), "CRPS over the test period")
    error_against_spread(panels[-1], scores, pair, units)
    letter(panels[-1], len(ranked) + bool(scored), "Error against spread")
    return figure


def rank_histograms(part: Any, ranked: dict[str, xr.Dataset]) -> None:
    """Frequencies of the ranks relative to those of a reliable ensemble, which are all 1; (sub)figure ``part``."""
    columns = min(COLUMNS, len(ranked))
    rows = -(-len(ranked) // columns)
    panels = part.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in panels[len(ranked) :]:
        axes.remove()
    relative = {name: d["rank_histogram"].values / d["rank_histogram"].values.mean() for name, d in ranked.items()}
    top = min(HIGHEST, 1.2 * max(frequencies.max() for frequencies in relative.values()))
    for index, (axes, (name, frequencies)) in enumerate(zip(panels, relative.items(), strict=False)):
        axes.bar(np.arange(len(frequencies)), frequencies, width=1.0, color=colour(name), alpha=0.85)
        axes.axhline(1.0, color=BLACK, linewidth=0.7, linestyle=(0, (4, 2)))
        axes.set(xlim=(-0.5, len(frequencies) - 0.5), ylim=(0, top))
        if frequencies.max() > HIGHEST:
            text = f"highest {frequencies.max():.3g}"
            axes.text(0.5, 0.95, text, transform=axes.transAxes, ha="center", va="top", fontsize=6)
        letter(axes, index, name)
        if index % columns == 0:
            axes.set_ylabel("Relative\nfrequency (–)")
        if index + columns >= len(ranked):
            observed = "observation" in str(ranked[name]["rank_histogram"].attrs.get("long_name", ""))
            axes.set_xlabel(f"Rank of the {'observation' if observed else 'truth'} (–)")
        else:
            axes.tick_params(labelbottom=False)


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


def error_against_spread(
    axes: "Axes", scores: dict[str, xr.Dataset], pair: tuple[str, str, str, str], units: str | None
) -> None:
    """Mean error over mean spread: on the diagonal they agree, above it the analysis is too sure of itself.

    A line shows the same for cases of low to high spread: flat where the spread does not tell when errors are large.
    """
    ends = []
    for name, dataset in scores.items():
        (error, up), (spread, across) = mean_score(dataset, pair[0]), mean_score(dataset, pair[1])
        look: dict[str, Any] = {"fmt": marker(name), "color": colour(name), "ms": 4.5, "elinewidth": 0.8}
        axes.errorbar(spread, error, up, across, label=name, **look)
        ends += [spread, error]
        if told_apart(dataset):
            bins = drawn_bins(dataset)
            axes.plot(*bins, color=colour(name), linewidth=0.8, alpha=0.7)
            ends += [value for values in bins for value in (values.min(), values.max())]
    if any(told_apart(dataset) for dataset in scores.values()):
        axes.plot([], [], color=GREY, linewidth=0.8, label="tenths of the cases")
    low, high = 0.85 * min(ends), 1.2 * max(ends)
    dashes = (0, (4, 2))
    axes.plot([low, high], [low, high], color=GREY, linewidth=0.7, linestyle=dashes, label="error = spread", zorder=0)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    plain_log(axes, "x")
    plain_log(axes, "y")
    axes.set_xlabel(label(pair[3], units))
    axes.set_ylabel(label(pair[2], units))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def drawn_bins(scores: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Spread and error of the bins that a logarithmic axis has a place for."""
    spread, error = scores["binned_spread"].values, scores["binned_error"].values
    there = (spread > AT_REST * spread.max()) & (error > AT_REST * error.max())
    return spread[there], error[there]


def told_apart(scores: xr.Dataset) -> bool:
    """Whether the spread varies at all, so that there are bins to draw: that of a static covariance does not."""
    if "binned_spread" not in scores:
        return False
    spread = scores["binned_spread"].values
    return bool(np.ptp(spread) > 0.01 * spread.max())
