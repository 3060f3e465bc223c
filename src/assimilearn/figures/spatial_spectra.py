"""Power spectra in space: of the truth, of every analysis and of its error, a row of panels for each field.

Fourier transform along periodic axes, cosine transform along bounded ones (Denis, Cote & Laprise 2002, Mon. Wea. Rev.
130, 1812-1829), and the sum of the power of all waves within a ring of total wavenumbers, over the width of the ring.
The integral over wavenumbers is the variance in space. Where the power of the error reaches that of the truth, the
analysis knows nothing of such scales.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, in_test_period, need, trouble
from assimilearn.figures.observed import at_times
from assimilearn.figures.style import BLACK, CENTIMETRE, TWO_COLUMNS, label, letter, line, new_figure, plain_log, style
from assimilearn.models.fields import geometry_in
from assimilearn.models.geometry import FieldGrid, Geometry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIMES = 50  # of the test period, equally spaced
DECADES = 10  # below the highest density: what a spectral model cuts off is round-off
TRUTH: dict[str, Any] = {"color": BLACK, "linewidth": 1.8}


def plot(*, analyses: Group | None = None, truth: xr.Dataset | None = None) -> "Figure":
    """Mean spectra over times of the test period.

    Parameters
    ----------
    analyses : mapping of names to Datasets
        Those that diverged are left out.
    truth : Dataset
        Without it there are no spectra of errors.

    Raises
    ------
    FigureError
        If no analysis is sound, or truth and analyses have no times in common.
    """
    need("spatial_spectra", analyses=analyses)
    assert analyses is not None
    sound = {n: in_test_period("spatial_spectra", a) for n, a in analyses.items() if trouble(a) in (None, "lost")}
    if not sound:
        raise FigureError("the figure 'spatial_spectra' needs an analysis that did not diverge")
    geometry = geometry_in(next(iter(sound.values())))
    means, true = {}, None
    for name, analysis in sound.items():
        count = analysis.sizes["time"]
        chosen = analysis.isel(time=np.unique(np.linspace(0, count - 1, min(count, TIMES)).round().astype(int)))
        means[name] = chosen["mean"].values.astype(float)
        if truth is not None:
            true = at_times("spatial_spectra", truth, chosen["time"].values, "the truth")["state"].values
    with style():
        return draw(geometry, means, true)


def draw(geometry: Geometry, means: dict[str, np.ndarray], true: np.ndarray | None) -> "Figure":
    """States on the left, their errors on the right, the truth in both."""
    columns = ["State"] if true is None else ["State", "Error"]
    figure = new_figure(TWO_COLUMNS, 6.2 * CENTIMETRE * len(geometry.fields) + 0.8 * CENTIMETRE)
    grid = figure.subplots(len(geometry.fields), len(columns), sharex=True, sharey="row", squeeze=False)
    for row, field in enumerate(geometry.fields):
        for column, title in enumerate(columns):
            axes = grid[row, column]
            if true is not None:
                axes.plot(*spectrum(true, geometry, field), **TRUTH, label="truth")
            for name, mean in means.items():
                shown = mean if title == "State" or true is None else mean - true
                axes.plot(*spectrum(shown, geometry, field), **line(name), label=name)
            plain_log(axes, "x")
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.set_ylim(max(low, high * 10.0**-DECADES), high)
            letter(axes, row * len(columns) + column, f"{title}: {field.name}" if len(geometry.fields) > 1 else title)
            axes.set_xlabel(label("Wavenumber", units_of(geometry)))
            axes.set_ylabel(label(f"Power spectral density of {field.name}", units_of_power(field, geometry)))
            axes.grid(True)
            axes.label_outer()
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 6))
    return figure


def spectrum(states: np.ndarray, geometry: Geometry, field: FieldGrid) -> tuple[np.ndarray, np.ndarray]:
    """Wavenumbers, in cycles per unit of length, and the isotropic power spectral density of one field.

    Parameters
    ----------
    states : ndarray (time, site)
        Spectra are means over times.

    Returns
    -------
    wavenumber, density : ndarray (ring,)
        Rings without a wave are left out, and so is what lies beyond the shortest wave along an axis.
    """
    from scipy import fft

    values = geometry.split(states)[field.name]
    waves, squares, shortest, widest = values, np.zeros(field.shape), np.inf, 0.0
    for number, (axis, count) in enumerate(zip(geometry.axes, field.shape, strict=True)):
        spacing = axis.length / (count if axis.periodic else count - 1)
        if axis.periodic:
            waves = fft.fft(waves, axis=1 + number, norm="ortho")
            k = fft.fftfreq(count, spacing)
        else:
            waves = fft.dct(waves, axis=1 + number, norm="ortho")
            k = np.arange(count) / (2 * count * spacing)
        shape = [1] * len(field.shape)
        shape[number] = count
        squares = squares + k.reshape(shape) ** 2
        shortest, widest = min(shortest, np.abs(k).max()), max(widest, 1 / axis.length)
    power = (np.abs(waves) ** 2).mean(axis=0) / field.size
    total = np.sqrt(squares)
    ring = np.round(total / widest).astype(int)
    count = int(shortest / widest)
    density = np.bincount(ring.ravel(), power.ravel(), count + 1)[1 : count + 1] / widest
    here = np.bincount(ring.ravel(), minlength=count + 1)[1 : count + 1] > 0
    return (widest * np.arange(1, count + 1))[here], density[here]


def units_of_power(field: FieldGrid, geometry: Geometry) -> str | None:
    """Squared units of the field by length; None for a pure number."""
    of_field = "" if field.units == "1" else f"{field.units}$^2$"
    of_length = "" if geometry.axes[0].units == "1" else geometry.axes[0].units
    return f"{of_field} {of_length}".strip() or None


def units_of(geometry: Geometry) -> str:
    """Cycles per unit of the axes, which all have the same; per grid point where the unit is a number."""
    units = geometry.axes[0].units
    return "cycles per grid point" if units == "1" else f"{units}-1"
