"""One example forecast of the best learned models: truth, forecast and difference over lead time and space."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.hovmoller import mesh
from assimilearn.figures.inputs import FigureError, Group, having, lyapunov_time, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    ERROR_COLOURS,
    STATE_COLOURS,
    TWO_COLUMNS,
    label,
    letter,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 3  # models
THRESHOLD = 0.5  # of the normalised error
TRIVIAL = frozenset({"persistence", "climatology"})


def plot(*, forecast_scores: Group | None = None, model: xr.Dataset | None = None) -> "Figure":
    """One row for each of the three models with the longest valid times, the physical and trivial ones left out.

    Where nothing else is there the physical and trivial ones are shown. Time is in Lyapunov times if known.

    Parameters
    ----------
    forecast_scores : mapping of names to Datasets, at least one with ``forecast`` and ``verifying``
    model : Dataset, optional
        Its attribute ``node`` names the physical model; it gives the Lyapunov time where the scores do not.

    Raises
    ------
    FigureError
        If no model has an example forecast.
    """
    need("hovmoller_forecast", forecast_scores=forecast_scores)
    assert forecast_scores is not None
    scores = having(forecast_scores, "forecast", "verifying")
    if not scores:
        raise FigureError("the figure 'hovmoller_forecast' needs forecast and verifying in the scores, which lack them")
    with style():
        return draw(chosen(scores, model), lyapunov_time(model, scores))


def chosen(scores: dict[str, xr.Dataset], model: xr.Dataset | None) -> dict[str, xr.Dataset]:
    """The models to show, the best first."""
    left_out = TRIVIAL | {"physical", "" if model is None else str(model.attrs.get("node", ""))}
    learned = {
        n: d for n, d in scores.items() if n not in left_out and d.attrs.get("model_kind") != "physical"
    } or scores
    names = sorted(learned, key=lambda name: -valid_time(learned[name]))
    return {name: learned[name] for name in names[:SHOWN]}


def valid_time(scores: xr.Dataset) -> float:
    """Mean valid time over all initial states, 0 where there is none."""
    return float(np.nan_to_num(scores["valid_time_mean"].mean())) if "valid_time_mean" in scores else 0.0


def draw(scores: dict[str, xr.Dataset], unit: float | None) -> "Figure":
    """A row for each model, a colour bar for states and one for differences."""
    figure = new_figure(TWO_COLUMNS, (2.4 + 3.1 * len(scores)) * CENTIMETRE)
    panels = figure.subplots(len(scores), 3, sharex=True, sharey=True, squeeze=False)
    states = np.concatenate([dataset["verifying"].values.ravel() for dataset in scores.values()])
    low, high = np.nanpercentile(states, [0.5, 99.5])
    top = 0.75 * (high - low)
    for row, (name, dataset) in enumerate(scores.items()):
        time = dataset["lead"].values / (unit or 1.0)
        true, forecast = (dataset[key].transpose("lead", "site").values for key in ("verifying", "forecast"))
        state = mesh(panels[row, 0], time, true, STATE_COLOURS, low, high)
        mesh(panels[row, 1], time, forecast, STATE_COLOURS, low, high)
        error = mesh(panels[row, 2], time, forecast - true, ERROR_COLOURS, -top, top)
        for column, title in enumerate(("truth", f"forecast: {name}", "forecast − truth")):
            letter(panels[row, column], 3 * row + column, title)
            panels[row, column].label_outer()
        end = end_of_validity(dataset, float(np.std(states[np.isfinite(states)])))
        if end is not None:
            panels[row, 2].axvline(end / (unit or 1.0), color=BLACK, linewidth=0.8, linestyle=(0, (3, 1.5)))
    for axes in panels[-1]:
        axes.set_xlabel("Lead time (MTU)" if unit is None else "Lead time (LT)")
    units = next(iter(scores.values()))["forecast"].attrs.get("units")
    figure.colorbar(
        state, ax=list(panels[:, :2].ravel()), location="bottom", label=label("State", units), extend="both", aspect=40
    )
    figure.colorbar(
        error, ax=list(panels[:, 2]), location="bottom", label=label("Difference", units), extend="both", aspect=20
    )
    return figure


def end_of_validity(scores: xr.Dataset, deviation: float) -> float | None:
    """First lead in MTU at which this forecast's normalised error exceeds the threshold; None if it never does."""
    difference = (scores["forecast"] - scores["verifying"]).transpose("lead", "site").values
    over = np.sqrt((difference**2).mean(axis=1)) > THRESHOLD * deviation
    return float(scores["lead"].values[over.argmax()]) if over.any() else None
