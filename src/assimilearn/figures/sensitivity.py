"""Scores against settings that the scenarios of a study vary one at a time, with their scatter over realizations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assimilearn.figures.inputs import FigureError, need
from assimilearn.figures.style import (
    CENTIMETRE,
    TWO_COLUMNS,
    legend_columns,
    letter,
    line,
    marker,
    new_figure,
    plain_log,
    style,
)
from assimilearn.verification import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# the first of these that the scorecard has is drawn: errors are unknown without a truth
ERRORS = {"rmse": "RMSE of the analysis (–)", "innovation_rmse": "Innovations, RMS (–)"}
SKILL = {"valid_time_lyapunov": "Valid prediction\ntime (LT)"}
NAMES = {
    "observations.error_std": "Observation error (standard deviation)",
    "observations.network.count": "Network (observed sites)",
    "periods.train": "Training record (observation times)",
}
DECADE = 10.0  # values that span a factor of this or more stand on a logarithmic axis

Points = dict[float, list[float]]
"""Values of a score, one a realization, by the value of the setting."""


def plot(*, rows: Sequence[Row] | None = None, variations: Mapping[str, Mapping[str, float]] | None = None) -> "Figure":
    """One column a setting, one row of panels a score; marks at the medians, bars from the lowest to the highest.

    Parameters
    ----------
    rows : rows of the scorecard
        RMSE of analyses (innovations where there is no truth) and valid times from analyses are drawn.
    variations : {path of a setting: {scenario: value}}
        From :func:`assimilearn.study.variations.variations`.

    Raises
    ------
    FigureError
        If there are none, or nothing in them can be drawn.
    """
    need("sensitivity", rows=rows, variations=variations)
    assert rows is not None and variations is not None
    scores = {found: text for group in (ERRORS, SKILL) for found, text in drawn_score(rows, group).items()}
    if not scores:
        raise FigureError("the figure 'sensitivity' needs analysis scores or valid times: the scorecard has none")
    height = (1.6 + 4.8 * len(scores)) * CENTIMETRE
    with style():
        figure = new_figure(TWO_COLUMNS, height)
        panels = figure.subplots(len(scores), len(variations), squeeze=False, sharey="row", sharex="col")
        for j, (path, values) in enumerate(variations.items()):
            for i, (score, text) in enumerate(scores.items()):
                draw(panels[i, j], curves(rows, score, values))
                letter(panels[i, j], i * len(variations) + j, "")
                if j == 0:
                    panels[i, j].set_ylabel(text)
            panels[-1, j].set_xlabel(NAMES.get(path, f"{path.replace('_', ' ')} (–)"))
            name_values(panels[-1, j], sorted(set(values.values())))
        if next(iter(scores)) in ERRORS:
            plain_log(panels[0, 0], "y")
        if next(reversed(scores)) in SKILL:
            panels[-1, 0].set_ylim(bottom=0)
        name_curves(figure, panels.flat)
    return figure


def drawn_score(rows: Sequence[Row], names: Mapping[str, str]) -> dict[str, str]:
    """The first of the scores that there is, and its label; nothing if there is none."""
    there = {row.name.rpartition("/")[2] for row in rows}
    return next(({name: text} for name, text in names.items() if name in there), {})


def curves(rows: Sequence[Row], score: str, values: Mapping[str, float]) -> dict[str, Points]:
    """The realizations of a score by node and value of the setting; what diverged is left out."""
    result: dict[str, Points] = {}
    for row in rows:
        scenario, _, rest = row.name.partition("/")
        node, _, name = rest.rpartition("/")
        if name == score and scenario in values and np.isfinite(row.value):
            result.setdefault(node, {}).setdefault(values[scenario], []).append(row.value)
    return result


def draw(axes: "Axes", points: Mapping[str, Points]) -> None:
    """One curve through the medians of every node; a later one is smaller and thinner, so that none hides another."""
    for later, (node, found) in zip(reversed(range(len(points))), points.items(), strict=True):
        at = np.array(sorted(found))
        median, low, high = (np.array([f(found[x]) for x in at]) for f in (np.median, np.min, np.max))
        bars: Any = np.stack([median - low, high - median])
        look: dict[str, Any] = line(node) | {"marker": marker(node), "elinewidth": 0.7, "capsize": 1.5}
        look |= {"markersize": 3.5 + 1.6 * later, "linewidth": 0.9 + 0.5 * later, "mfc": "none" if later else None}
        axes.errorbar(at, median, yerr=bars, label=node, **look)
    axes.grid()


def name_values(axes: "Axes", values: Sequence[float]) -> None:
    """Ticks at the values of the setting, thousands as k; a logarithmic axis for decades."""
    if values[-1] >= DECADE * values[0] > 0:
        plain_log(axes, "x")
    axes.set_xticks(values, [f"{value / 1000:g}k" if value >= 1000 else f"{value:g}" for value in values])
    axes.minorticks_off()


def name_curves(figure: "Figure", panels: Iterable["Axes"]) -> None:
    """One legend below; a node in several panels is named once."""
    entries: dict[str, Any] = {}
    for axes in panels:
        marks, texts = axes.get_legend_handles_labels()
        entries.update(zip(texts, marks, strict=True))
    columns = legend_columns(len(entries))
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)
