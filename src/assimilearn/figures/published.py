"""What was found over what is published or asked, row by row, with the range in which a value agrees."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assimilearn.figures.inputs import FigureError, need
from assimilearn.figures.style import (
    BLUE,
    CENTIMETRE,
    GREY,
    LIGHT_GREY,
    TWO_COLUMNS,
    VERMILION,
    new_figure,
    style,
)
from assimilearn.verification import Claim, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDEST = 4.0  # ratios beyond this, or below its inverse, are drawn at the edge
TICKS = (0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.4, 2, 4)
NEAR = 1.7  # an axis that reaches further has ticks at powers of two alone
NARROWEST = 1.3  # what the axis shows at least, on both sides of 1
AGREES = {"color": BLUE, "marker": "o"}
DOES_NOT = {"color": VERMILION, "marker": "s", "mfc": "none"}
ROW_HEIGHT = 0.42 * CENTIMETRE


def plot(*, rows: Sequence[Row] | None = None, claims: Mapping[str, Claim] | None = None) -> "Figure":
    """A line for each published number: the ratio found, its standard error, and the band in which it agrees.

    Filled dots agree, open squares do not. A number that is not positive has no ratio and is left to the table.

    Parameters
    ----------
    rows : rows of the scorecard
    claims : mapping of rows of the scorecard to published numbers

    Raises
    ------
    FigureError
        If no row is held against a positive number.
    """
    need("published", rows=rows, claims=claims)
    assert rows is not None and claims is not None
    found = {row.name: row for row in rows}
    lines = [(found[name], claim) for name, claim in claims.items() if name in found and claim.published > 0]
    if not lines:
        raise FigureError("the figure 'published' needs a published number above zero and a row of that name")
    reach = np.clip(max(reached(row, claim) for row, claim in lines), NARROWEST, WIDEST)
    with style():
        figure = new_figure(TWO_COLUMNS, 1.6 * CENTIMETRE + ROW_HEIGHT * len(lines))
        axes = figure.subplots()
        axes.set_xscale("log")
        ticks = [at for at in TICKS if 1 / reach <= at <= reach and (reach < NEAR or np.log2(at) % 1 == 0)]
        axes.set_xticks(ticks, [f"{at:g}" for at in ticks])
        axes.minorticks_off()
        axes.set(xlim=(1 / reach, reach), ylim=(len(lines) - 0.5, -0.5), xlabel="Found / published or asked (–)")
        axes.axvline(1, color=GREY, linewidth=0.6)
        for at, (row, claim) in enumerate(lines):
            draw(axes, at, row, claim, float(reach))
        axes.set_yticks(range(len(lines)), [row.name for row, _ in lines])
        axes.tick_params(axis="y", length=0, pad=7)
        in_numbers(axes, lines)
    return figure


def reached(row: Row, claim: Claim) -> float:
    """How far from 1 the value or the band of a row lies, as a factor."""
    ratios = np.array([row.value, *(edge for edge in agreeing(claim) if 0 < edge < np.inf)]) / claim.published
    known = ratios[np.isfinite(ratios) & (ratios > 0)]
    return float(1.05 * np.exp(np.abs(np.log(known)).max(initial=0)))


def agreeing(claim: Claim) -> tuple[float, float]:
    """The lowest and the highest value that agrees, 0 and infinity for none."""
    highest = claim.published if claim.upper is None else claim.upper
    low = 0.0 if claim.relation == "at_most" else claim.published - claim.tolerance
    high = np.inf if claim.relation == "at_least" else highest + claim.tolerance
    return max(low, 0.0), high


def draw(axes: "Axes", at: int, row: Row, claim: Claim, reach: float) -> None:
    """One line: the band in which a value agrees, and the value; beyond the edge stands an arrow."""
    low, high = np.clip(np.array(agreeing(claim)) / claim.published, 1 / reach, reach)
    axes.barh(at, high - low, left=low, height=0.7, color=LIGHT_GREY)
    if not np.isfinite(row.value):
        return
    ratio = row.value / claim.published
    shown = float(np.clip(ratio, 1 / reach, reach))
    look: dict[str, Any] = dict(AGREES if row.passed else DOES_NOT)
    if shown != ratio:
        look["marker"] = ">" if ratio > shown else "<"
    if shown == ratio and row.uncertainty:
        axes.errorbar(ratio, at, xerr=row.uncertainty / claim.published, elinewidth=0.8, color=look["color"])
    axes.plot(shown, at, markersize=4, linestyle="none", clip_on=False, **look)


def in_numbers(axes: "Axes", lines: Sequence[tuple[Row, Claim]]) -> None:
    """Both numbers at the right of each line."""
    other = axes.secondary_yaxis("right")
    texts = [f"{number(row.value)}   ({row.published})" for row, _ in lines]
    other.set_yticks(range(len(lines)), texts)
    other.tick_params(length=0, pad=7)


def number(value: float) -> str:
    """Three digits, as published numbers have."""
    return f"{value:.3g}" if np.isfinite(value) else "none"
