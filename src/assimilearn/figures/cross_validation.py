"""Score of every candidate on every fold against each searched setting, the chosen candidate marked."""

import json
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, having, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    GREY,
    ONE_COLUMN,
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

DECADES = 30.0  # highest / lowest value from which an axis is logarithmic
SMALL_PANELS = 3


def plot(*, tuning: Group | None = None) -> "Figure":
    """One panel for each searched setting of each emulator.

    Thin lines are the folds and the thick line is their mean with its standard error, along the candidates that
    differ from the chosen one in this setting alone; open circles are the means of all other candidates.

    Parameters
    ----------
    tuning : mapping of emulator names to Datasets

    Raises
    ------
    FigureError
        If there is no search, or none with a setting that varies.
    """
    need("cross_validation", tuning=tuning)
    assert tuning is not None
    searches = having(tuning, "score", "mean_score", "standard_error", "best")
    panels = [(name, setting) for name, dataset in searches.items() for setting in searched(dataset)]
    if not panels:
        raise FigureError("the figure 'cross_validation' needs a searched setting in the tuning, which has none")
    with style():
        return draw(searches, panels)


def searched(search: xr.Dataset) -> list[str]:
    """The names of the settings along ``candidate`` that take more than one value."""
    names = json.loads(search.attrs["chosen"])
    return [name for name in names if name in search and len(np.unique(search[name].values)) > 1]


def draw(searches: dict[str, xr.Dataset], places: list[tuple[str, str]]) -> "Figure":
    """Panels in rows of up to three, one legend below."""
    columns = min(SMALL_PANELS, len(places))
    rows = -(-len(places) // columns)
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    figure = new_figure(width, (1.6 + 5.0 * rows) * CENTIMETRE)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(places) :]:
        axes.remove()
    for index, (axes, (name, setting)) in enumerate(zip(panels, places, strict=False)):
        search = searches[name]
        one_setting(axes, search, setting, colour(name))
        axes.set_xlabel(label(setting.replace("_", " "), search[setting].attrs.get("units")))
        axes.set_ylabel(label("Weighted mean squared\nerror", search["score"].attrs.get("units")))
        letter(axes, index, name)
    handles = {
        text: handle for axes in figure.axes for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=2 if columns == 1 else 4)
    return figure


def one_setting(axes: "Axes", search: xr.Dataset, setting: str, shade: str) -> None:
    """Folds, mean and choice against one setting."""
    best = int(search["best"])
    slice_ = alike(search, setting, best)
    values, place = positions(search[setting].values)
    score = finite(search["score"].transpose("candidate", "fold").values)
    mean = finite(search["mean_score"].values)
    others = np.setdiff1d(np.arange(len(mean)), slice_)
    if len(others):
        axes.plot(place[others], mean[others], "o", mfc="none", mec=GREY, mew=0.5, ms=2.5, label="other candidates")
    for fold in range(score.shape[1]):
        text = "folds" if fold == 0 else None
        axes.plot(
            place[slice_], score[slice_, fold], color=shade, linewidth=0.5, alpha=0.5, marker=".", ms=2, label=text
        )
    error = finite(search["standard_error"].values)[slice_]
    axes.errorbar(
        place[slice_], mean[slice_], error, color=BLACK, elinewidth=0.8, capsize=1.5, label="mean ± standard error"
    )
    axes.plot(place[best], mean[best], "*", color=VERMILION, mec=BLACK, mew=0.4, ms=8, label="chosen", zorder=5)
    scale_axes(axes, values, score)


def finite(score: np.ndarray) -> np.ndarray:
    """Scores with NaN, which no line passes through, for candidates that failed."""
    return np.where(np.isfinite(score), score, np.nan)


def alike(search: xr.Dataset, setting: str, best: int) -> np.ndarray:
    """Candidates that differ from the chosen one in ``setting`` alone, in the order of its values."""
    others = [name for name in searched(search) if name != setting]
    same = np.ones(search.sizes["candidate"], dtype=bool)
    for name in others:
        same &= search[name].values == search[name].values[best]
    chosen = np.flatnonzero(same)
    return chosen[np.argsort(positions(search[setting].values)[1][chosen], kind="stable")]


def positions(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of a setting and where they stand on the axis: texts stand at 0, 1, 2, ..."""
    if np.issubdtype(values.dtype, np.number):
        return values, values.astype(float)
    return values, np.unique(values.astype(str), return_inverse=True)[1].astype(float)


def scale_axes(axes: "Axes", values: np.ndarray, score: np.ndarray) -> None:
    """Logarithmic axes where the numbers span decades; names instead of numbers where settings are texts."""
    if not np.issubdtype(values.dtype, np.number):
        names = np.unique(values.astype(str))
        axes.set_xticks(range(len(names)), list(names))
    elif values.min() > 0 and values.max() / values.min() >= DECADES:
        axes.set_xscale("log")
    if np.nanmin(score) > 0 and np.nanmax(score) / np.nanmin(score) >= DECADES:
        plain_log(axes, "y")
