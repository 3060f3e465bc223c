"""Every part that a study may name, with what its file says of it first."""

import ast
import inspect
from collections import Counter

from assimilearn.registry import OWNERS, BuiltIn, Part, Plugged, registry

HEADINGS = {
    "model": "Models",
    "operator": "Observation operators",
    "method": "Assimilation methods",
    "emulator": "Emulators",
    "network": "Networks, which are emulators too",
    "assimilator": "Learned analysis steps",
    "figure": "Figures",
}
"""Kind -> what a list of its parts is called."""


def parts() -> str:
    """A Markdown list a kind: name and first sentence of each part, plug-ins in force included."""
    lines = ["# Parts", "", "*Made by `assimilearn parts`.*"]
    for kind in sorted(OWNERS, key=list(HEADINGS).index):
        found = registry().parts(kind).values()
        files = Counter(part.files[0] for part in found)
        said = [_line(part, alone=files[part.files[0]] == 1) for part in found]
        lines += ["", f"## {HEADINGS[kind]}", "", *said] if said else []
    return "\n".join(lines) + "\n"


def _line(part: Part, alone: bool) -> str:
    """Name and first sentence: of its file, or of its settings where others stand in the same file.

    The file of a part of the package is read, not imported.
    """
    text = inspect.getdoc(part.target) or "" if isinstance(part, Plugged) else _docstring(part, alone)
    first = " ".join(text.split("\n\n")[0].split())
    return f"* `{part.name}`: {first}" if first else f"* `{part.name}`"


def _docstring(part: Part, alone: bool) -> str:
    """The docstring of the file of a part of the package, or of its settings class."""
    module = ast.parse(part.files[0].read_text(encoding="utf-8"))
    name = part.path.partition(":")[2] if isinstance(part, BuiltIn) else ""
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == name and not alone:
            return ast.get_docstring(node) or ""
    return ast.get_docstring(module) or ""
