"""Score of the chosen settings in the search against their score in the test period, which no search has seen."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn.figures.cross_validation import in_words
from assimilearn.figures.inputs import FigureError, Group, need
from assimilearn.figures.style import (
    CENTIMETRE,
    GREY,
    TWO_COLUMNS,
    colour,
    label,
    legend_columns,
    letter,
    marker,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Point(NamedTuple):
    """One search: what it is judged by in the search and in the test, and both scores with their uncertainties."""

    name: str
    panel: tuple[str, str]
    units: tuple[str | None, str | None]
    search: tuple[float, float]
    test: tuple[float, float]


def plot(
    *,
    tuned_analyses: Group | None = None,
    analysis_scores: Group | None = None,
    tuning: Group | None = None,
    forecast_scores: Group | None = None,
) -> "Figure":
    """One panel for each score that chooses: a choice on the line was as good in the test as in the search.

    Of analyses the test score is the same score over the test period. Emulators are chosen by the errors of forecasts
    of analyses, and are tested by the valid time of their forecasts: there is no line, but good choices should stand at
    the upper left.

    Parameters
    ----------
    tuned_analyses : mapping of names to Datasets
        Searches of analyses.
    analysis_scores : mapping of names to Datasets
    tuning, forecast_scores : mapping of names to Datasets, optional
        Of emulators.

    Raises
    ------
    FigureError
        If no search has a score in the test period.
    """
    need("search_test", tuned_analyses=tuned_analyses, analysis_scores=analysis_scores)
    assert tuned_analyses is not None and analysis_scores is not None
    points = [of_analysis(name, search, analysis_scores) for name, search in tuned_analyses.items()]
    points += [of_emulator(name, search, forecast_scores or {}) for name, search in (tuning or {}).items()]
    given = [point for point in points if point is not None]
    if not given:
        raise FigureError("the figure 'search_test' needs the test scores of what was searched for, and has none")
    kinds = list(dict.fromkeys(point.panel for point in given))
    with style():
        figure = new_figure(TWO_COLUMNS, 7.6 * CENTIMETRE)
        panels = figure.subplots(1, len(kinds), squeeze=False)[0]
        for index, (axes, kind) in enumerate(zip(panels, kinds, strict=True)):
            one_score(axes, [point for point in given if point.panel == kind])
            letter(axes, index, "analyses" if kind[0] == kind[1] else "emulators")
        handles = dict(
            (text, handle) for axes in panels for handle, text in zip(*axes.get_legend_handles_labels(), strict=True)
        )
        columns = legend_columns(len(handles), 4)
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns)
    return figure


def one_score(axes: "Axes", points: list[Point]) -> None:
    """All searches by one score."""
    for point in points:
        bars: dict[str, Any] = {"xerr": finite(point.search[1]), "yerr": finite(point.test[1])}
        look: dict[str, Any] = {"color": colour(point.name), "marker": marker(point.name), "ms": 4, "elinewidth": 0.6}
        axes.errorbar(point.search[0], point.test[0], **bars, **look, linestyle="", label=point.name)
    (searched, tested), units = points[0].panel, points[0].units
    if searched == tested:
        ends = [value for point in points for value in (point.search[0], point.test[0])]
        axes.plot(*[[min(ends), max(ends)]] * 2, color=GREY, lw=0.8, zorder=0, label="as in the search")
    axes.set_xlabel(label(f"Search: {searched}", units[0]))
    axes.set_ylabel(label(f"Test: {tested}", units[1]))


def of_analysis(name: str, search: xr.Dataset, scores: Group) -> Point | None:
    """The score that chose an analysis, in the search and in the test period."""
    objective = search.attrs["objective"]
    if name not in scores or objective not in scores[name]["score"].values:
        return None
    test = scores[name].sel(score=objective)
    mean, uncertainty = float(test["mean"]), float(test["uncertainty"])
    words, units = in_words(search), search["mean_score"].attrs.get("units")
    value = abs(mean - 1) if objective == "innovation_chi_square" else mean  # the objective is its distance from 1
    return Point(name, (words, words), (units, units), of_choice(search), (value, uncertainty))


def of_emulator(name: str, search: xr.Dataset, scores: Group) -> Point | None:
    """The score that chose an emulator, and the valid time of its forecasts from analyses of the test period."""
    if name not in scores or "valid_time_mean" not in scores[name]:
        return None
    test = scores[name].sel(initial="analysis")
    units = search["mean_score"].attrs.get("units"), test["valid_time_mean"].attrs.get("units")
    value = float(test["valid_time_mean"]), float(test["valid_time_uncertainty"])
    return Point(name, (in_words(search), "Valid time"), units, of_choice(search), value)


def of_choice(search: xr.Dataset) -> tuple[float, float]:
    """Mean score of the chosen trial and its standard error."""
    best = int(search["best"])
    return float(search["mean_score"].values[best, -1]), float(search["standard_error"].values[best, -1])


def finite(error: float) -> float | None:
    """An uncertainty, if there is one."""
    return error if np.isfinite(error) else None
