"""The user's own parts: decorators that mark them, and the loading of files and modules that hold them.

A plug-in is a Python file beside the study file, or an importable module, that the study names under ``plugins``::

    from assimilearn.plugins import model

    @model("pond", fields={"height": (32, 32)}, spacing=1.0, periodic=True, time_step=0.1)
    def pond(fields, *, damping: float = 0.1):
        ...

Keyword parameters with type and default become settings. A file may import others from its folder. Packages offer parts
by entry points of the group ``assimilearn.plugins``, each naming a module. A data or result file never has anything
imported.
"""

import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_type_hints

from assimilearn.errors import PluginError
from assimilearn.plugin_files import module_of_file, told, with_files_beside
from assimilearn.registry import (
    Part,
    Place,
    Plugged,
    Registry,
    Source,
    declared,
    files_of,
    is_compiled,
    use,
)
from assimilearn.registry import registry as registry_in_force

__all__ = ["assimilator", "emulator", "load", "method", "model", "network", "operator"]

Target = TypeVar("Target")
NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"


# ---- decorators ----------------------------------------------------------------------------------------------------


def model(name: str, **options: Any) -> Callable[[Target], Target]:
    """Mark a function as a model: ``step(fields, *, settings) -> fields``, one step of every member.

    Parameters
    ----------
    name : as a study names it
    **options
        ``fields``, ``spacing``, ``periodic``, ``time_step``, ``start``: see :mod:`assimilearn.models.plugin`.
    """
    return _mark("model", name, options)


def operator(name: str, **options: Any) -> Callable[[Target], Target]:
    """Mark a function as an observation operator: what is seen of the value at a place, element by element.

    Parameters
    ----------
    name : as a study names it: ``operator: {method: name}``
    **options
        ``derivative``: see :mod:`assimilearn.observations.plugin`.
    """
    return _mark("operator", name, options)


def emulator(name: str, **options: Any) -> Callable[[Target], Target]:
    """Mark a class with ``fit`` and ``predict`` as an emulator: a forecast model that is learned from an analysis.

    Parameters
    ----------
    name : as a study names it: ``emulators: {mine: {method: name, trained_on: letkf}}``
    **options
        None; what the class must have says :mod:`assimilearn.emulators.plugin`.
    """
    return _mark("emulator", name, options)


def network(name: str, **options: Any) -> Callable[[Target], Target]:
    """Mark a ``torch.nn.Module`` as a neural network that can be trained as an emulator."""
    return _mark("network", name, options)


def assimilator(name: str, **options: Any) -> Callable[[Target], Target]:
    """Mark a ``torch.nn.Module`` as a learned analysis step; see :mod:`assimilearn.assimilators.plugin`."""
    return _mark("assimilator", name, options)


def method(name: str, **options: Any) -> Callable[[Target], Target]:
    """Mark a function as an assimilation method."""
    return _mark("method", name, options)


def _mark(kind: str, name: str, options: dict[str, Any]) -> Callable[[Target], Target]:
    """A decorator that notes its function or class in the module where it stands, and leaves it as it is."""
    frame = sys._getframe(2)
    place, module = Place(frame.f_code.co_filename, frame.f_lineno), frame.f_globals

    def decorate(target: Target) -> Target:
        part = Plugged(kind, name, target, options, {}, place, Source("", ()))
        if re.match(NAME, str(name)) is None:
            raise part.error("must have a name of lower-case letters, digits and hyphens")
        module.setdefault("__parts__", []).append(replace(part, parameters=parameters_of(part)))
        return target

    return decorate


def parameters_of(part: Plugged) -> dict[str, tuple[Any, Any]]:
    """Setting -> (type, default), from the keyword parameters of the function, or of the class when it is made.

    Raises
    ------
    PluginError
        If one has no type or no default, or they cannot be told because of ``**``.
    """
    function = part.target.__init__ if inspect.isclass(part.target) else inspect.unwrap(part.target)
    try:
        signature, types = inspect.signature(function), get_type_hints(function, include_extras=True)
    except (NameError, TypeError, ValueError) as error:
        raise part.error(f"has parameters whose types cannot be read: {error}") from error
    found = {}
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            raise part.error(f"takes **{parameter.name}: name each setting, with type and default")
        compiled = is_compiled(part.target) and parameter.default is not parameter.empty  # numba: no keyword-only ones
        if parameter.kind is parameter.KEYWORD_ONLY or compiled:
            if parameter.name not in types or parameter.default is parameter.empty:
                lacks = "type" if parameter.name not in types else "default"
                raise part.error(f"has a setting {parameter.name!r} without a {lacks}: give it type and default")
            found[parameter.name] = (types[parameter.name], parameter.default)
    return found


# ---- loading -------------------------------------------------------------------------------------------------------


def load(plugins: Sequence[str], folder: Path = Path()) -> Registry:
    """Load the plug-ins of a study, and put the registry with their parts in force.

    Parameters
    ----------
    plugins : paths of files that end in .py, relative to ``folder``, and names of importable modules
    folder : that of the study file

    Returns
    -------
    Registry
        Of the parts of the package and of these plug-ins, without those of plug-ins that were loaded before.

    Raises
    ------
    PluginError
        If one of them cannot be loaded or a part of it cannot be used: one line for each, with file and line.
    """
    parts: list[Plugged] = []
    wrong: list[str] = []
    for name in dict.fromkeys(plugins):
        try:
            parts += parts_in(source_of(name, folder))
        except PluginError as error:
            wrong.append(str(error))
    if wrong:
        raise PluginError("\n".join(wrong))
    found = Registry(parts)
    use(found)
    return found


def source_of(name: str, folder: Path = Path()) -> Source:
    """The plug-in of that name: a file, or a module that is imported to find its files."""
    if name.endswith(".py"):
        path = Path(os.path.abspath(folder / name))
        if not path.is_file():
            raise PluginError(f"there is no plug-in {name} in {folder.absolute()}: name a file beside the study file")
        return Source(str(path), with_files_beside(path))
    return Source(name, files_of(_imported(name)))


def parts_in(source: Source) -> list[Plugged]:
    """The parts of a plug-in, all of which can be used.

    Raises
    ------
    PluginError
        If there is none, or one cannot be used.
    """
    module = module_of_file(Path(source.name)) if source.name.endswith(".py") else _imported(source.name)
    parts = declared(module, source)
    if not parts:
        raise PluginError(f"{source}: holds no part: mark a function or class, for example with @model(...)")
    for part in parts:
        _ = part.settings, part.implementation
    return parts


def part_of_source(source: str, kind: str, name: str) -> Part:
    """A part of a plug-in, which is loaded if need be: for processes that this one sends work to."""
    found = registry_in_force().find(name, kind)
    if not isinstance(found, Plugged) or found.source.name != source:
        use(Registry([*registry_in_force().plugged, *parts_in(source_of(source))]))
    return registry_in_force()[kind, name]


def _imported(name: str) -> ModuleType:
    """An importable module."""
    try:
        return import_module(name)
    except PluginError:
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise PluginError(told(error, name)) from error
        advice = f"; is {name}.py meant?" if name.isidentifier() else ""
        raise PluginError(f"there is no plug-in {name}: no module of that name can be imported{advice}") from error
    except (Exception, SystemExit) as error:
        raise PluginError(told(error, name)) from error
