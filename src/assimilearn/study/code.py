"""Digest of the code that a verb runs: it changes when the code does, not when a comment or a docstring does.

Snakemake tracks the text of a rule, not the package that the rule calls. So each rule carries this digest among its
parameters, and a change of the package reruns exactly the verbs that use what was changed.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT.name


@cache
def code_digest(verb: str, *modules: str) -> str:
    """Digest of all that a verb's file imports of the package, at the top or inside functions; 12 hex digits.

    ``modules`` names more of them, which the verb imports by a name that it puts together.
    """
    pending, seen = [ROOT / "cli" / f"{verb.replace('-', '_')}.py"], set()
    pending += [path for module in modules for path in _files(module)]
    while pending:
        path = pending.pop()
        if path not in seen:
            seen.add(path)
            pending += _read(path)[1]
    total = hashlib.sha256()
    for path in sorted(seen):
        total.update(f"{path.relative_to(ROOT)} {_read(path)[0]}\n".encode())
    return total.hexdigest()[:12]


@cache
def _read(path: Path) -> tuple[str, tuple[Path, ...]]:
    """Digest of one file without its docstrings, and the files of the package that it names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return digest, tuple(dict.fromkeys(_named_files(tree)))


def _named_files(tree: ast.Module) -> Iterator[Path]:
    """Files of the package that a module imports, or names as text ("assimilearn.x.y") to import later."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from _files(node.module)
            for alias in node.names:
                yield from _files(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(alias.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _files(node.value)


def _files(module: str) -> Iterator[Path]:
    """The file of a module of this package, with the ``__init__.py`` of the packages around it."""
    parts = module.split(".")
    if parts[0] != PACKAGE or not all(part.isidentifier() for part in parts):
        return
    for depth in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[1:depth])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path
