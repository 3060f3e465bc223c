"""Modules of plug-in files: each under a name of its own, with the files beside it that it imports.

A plug-in ``my_parts.py`` may import ``my_helpers.py`` from its folder as if the folder were on Python's path, which it
is not: two studies with files of the same name do not meet. Names that are no file of the folder are those of Python.
What stands in a folder below is no such file: a package is named under ``plugins``.
"""

import ast
import builtins
import traceback
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from sys import modules
from types import ModuleType
from typing import Any

from assimilearn.errors import PluginError
from assimilearn.registry import Place, content_digest

__all__ = ["module_of_file", "told", "with_files_beside"]


def with_files_beside(path: Path) -> tuple[Path, ...]:
    """A file, and those of its folder that it imports, directly or through others, also inside functions."""
    found, pending = [path], [path]
    while pending:
        for name in imported(pending.pop()):
            other = path.parent / f"{name}.py"
            if other not in found and other.is_file():
                found.append(other)
                pending.append(other)
    return (path, *sorted(found[1:]))


def imported(path: Path) -> list[str]:
    """Names of the modules that a file imports; none of a file that is not Python, which loading it tells."""
    try:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
    except (SyntaxError, ValueError):
        return []
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]


class _Source(SourceFileLoader):
    """Compiles a file whenever it is loaded: Python tells an old compiled file from a new one by whole seconds only."""

    def path_stats(self, path: Any) -> Any:
        raise OSError("no compiled file is read or written")


def module_of_file(path: Path) -> ModuleType:
    """The module of a file, under a name that changes with its content and that of the files beside it.

    Raises
    ------
    PluginError
        If it cannot be loaded: one sentence, with file and line.
    """
    name = f"assimilearn_plugin_{path.stem}_{content_digest(with_files_beside(path))}"
    if name in modules and modules[name].__file__ == str(path):
        return modules[name]
    spec = spec_from_file_location(name, path, loader=_Source(name, str(path)))
    if spec is None or spec.loader is None:
        raise PluginError(f"{path.name}: cannot be read as a Python file")
    module = module_from_spec(spec)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": importing_from(path.parent)}
    modules[name] = module
    try:
        spec.loader.exec_module(module)
    except PluginError:
        del modules[name]
        raise
    except (Exception, SystemExit) as error:
        del modules[name]
        raise PluginError(told(error, str(path))) from error
    return module


def importing_from(folder: Path) -> Callable[..., ModuleType]:
    """What the statement ``import`` does in modules of a folder: files of the folder come first."""
    known: dict[str, ModuleType] = {}

    def imported_module(
        name: str, names: Any = None, local: Any = None, fromlist: Any = (), level: int = 0
    ) -> ModuleType:
        if level == 0 and name not in known and (folder / f"{name}.py").is_file():
            known[name] = module_of_file(folder / f"{name}.py")
        return known[name] if level == 0 and name in known else __import__(name, names, local, fromlist, level)

    return imported_module


def told(error: BaseException, file: str) -> str:
    """An error in a plug-in as one sentence: file and line of the last place in it, and what Python says."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Place(error.filename, error.lineno or 1)}: is not Python: {error.msg}"
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = str(Place(file, places[-1].lineno or 1)) if places else Path(file).name
    first = (str(error).splitlines() or [""])[0]
    return f"{where}: {type(error).__name__}{f': {first}' if first else ''}"
