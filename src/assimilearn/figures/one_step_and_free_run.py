"""One-step forecasts against the truth beside a free run: what a scatter plot hides and a free run shows."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, having, need
from assimilearn.figures.style import BLACK, CENTIMETRE, GREY, TWO_COLUMNS, colour, letter, new_figure, style
from assimilearn.figures.time_axis import unit as unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 8  # models: of more, some are shown, spread evenly from the best one-step forecast to the worst


def plot(*, one_steps: Group | None = None) -> "Figure":
    """Two panels a model: increments of one step against the true ones, and a free run at one site.

    Parameters
    ----------
    one_steps : mapping of names to Datasets
        Forecast scores that hold increments of one-step forecasts from true states.

    Raises
    ------
    FigureError
        If no model has them.
    """
    need("one_step_and_free_run", one_steps=one_steps)
    assert one_steps is not None
    models = having(one_steps, "increment", "true_increment")
    if not models:
        raise FigureError("the figure 'one_step_and_free_run' needs increments in the forecast scores, which lack them")
    with style():
        return draw(chosen(models))


def chosen(models: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Up to eight models, in the order of their one-step errors."""
    ranked = sorted(models, key=lambda name: np.nan_to_num(unexplained(models[name]), nan=np.inf))
    shown = [ranked[k] for k in np.unique(np.linspace(0, len(ranked) - 1, MOST).round().astype(int))]
    return {name: models[name] for name in shown}


def unexplained(scores: xr.Dataset) -> float:
    """Mean square error of the increments over the mean square of the true ones."""
    found, true = scores["increment"].values.astype(float), scores["true_increment"].values.astype(float)
    return float(np.mean((found - true) ** 2) / np.mean(true**2))


def draw(models: dict[str, xr.Dataset]) -> "Figure":
    """Two models a row."""
    rows = -(-len(models) // 2)
    figure = new_figure(TWO_COLUMNS, (0.8 + 3.9 * rows) * CENTIMETRE)
    panels = figure.subplots(rows, 4, squeeze=False, width_ratios=[1, 1.9, 1, 1.9])
    for axes in panels.reshape(-1, 2)[len(models) :].ravel():
        axes.remove()
    true = np.concatenate([scores["true_increment"].values for scores in models.values()])
    limit = float(np.abs(true).max()) or 1.0
    runs = [scores["free_run_state"].values for scores in models.values() if "free_run_state" in scores]
    values = np.concatenate([run[np.isfinite(run)] for run in runs]) if runs else np.array([0.0, 1.0])
    span = np.quantile(values, [0.01, 0.99]) + np.array([-0.15, 0.15]) * np.ptp(np.quantile(values, [0.01, 0.99]))
    for index, ((left, right), (name, scores)) in enumerate(zip(panels.reshape(-1, 2), models.items(), strict=False)):
        scatter(left, scores, limit, colour(name))
        letter(left, 2 * index, name)
        free_run(right, scores, (float(span[0]), float(span[1])), colour(name))
        letter(right, 2 * index + 1, f"{name}: free run")
    return figure


def scatter(axes: "Axes", scores: xr.Dataset, limit: float, shade: str) -> None:
    """Increments against true ones, with the diagonal and what is left unexplained."""
    axes.plot([-limit, limit], [-limit, limit], color=GREY, linewidth=0.6)
    found = scores["increment"].values
    axes.plot(scores["true_increment"].values, found, ".", color=shade, ms=1.5, mew=0, rasterized=True)
    share = 100 * unexplained(scores)
    text = f"unexplained:\n{f'{share:.2g}' if share < 99 else f'{share:.0f}'} %"
    axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=6, color=BLACK)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="True increment (–)", ylabel="Increment (–)")


def free_run(axes: "Axes", scores: xr.Dataset, span: tuple[float, float], shade: str) -> None:
    """The beginning of a free run at the first site."""
    if "free_run_state" in scores:
        axes.plot(scores["run_time"].values, scores["free_run_state"].values, color=shade, linewidth=0.8)
        axes.set_xlim(0, float(scores["run_time"].values[-1]))
    axes.set(ylim=span, xlabel=f"Time ({unit_of([scores])})", ylabel="State (–)")
