"""Score of every trial on every fold against each setting sought, the chosen trial marked."""

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
WORDS = {
    "rollout": "Weighted mean squared\nerror",
    "one_step": "Weighted mean squared\nerror of one step",
    "valid_time": "Valid time",
    "innovation_rmse": "RMSE of innovations",
    "innovation_crps": "CRPS of innovations",
    "innovation_chi_square": "Distance of chi-square\nfrom 1",
    "rmse": "RMSE of the analysis",
}
"""Score -> its name on an axis."""
SETTING = "setting_"  # how variables begin that hold a setting along the trials


def plot(*, tuning: Group | None = None) -> "Figure":
    """One panel for each setting sought of each emulator or analysis, scores at the largest budget.

    Thin lines are the folds and the thick line is their mean with its standard error, along the trials that differ
    from the chosen one in this setting alone; open circles are the means of all other trials. The axis is that of the
    distribution from which the setting is drawn.

    Parameters
    ----------
    tuning : mapping of names to Datasets

    Raises
    ------
    FigureError
        If there is no search, or none with a setting that varies.
    """
    need("cross_validation", tuning=tuning)
    assert tuning is not None
    searches = having(tuning, "mean_score", "standard_error", "best")
    panels = [(name, setting) for name, dataset in searches.items() for setting in searched(dataset)]
    if not panels:
        raise FigureError("the figure 'cross_validation' needs a searched setting in the tuning, which has none")
    with style():
        return draw(searches, panels)


def searched(search: xr.Dataset) -> list[str]:
    """The names of the settings along ``trial`` that take more than one value."""
    return [name for name in sought(search) if len(np.unique(search[SETTING + name].values)) > 1]


def sought(search: xr.Dataset) -> list[str]:
    """Names of all settings of a search."""
    return [str(name).removeprefix(SETTING) for name in search.coords if str(name).startswith(SETTING)]


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
        axes.set_xlabel(label(setting.replace("_", " "), search[SETTING + setting].attrs.get("units")))
        axes.set_ylabel(label(in_words(search), search["mean_score"].attrs.get("units")))
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
    values, place = positions(search[SETTING + setting].values)
    score = finite(search[search.attrs["objective"]].transpose("trial", "fold", "budget").values[..., -1])
    mean = finite(search["mean_score"].values[:, -1])
    others = np.setdiff1d(np.arange(len(mean)), slice_)
    if len(others):
        axes.plot(place[others], mean[others], "o", mfc="none", mec=GREY, mew=0.5, ms=2.5, label="other trials")
    for fold in range(score.shape[1]):
        text = "folds" if fold == 0 else None
        axes.plot(
            place[slice_], score[slice_, fold], color=shade, linewidth=0.5, alpha=0.5, marker=".", ms=2, label=text
        )
    error = finite(search["standard_error"].values[:, -1])[slice_]
    axes.errorbar(
        place[slice_], mean[slice_], error, color=BLACK, elinewidth=0.8, capsize=1.5, label="mean ± standard error"
    )
    shape, text = ("X", "chosen, on the edge of its range") if on_edge(search, setting) else ("*", "chosen")
    axes.plot(place[best], mean[best], shape, color=VERMILION, mec=BLACK, mew=0.4, ms=8, label=text, zorder=5)
    scale_axes(axes, values, score, distribution_of(search, setting))


def finite(score: np.ndarray) -> np.ndarray:
    """Scores with NaN, which no line passes through, for trials that failed."""
    return np.where(np.isfinite(score), score, np.nan)


def alike(search: xr.Dataset, setting: str, best: int) -> np.ndarray:
    """Trials that differ from the chosen one in ``setting`` alone, in the order of its values."""
    same = np.ones(search.sizes["trial"], dtype=bool)
    for name in searched(search):
        if name != setting:
            values = positions(search[SETTING + name].values)[1]
            same &= (values == values[best]) | (np.isnan(values) & np.isnan(values[best]))
    chosen = np.flatnonzero(same)
    return chosen[np.argsort(positions(search[SETTING + setting].values)[1][chosen], kind="stable")]


def positions(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of a setting and where they stand on the axis: texts stand at 0, 1, 2, ..."""
    if np.issubdtype(values.dtype, np.number):
        return values, values.astype(float)
    return values, np.unique(values.astype(str), return_inverse=True)[1].astype(float)


def on_edge(search: xr.Dataset, setting: str) -> bool:
    """Whether the chosen value lies on the edge of what was sought."""
    return setting in json.loads(search.attrs["edges"])


def distribution_of(search: xr.Dataset, setting: str) -> str:
    """The distribution from which a setting is drawn; empty for listed values."""
    return json.loads(search.attrs["search"])["distributions"].get(setting, {}).get("distribution", "")


def in_words(search: xr.Dataset) -> str:
    """What the score of a search is called on an axis."""
    return WORDS.get(search.attrs["objective"], search.attrs["objective"].replace("_", " ").capitalize())


def spans_decades(numbers: np.ndarray) -> bool:
    """Whether positive numbers differ so much that their logarithms are drawn."""
    return bool(np.nanmin(numbers) > 0 and np.nanmax(numbers) / np.nanmin(numbers) >= DECADES)


def scale_axes(axes: "Axes", values: np.ndarray, score: np.ndarray, distribution: str = "") -> None:
    """Logarithmic axes if the distribution is, or listed numbers span decades; names where settings are texts."""
    if not np.issubdtype(values.dtype, np.number):
        names = np.unique(values.astype(str))
        axes.set_xticks(range(len(names)), list(names))
    elif distribution == "log_uniform" or (not distribution and spans_decades(values)):
        plain_log(axes, "x")
    if spans_decades(score):
        plain_log(axes, "y")
