"""Open a learned analysis step.

Its code is that of the part that its file names, which belongs to the nodes that use it: verbs that may take a step do
not depend on all of them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from assimilearn import store
from assimilearn.cli.options import naming
from assimilearn.registry import part_in_file

if TYPE_CHECKING:
    from assimilearn.assimilation.learned_step import AnalysisStep


def read_step(path: Path | None) -> "AnalysisStep | None":
    """The step of a file of ``train-assimilator``; None for no file."""
    if path is None:
        return None
    file = store.read(path, "assimilators")
    with naming(path):
        step: AnalysisStep = part_in_file(file.attrs, "assimilator").implementation.opened(file)
        return step
