"""Under- and over-fitting: error on what was learned and on what was held out, against the complexity of a model."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.cross_validation import DECADES, SETTING, searched
from assimilearn.figures.inputs import FigureError, Group, having, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    DASHES,
    GREY,
    TWO_COLUMNS,
    VERMILION,
    colour,
    label,
    letter,
    new_figure,
    plain_log,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3


def plot(*, complexities: Group | None = None) -> "Figure":
    """One panel a search of one number: mean errors over the folds, with their standard errors.

    Parameters
    ----------
    complexities : mapping of names to Datasets
        Searches with ``training`` and ``rollout`` errors.

    Raises
    ------
    FigureError
        If there is none.
    """
    need("fitting", complexities=complexities)
    assert complexities is not None
    searches = {n: d for n, d in having(complexities, "training", "rollout").items() if searched(d)}
    if not searches:
        raise FigureError("the figure 'fitting' needs training errors in the tuning, which has none")
    with style():
        return draw(searches)


def draw(searches: dict[str, xr.Dataset]) -> "Figure":
    """Panels in rows of three, one legend below."""
    columns = min(COLUMNS, len(searches))
    rows = -(-len(searches) // columns)
    figure = new_figure(TWO_COLUMNS, (1.6 + 5.0 * rows) * CENTIMETRE)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(searches) :]:
        axes.remove()
    for index, (axes, (name, search)) in enumerate(zip(panels, searches.items(), strict=False)):
        one_search(axes, search, colour(name))
        letter(axes, index, name)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def one_search(axes: "Axes", search: xr.Dataset, shade: str) -> None:
    """The two errors along the values of the setting, and the value that was chosen."""
    setting = searched(search)[0]
    values = search[SETTING + setting].values.astype(float)
    order = np.argsort(values)
    looks = {"rollout": ("held out", "-", "o"), "training": ("training", DASHES[0], "s")}
    drawn = []
    for name, (text, dash, shape) in looks.items():
        mean, error = over_folds(search[name])
        drawn.append(mean[np.isfinite(mean)])
        axes.errorbar(
            *(values[order], mean[order], error[order]),
            **{"color": shade, "linestyle": dash, "marker": shape, "ms": 3, "elinewidth": 0.7, "label": text},
            mfc=shade if name == "rollout" else "white",
        )
    best = values[int(search["best"])]
    axes.axvline(best, color=VERMILION if shade == BLACK else BLACK, linewidth=0.7, linestyle=DASHES[1], label="chosen")
    positive = np.concatenate(drawn)
    if positive.size and positive.min() > 0:
        plain_log(axes, "y")
    if values.min() > 0 and values.max() / values.min() >= DECADES:
        axes.set_xscale("log")
    elif len(values) <= 6 and (values == values.round()).all():
        axes.set_xticks(sorted(values))
    axes.set_xlabel(label(setting.replace("_", " ").capitalize(), search[SETTING + setting].attrs.get("units")))
    axes.set_ylabel("Mean squared error (–)")
    axes.grid(visible=True, axis="y", color=GREY, alpha=0.2)


def over_folds(scores: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error over folds, (trial,), at the largest budget; NaN where a trial failed."""
    values = scores.transpose("trial", "fold", "budget").values[..., -1]
    spread = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1]) if values.shape[1] > 1 else np.zeros(len(values))
    return values.mean(axis=1), spread
