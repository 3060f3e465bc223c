"""Networks of one scenario while they learn: validation loss against epochs and against steps of the optimizer."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, diverged, having, need
from assimilearn.figures.learning_curves import kept_epoch
from assimilearn.figures.style import (
    CENTIMETRE,
    TWO_COLUMNS,
    label,
    legend_columns,
    letter,
    line,
    new_figure,
    plain_log,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot(*, trainings: Group | None = None) -> "Figure":
    """Two panels, a curve each network; a dot marks the epoch whose weights were kept, a cross where training failed.

    An epoch is one pass through the training period whatever the size of a mini-batch; a step is one gradient.

    Parameters
    ----------
    trainings : mapping of names to Datasets
        Emulators with ``validation_loss`` and ``step_loss``.

    Raises
    ------
    FigureError
        If there is none.
    """
    need("training", trainings=trainings)
    assert trainings is not None
    networks = having(trainings, "validation_loss", "step_loss")
    if not networks:
        raise FigureError("the figure 'training' needs validation_loss and step_loss in an emulator file")
    with style():
        return draw(networks)


def draw(networks: dict[str, xr.Dataset]) -> "Figure":
    """The two panels and one legend."""
    figure = new_figure(TWO_COLUMNS, 8.0 * CENTIMETRE)
    by_epoch, by_step = figure.subplots(1, 2, sharey=True)
    for name, network in networks.items():
        epochs = network["epoch"].values.astype(float)
        steps_an_epoch = network.sizes["step"] / network.sizes["epoch"]
        curve(by_epoch, name, network, epochs)
        curve(by_step, name, network, (1 + np.arange(len(epochs))) * steps_an_epoch)
    for axes in (by_epoch, by_step):
        plain_log(axes, "y")
    plain_log(by_step, "x")
    units = next(iter(networks.values()))["validation_loss"].attrs.get("units")
    by_epoch.set(xlabel="Epoch (–)", ylabel=label("Validation loss", units))
    by_step.set(xlabel="Gradients (–)")
    letter(by_epoch, 0, "Passes through the data")
    letter(by_step, 1, "Steps of the optimizer")
    handles, labels = by_epoch.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=legend_columns(len(labels)))
    return figure


def curve(axes: "Axes", name: str, network: xr.Dataset, along: np.ndarray) -> None:
    """One network, as far as its loss is finite."""
    loss = network["validation_loss"].values
    fine = np.isfinite(loss)
    look = line(name)
    axes.plot(along[fine], loss[fine], label=name, **look)
    if not fine.any():
        return
    if diverged(network) is not None:
        axes.plot(along[fine][-1], loss[fine][-1], marker="x", ms=5, color=look["color"])
    elif (kept := kept_epoch(network)) is not None:
        at = int(np.argmin(np.abs(network["epoch"].values - kept)))
        axes.plot(along[at], loss[at], marker="o", ms=3.5, color=look["color"])
