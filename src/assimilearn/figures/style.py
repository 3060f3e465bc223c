"""One look for all figures: print sizes, a small font, colours that belong to names.

The palette is that of Okabe and Ito (2008), safe for the common forms of colour blindness. A name's colour, dash
and marker depend on that name alone, so they are the same in every figure and stay when another name goes.
"""

import re
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from assimilearn.registry import registry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CENTIMETRE = 1 / 2.54
ONE_COLUMN = 8.4 * CENTIMETRE
TWO_COLUMNS = 17.4 * CENTIMETRE

BLACK, GREY, LIGHT_GREY, NO_DATA = "#000000", "#767676", "#e6e6e6", "#bdbdbd"
ORANGE, SKY, GREEN, BLUE = "#E69F00", "#56B4E9", "#009E73", "#0072B2"
VERMILION, PURPLE = "#D55E00", "#CC79A7"
FREE_COLOURS = (ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE)

SOLID = "-"
DASHES: tuple[Any, ...] = ((0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

MODEL_FREE = ("climatology", "interpolation")  # methods whose analyses with an emulator do not exist
KNOWN: dict[str, tuple[str, Any, str]] = {
    "truth": (BLACK, SOLID, "o"),
    "physical": (BLACK, SOLID, "o"),
    "lorenz96": (BLACK, SOLID, "o"),
    "climatology": (GREY, DASHES[0], "s"),
    "persistence": (GREY, DASHES[1], "D"),
    "interpolation": (PURPLE, SOLID, "v"),
    "blue": (SKY, SOLID, "^"),
    "3dvar": (ORANGE, SOLID, "s"),
    "enkf": (GREEN, SOLID, "D"),
    "etkf": (BLUE, SOLID, "o"),
    "letkf": (VERMILION, SOLID, "^"),
    "enkf-n": (ORANGE, SOLID, "s"),
    "denkf": (SKY, SOLID, "v"),
    "esrf": (PURPLE, SOLID, "P"),
    "enoi": (GREEN, DASHES[2], "v"),
    "eakf": (BLACK, SOLID, "X"),
    "ekf": (GREY, DASHES[2], "D"),
    "ridge": (ORANGE, SOLID, "X"),
    "lim": (BLUE, DASHES[1], "s"),
    "analogs": (GREEN, DASHES[2], "v"),
    "forest": (GREEN, SOLID, "P"),
    "mlp": (PURPLE, SOLID, "*"),
    "cnn": (VERMILION, SOLID, "p"),
    "windows": (GREEN, SOLID, "D"),
}

# up to which highest / lowest value which multiples of a power of ten are labelled
LABELLED = ((4, (1, 1.5, 2, 3, 4, 5, 7)), (40, (1, 2, 3, 5)), (1e3, (1, 2, 5)))

STATE_COLOURS, ERROR_COLOURS, SPREAD_COLOURS = "viridis", "RdBu_r", "cividis"


def rc() -> dict[str, Any]:
    """Matplotlib settings of every figure: 8 pt, thin lines, editable text in PDF, bytes that do not vary."""
    return {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "legend.handlelength": 2.2,
        "axes.titlelocation": "left",
        "axes.titlepad": 4,
        "axes.linewidth": 0.6,
        "axes.axisbelow": True,
        "lines.linewidth": 1.1,
        "lines.markersize": 3.5,
        "patch.linewidth": 0.6,
        "grid.linewidth": 0.4,
        "grid.color": LIGHT_GREY,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "mathtext.default": "regular",
        "pdf.fonttype": 42,
        "svg.hashsalt": "assimilearn",
        "savefig.bbox": None,
    }


def style() -> AbstractContextManager[None]:
    """The settings ``rc()`` for the time of a ``with`` block; Matplotlib's own are untouched outside it."""
    import matplotlib

    settings: Any = rc()
    return matplotlib.rc_context(settings)


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of ``width`` x ``height`` inches whose parts make room for each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)  # type: ignore[union-attr,call-arg]
    return figure


def line(name: str) -> dict[str, Any]:
    """Colour and dash of a name, for ``Axes.plot``."""
    colour, dash, _ = look(name)
    return {"color": colour, "linestyle": dash}


def colour(name: str) -> str:
    """The colour of a name."""
    return look(name)[0]


def marker(name: str) -> str:
    """The marker of a name."""
    return look(name)[2]


def look(name: str) -> tuple[str, Any, str]:
    """Colour, dash and marker of the name of an analysis, an emulator or a model.

    An analysis with an emulator ("etkf-cnn") looks like the emulator; a variant ("cnn-wide") has the colour of its
    family and a dash of its own. Any other name draws all three from its checksum.
    """
    if name in KNOWN:
        return KNOWN[name]
    first, *rest = re.split(r"[-_.]", name, maxsplit=1)
    if rest and rest[0] and first in registry().parts("method") and first not in MODEL_FREE:
        return look(rest[0])
    number = zlib.crc32(name.encode())
    shape = MARKERS[number // 31 % len(MARKERS)]
    if first in KNOWN:
        return KNOWN[first][0], DASHES[number % len(DASHES)], shape
    dash = (SOLID, *DASHES)[number // 7 % (1 + len(DASHES))]
    return FREE_COLOURS[number % len(FREE_COLOURS)], dash, shape


def label(quantity: str, units: str | None) -> str:
    """The label of an axis: the quantity and, in brackets, its units; a dash for a pure number."""
    if units in (None, "", "1"):
        return f"{quantity} (–)"
    inverse = units.endswith("-1") and " " not in units
    return f"{quantity} (1/{units[:-2]})" if inverse else f"{quantity} ({units})"


def letter(axes: "Axes", index: int, title: str, beside_axis: bool = False) -> None:
    """A panel's title after its letter: (a) for index 0, (aa) after (z).

    It stands on the line of the upper axis' label if ``beside_axis``.
    """
    place = {"y": 1.0, "pad": 19.0} if beside_axis else {}
    rounds, number = divmod(index, 26)
    letters = chr(ord("a") + number) * (rounds + 1)
    axes.set_title(f"({letters}) {title}", **place)  # type: ignore[arg-type]


def lyapunov_axis(axes: "Axes", unit: float | None, start: float = 0.0) -> None:
    """A second axis on top in Lyapunov times of ``unit`` MTU, counted from ``start``; none if ``unit`` is None."""
    from matplotlib.ticker import MaxNLocator

    if unit is None:
        return
    forward: Callable[[Any], Any] = lambda mtu: (mtu - start) / unit  # noqa: E731
    backward: Callable[[Any], Any] = lambda times: times * unit + start  # noqa: E731
    second = axes.secondary_xaxis("top", functions=(forward, backward))
    second.set_xlabel("Lyapunov times (LT)")
    second.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10]))


def whole_numbers(axes: "Axes") -> None:
    """Ticks of the lower axis at whole numbers alone: what is counted has no halves."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def legend_columns(entries: int, most: int = 5) -> int:
    """Columns of a legend with up to ``most`` of them and rows as even as they can be."""
    rows = -(-entries // most)
    return max(1, -(-entries // max(rows, 1)))


def plain_log(axes: "Axes", which: str) -> None:
    """A logarithmic axis ("x" or "y") with plain numbers, as many as fit the range of what has been drawn."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set(**{f"{which}scale": "log"})
    axis = getattr(axes, f"{which}axis")
    low, high = sorted(getattr(axes, f"get_{which}lim")())
    subs = next((subs for span, subs in LABELLED if high < span * max(low, 1e-300)), (1,))
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(LogLocator(subs=range(1, 10)))
    axis.set_minor_formatter(NullFormatter())
