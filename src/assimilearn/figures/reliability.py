"""Reliability of probabilities: how often a category happened against how probable it was said to be."""

from typing import TYPE_CHECKING

import numpy as np

from assimilearn.figures.inputs import Group, need
from assimilearn.figures.style import (
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    colour,
    legend_columns,
    letter,
    line,
    marker,
    new_figure,
    plain_log,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 20  # cases of a bin that is drawn


def plot(*, classifier_scores: Group | None = None) -> "Figure":
    """Three panels: the reliability of the last category, how often each probability is said, and the skill.

    Parameters
    ----------
    classifier_scores : mapping of names to Datasets

    Raises
    ------
    FigureError
        If there are none.
    """
    need("reliability", classifier_scores=classifier_scores)
    assert classifier_scores is not None
    with style():
        return draw(classifier_scores)


def draw(scores: Group) -> "Figure":
    """Panels side by side, one legend below."""
    figure = new_figure(TWO_COLUMNS, (7.2 + 0.09 * len(scores)) * CENTIMETRE)
    left, middle, right = figure.subplots(1, 3)
    left.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, label="reliable")
    for name, score in scores.items():
        last = score.isel(category=-1)
        cases = last["cases"].values
        drawn = cases >= FEWEST
        look = {**line(name), "marker": marker(name), "label": name}
        left.plot(last["mean_probability"].values[drawn], last["frequency"].values[drawn], **look)
        middle.plot((np.arange(cases.size) + 0.5) / cases.size, np.where(cases > 0, cases, np.nan), **look)
    left.set(xlim=(0, 1), ylim=(0, 1), xlabel="Probability (–)", ylabel="Observed frequency (–)")
    middle.set(xlim=(0, 1), xlabel="Probability (–)", ylabel="Forecasts (–)")
    plain_log(middle, "y")
    skills(right, scores)
    for index, (axes, text) in enumerate(
        zip((left, middle, right), ("Reliability", "Sharpness", "Skill"), strict=True)
    ):
        letter(axes, index, text)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def skills(axes: "Axes", scores: Group) -> None:
    """Brier skill of every classifier, with the share of forecasts of which the most probable category happened."""
    for row, (name, score) in enumerate(scores.items()):
        axes.barh(row, float(score.attrs["brier_skill"]), color=colour(name), height=0.6)
        text = f"{100 * float(score.attrs['accuracy']):.0f} % right"
        axes.text(0.02, row, text, va="center", fontsize=6, transform=axes.get_yaxis_transform())
    axes.set_yticks(range(len(scores)), list(scores))
    axes.invert_yaxis()
    axes.set_xlabel("Brier skill score (–)")
