"""Digest of the code that a verb runs: it changes when the code does, not when a comment or a docstring does.

Snakemake tracks the text of a rule, not the package that the rule calls. So each rule carries this digest among its
parameters, and a change of the package reruns exactly the verbs that use what was changed.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT.name
FROM = re.compile(rf"^\s*from +({PACKAGE}[\w.]*) +import +(\([^)]*\)|.*)$", re.MULTILINE)
NAMED = re.compile(rf"(?:^\s*import +|[\"'])({PACKAGE}(?:\.\w+)*)\b(?=[\"'\s,])", re.MULTILINE)
NAME = re.compile(r"\w+")


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
    """Digest of one file without its docstrings, and the files of the package that it names.

    The digest is that of the compiled code: Python's own compiler leaves out comments and, asked to, docstrings.
    """
    text = path.read_text(encoding="utf-8")
    total = hashlib.sha256()
    _add(compile(text, path.name, "exec", dont_inherit=True, optimize=2), total.update)
    return total.hexdigest(), tuple(dict.fromkeys(_named_files(text)))


def _add(code: CodeType, add: Callable[[bytes], None]) -> None:
    """Everything of a code object that decides what it does, but where it stands in its file."""
    add(code.co_code + code.co_exceptiontable)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_name)
    add(repr((names, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add(constant, add)
        elif isinstance(constant, frozenset):  # in no order of its own
            add(repr(sorted(map(repr, constant))).encode())
        else:
            add(repr(constant).encode())


def _named_files(text: str) -> Iterator[Path]:
    """Files of the package that a module imports, or names as text ("assimilearn.x.y") to import later."""
    for module, names in FROM.findall(text):
        yield from _files(module)
        for name in NAME.findall(names):
            yield from _files(f"{module}.{name}")
    for module in NAMED.findall(text):
        yield from _files(module)


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
