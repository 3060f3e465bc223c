"""A figure as PDF, SVG and PNG, each file whole or not there, with equal bytes for equal figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assimilearn.figures.style import style
from assimilearn.whole import refuse_unwritable, whole

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

    Raises
    ------
    FileError
        If one of them cannot be written, or no space is left.
    """
    path = Path(path)
    if path.suffix[1:] in METADATA:
        path = path.with_suffix("")
    targets = [path.with_name(f"{path.name}.{ending}") for ending in METADATA]
    for target in targets:
        refuse_unwritable(target)
    with style():
        figure.draw_without_rendering()
        # found once, it holds in all formats; with "none" each of them would still be drawn twice
        figure.set_layout_engine(None)
        for target, (ending, metadata) in zip(targets, METADATA.items(), strict=True):
            with whole(target) as temporary:
                figure.savefig(temporary, format=ending, dpi=DOTS_PER_INCH, metadata=metadata)
    return targets
