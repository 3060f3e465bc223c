"""Digest of the code that a verb runs: it changes when the code does, not when a comment or a docstring does.

Snakemake tracks the text of a rule, not the package that the rule calls. So each rule carries this digest among its
parameters, and a change of the package reruns exactly the verbs that use what was changed. Parts, such as methods and
models, count where they are used: a node has the code of its own parts besides that of its verb, plug-ins included.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from assimilearn.registry import Plugged, Source
from assimilearn.settings import Settings

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT.name
FROM = re.compile(rf"^\s*from +({PACKAGE}[\w.]*) +import +(\([^)]*\)|.*)$", re.MULTILINE)
NAMED = re.compile(rf"(?:^\s*import +|[\"'])({PACKAGE}(?:\.\w+)*)\b(?=[\"'\s,])", re.MULTILINE)
NAME = re.compile(r"\w+")


class Code(NamedTuple):
    """The code that a node of a study runs, beyond that of its verb.

    Attributes
    ----------
    files : where it begins
    plugins : the plug-ins among them
    """

    files: tuple[Path, ...]
    plugins: tuple[Source, ...]

    def digest(self, verb: str) -> str:
        """Digest of it and of the code of a verb."""
        return code_digest(verb, *self.files)

    @property
    def options(self) -> list[str]:
        """Words of the options that have a verb load the plug-ins; the rule quotes each word."""
        return [word for source in self.plugins for word in ("--plugin", relative(source))]


def code_of(*nodes: Settings) -> Code:
    """The code behind the settings of some nodes: where their classes, and those of the settings in them, stand.

    What a study adds to the settings of a part, such as the model of an analysis, does not count: it runs nothing.
    """
    files: dict[Path, None] = {}
    plugins: dict[Source, None] = {}
    for cls in (cls for node in nodes for cls in _classes(node)):
        if isinstance(part := cls.__dict__.get("part"), Plugged):
            files |= dict.fromkeys(part.files)
            plugins[part.source] = None
        elif not cls.__module__.startswith(f"{PACKAGE}.study."):
            files |= dict.fromkeys(_files(cls.__module__))
    return Code(tuple(files), tuple(plugins))


def _classes(node: Settings) -> Iterator[type]:
    """The classes of some settings and of those in them, with those that they are made from."""
    yield from type(node).__mro__
    for name in type(node).model_fields:
        value = getattr(node, name)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]:
            if isinstance(inner, Settings):
                yield from _classes(inner)


def relative(source: Source) -> str:
    """A plug-in as an option names it: the path of a file from the folder of the run, or the name of a module."""
    return os.path.relpath(source.name) if source.name.endswith(".py") else source.name


def code_digest(verb: str, *files: Path) -> str:
    """Digest of all that a verb's file imports of the package, at the top or inside functions; 12 hex digits.

    ``files`` are more of them, of the package or of plug-ins, which the verb imports by a name that settings give.
    """
    begin = (ROOT / "cli" / f"{verb.replace('-', '_')}.py", *files)
    return _digest(tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in begin))


@cache
def _digest(begin: tuple[tuple[Path, int, int], ...]) -> str:
    """Digest of some files, in the versions that were changed at these times, and of all that they import."""
    pending, seen = [path for path, _, _ in begin], set()
    while pending:
        path = pending.pop()
        if path not in seen:
            seen.add(path)
            pending += _read(path, path.stat().st_mtime_ns)[1]
    total = hashlib.sha256()
    for path in sorted(seen):
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
        total.update(f"{name} {_read(path, path.stat().st_mtime_ns)[0]}\n".encode())
    return total.hexdigest()[:12]


@cache
def _read(path: Path, changed: int) -> tuple[str, tuple[Path, ...]]:
    """Digest of one file without its docstrings, and the files of the package that it names.

    The digest is that of the compiled code: Python's own compiler leaves out comments and, asked to, docstrings.
    ``changed`` is the time of the last change.
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
