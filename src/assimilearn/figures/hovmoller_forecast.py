"""One example forecast of the best learned models: truth, forecast and difference over lead time and space.

Without a truth the forecasts alone are shown.
"""

from typing import TYPE_CHECKING, Any

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
from assimilearn.figures.time_axis import unit as unit_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 3  # models
TRIVIAL = frozenset({"persistence", "climatology"})


def plot(*, forecast_scores: Group | None = None, model: xr.Dataset | None = None) -> "Figure":
    """One row for each of the three best models, the physical and trivial ones left out.

    The best have the longest valid times, or without a truth the smallest errors. Where nothing else is there the
    physical and trivial ones are shown. Time is in Lyapunov times if known.

    Parameters
    ----------
    forecast_scores : mapping of names to Datasets, at least one with ``forecast``
    model : Dataset, optional
        Its attribute ``node`` names the physical model; it gives the Lyapunov time where the scores do not.

    Raises
    ------
    FigureError
        If no model has an example forecast.
    """
    need("hovmoller_forecast", forecast_scores=forecast_scores)
    assert forecast_scores is not None
    scores = having(forecast_scores, "error_mean", "forecast", "verifying")
    scores = scores or having(forecast_scores, "error_mean", "forecast")
    if not scores:
        raise FigureError("the figure 'hovmoller_forecast' needs forecast in the forecast scores, which lack it")
    with style():
        return draw(chosen(scores, model), lyapunov_time(model, scores))


def chosen(scores: dict[str, xr.Dataset], model: xr.Dataset | None) -> dict[str, xr.Dataset]:
    """The models to show, the best first."""
    left_out = TRIVIAL | {"physical", "" if model is None else str(model.attrs.get("node", ""))}
    learned = {
        n: d for n, d in scores.items() if n not in left_out and d.attrs.get("model_kind") != "physical"
    } or scores
    names = sorted(learned, key=lambda name: -skill(learned[name]))
    return {name: learned[name] for name in names[:SHOWN]}


def skill(scores: xr.Dataset) -> float:
    """Mean valid time, or where there is none minus the mean error; lowest if that is not finite."""
    value = scores["valid_time_mean"].mean() if "valid_time_mean" in scores else -scores["error_mean"].mean()
    return float(np.nan_to_num(value, nan=-np.inf))


def draw(scores: dict[str, xr.Dataset], unit: float | None) -> "Figure":
    """A row for each model, a colour bar for states and one for differences."""
    verified = bool(having(scores, "verifying"))
    figure = new_figure(TWO_COLUMNS, (2.4 + 3.1 * len(scores)) * CENTIMETRE)
    panels = figure.subplots(len(scores), 3 if verified else 1, sharex=True, sharey=True, squeeze=False)
    states = np.concatenate([d["verifying" if verified else "forecast"].values.ravel() for d in scores.values()])
    low, high = np.nanpercentile(states, [0.5, 99.5])
    for row, (name, dataset) in enumerate(scores.items()):
        one_model(panels[row], row, name, dataset, (low, high), unit)
    for axes in panels[-1]:
        axes.set_xlabel(f"Lead time ({unit_of(scores.values())})" if unit is None else "Lead time (LT)")
    units = next(iter(scores.values()))["forecast"].attrs.get("units")
    bars: dict[str, Any] = {"location": "bottom", "extend": "both"}
    first = panels[:, :2].ravel().tolist()
    figure.colorbar(first[0].collections[0], ax=first, label=label("State", units), aspect=40, **bars)
    if verified:
        last = panels[:, 2].tolist()
        figure.colorbar(last[0].collections[0], ax=last, label=label("Difference", units), aspect=20, **bars)
    return figure


def one_model(
    panels: Any, row: int, name: str, dataset: xr.Dataset, limits: tuple[float, float], unit: float | None
) -> None:
    """Truth, forecast and difference of one model, the end of its validity marked; without a truth the forecast."""
    time = dataset["lead"].values / (unit or 1.0)
    low, high = limits
    forecast = dataset["forecast"].transpose("lead", "site").values
    fields = {f"forecast: {name}": (forecast, STATE_COLOURS, low, high)}
    if "verifying" in dataset:
        true = dataset["verifying"].transpose("lead", "site").values
        top = 0.75 * (high - low)
        fields = {"truth": (true, STATE_COLOURS, low, high), **fields}
        fields["forecast − truth"] = (forecast - true, ERROR_COLOURS, -top, top)
        end = end_of_validity(dataset)
        if end is not None:
            panels[2].axvline(end / (unit or 1.0), color=BLACK, linewidth=0.8, linestyle=(0, (3, 1.5)))
    for column, (axes, (title, field)) in enumerate(zip(panels, fields.items(), strict=True)):
        mesh(axes, time, *field)
        letter(axes, len(fields) * row + column, title)
        axes.label_outer()


def end_of_validity(scores: xr.Dataset) -> float | None:
    """First lead in MTU at which this forecast's normalised error exceeds the threshold; None if it never does."""
    if "threshold" not in scores.attrs or "normalisation" not in scores.attrs:
        return None
    difference = (scores["forecast"] - scores["verifying"]).transpose("lead", "site").values
    error = np.sqrt((difference**2).mean(axis=1)) / scores.attrs["normalisation"]
    over = ~(error <= scores.attrs["threshold"])
    return float(scores["lead"].values[over.argmax()]) if over.any() else None
