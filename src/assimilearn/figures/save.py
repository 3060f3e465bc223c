"""A figure as PDF, SVG and PNG, each file whole or not there, with equal bytes for equal figures."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assimilearn.figures.style import style
from assimilearn.store import remove_leftovers, temporary_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# No dates and no versions: two runs of the same figure give the same bytes.
METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
DOTS_PER_INCH = 300


def save(figure: "Figure", path: str | Path) -> list[Path]:
    """Write ``figure`` in three formats.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path
        Path without ending, or with one of .pdf, .svg, .png: the three files stand beside each other. The folder is
        made if need be.

    Returns
    -------
    The three paths, in the order pdf, svg, png.
    """
    path = Path(path)
    if path.suffix[1:] in METADATA:
        path = path.with_suffix("")
    path.parent.mkdir(parents=True, exist_ok=True)
    targets = [path.with_name(f"{path.name}.{ending}") for ending in METADATA]
    with style():
        figure.draw_without_rendering()
        # found once, it holds in all formats; with "none" each of them would still be drawn twice
        figure.set_layout_engine(None)
        for target, (ending, metadata) in zip(targets, METADATA.items(), strict=True):
            remove_leftovers(target)
            temporary = temporary_name(target)
            try:
                figure.savefig(temporary, format=ending, dpi=DOTS_PER_INCH, metadata=metadata)
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)
    return targets
