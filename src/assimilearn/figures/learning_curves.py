"""Loss of the network emulators over the epochs, the epoch whose weights were kept marked."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, diverged, having, need
from assimilearn.figures.style import (
    BLACK,
    CENTIMETRE,
    DASHES,
    GREY,
    ONE_COLUMN,
    TWO_COLUMNS,
    colour,
    label,
    letter,
    new_figure,
    plain_log,
    style,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3


def plot(*, emulators: Group | None = None) -> "Figure":
    """One panel for each emulator with losses: training solid, validation dashed.

    The kept epoch is the attribute ``best_epoch``; without it the epoch of the lowest validation loss.

    Parameters
    ----------
    emulators : mapping of names to Datasets
        Those without ``loss`` (they have no epochs) are left out.

    Raises
    ------
    FigureError
        If no emulator has losses.
    """
    need("learning_curves", emulators=emulators)
    assert emulators is not None
    curves = having(emulators, "loss")
    if not curves:
        raise FigureError("the figure 'learning_curves' needs loss in an emulator file, which none has")
    with style():
        return draw(curves)


def draw(curves: dict[str, xr.Dataset]) -> "Figure":
    """Panels in rows of up to three, one legend below."""
    from matplotlib.lines import Line2D

    columns = min(COLUMNS, len(curves))
    rows = -(-len(curves) // columns)
    figure = new_figure(ONE_COLUMN if columns == 1 else TWO_COLUMNS, (1.2 + 4.8 * rows) * CENTIMETRE)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(curves) :]:
        axes.remove()
    for index, (axes, (name, dataset)) in enumerate(zip(panels, curves.items(), strict=False)):
        one_emulator(axes, name, dataset)
        trouble = diverged(dataset)
        letter(axes, index, name if trouble is None else f"{name} ({trouble})")
    handles = [
        Line2D([], [], color=GREY, label="training"),
        Line2D([], [], color=GREY, linestyle=DASHES[0], label="validation"),
        Line2D([], [], color=BLACK, linewidth=0.7, linestyle=DASHES[1], label="epoch kept"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def one_emulator(axes: "Axes", name: str, dataset: xr.Dataset) -> None:
    """The two losses of one emulator and the kept epoch."""
    epoch = dataset["epoch"].values
    axes.plot(epoch, dataset["loss"].values, color=colour(name))
    if "validation_loss" in dataset:
        axes.plot(epoch, dataset["validation_loss"].values, color=colour(name), linestyle=DASHES[0])
    kept = kept_epoch(dataset)
    if kept is not None:
        axes.axvline(kept, color=BLACK, linewidth=0.7, linestyle=DASHES[1])
    plain_log(axes, "y")
    whole_numbers(axes)
    axes.set(xlabel="Epoch (–)", ylabel=label("Loss", dataset["loss"].attrs.get("units")))


def kept_epoch(dataset: xr.Dataset) -> float | None:
    """The epoch whose weights the emulator has; None where nothing tells."""
    if "best_epoch" in dataset.attrs:
        return float(dataset.attrs["best_epoch"])
    if "validation_loss" not in dataset or not np.isfinite(dataset["validation_loss"]).any():
        return None
    return float(dataset["epoch"].values[np.nanargmin(dataset["validation_loss"].values)])
