"""Parts of a study by kind and name: those of the package, and those of plug-ins.

A part is a model, an observation operator, an emulator, a neural network, an assimilation method or a figure. Each is
imported when it is used, and not before. A :class:`Registry` is a value that says which parts there are; one of them is
in force in a process, at first that of the parts of the package. :func:`assimilearn.plugins.load` puts another one in
force, once, before the settings of a study are read.
"""

import hashlib
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module, metadata
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import ConfigDict, ValidationError, create_model
from pydantic.errors import PydanticUserError

from assimilearn.errors import FileError, PluginError
from assimilearn.settings import Settings

ROOT = Path(__file__).parent
ENTRY_POINTS = "assimilearn.plugins"
"""Group of the entry points by which an installed package offers parts."""

OWNERS = {
    "model": "models",
    "operator": "observations",
    "emulator": "emulators",
    "network": "emulators",
    "method": "assimilation",
    "figure": "figures",
    "assimilator": "assimilators",
}
"""Kind of part -> the package that owns it; its module ``parts`` holds the table ``KINDS``."""

WORDS = {
    "model": "a physical model",
    "emulator": "an emulator",
    "method": "an analysis",
    "assimilator": "an assimilator",
}
"""What a file of a part is called."""

SHARED = {"emulator": "network", "network": "emulator"}
"""Kinds that are named in the same place, so that no two of them may share a name."""


class Kind(NamedTuple):
    """What a package says of one kind of part; every path is relative to the package.

    Attributes
    ----------
    parts : mapping of name -> "module:SettingsClass", or "module" for parts without settings
    base : "module:Class" from which the settings of plug-ins are made
    adapter : module with ``adapted(part)``, which makes of a plug-in what a module of the package is; where there is
        none, plug-ins of the kind are refused
    """

    parts: Mapping[str, str]
    base: str = ""
    adapter: str = ""


@dataclass(frozen=True, eq=False)
class Part:
    """One part, by kind and name."""

    kind: str
    name: str

    @cached_property
    def settings(self) -> type[Settings]:
        """The class of its settings, with ``method: Literal[name]``."""
        raise NotImplementedError

    @cached_property
    def implementation(self) -> Any:
        """Its module, or what stands for a module: the functions that its kind asks for."""
        raise NotImplementedError

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that its code begins in; what they import of this package belongs to it too."""
        raise NotImplementedError

    def __reduce__(self) -> Any:
        return part_of, (self.kind, self.name)


@dataclass(frozen=True, eq=False)
class BuiltIn(Part):
    """A part of the package, known by its path.

    Attributes
    ----------
    path : "package.module:SettingsClass" below assimilearn
    """

    path: str

    @cached_property
    def settings(self) -> type[Settings]:
        """The class of its settings."""
        return getattr(self.implementation, self.path.partition(":")[2])

    @cached_property
    def implementation(self) -> ModuleType:
        """Its module."""
        return import_module(f"{ROOT.name}.{self.path.partition(':')[0]}")

    @property
    def files(self) -> tuple[Path, ...]:
        """The file of its module."""
        return (ROOT / (self.path.partition(":")[0].replace(".", "/") + ".py"),)


class Place(NamedTuple):
    """Where a part stands in the code of a user."""

    file: str
    line: int

    def __str__(self) -> str:
        """As errors name it."""
        return f"{Path(self.file).name}, line {self.line}"


class Source(NamedTuple):
    """A plug-in.

    Attributes
    ----------
    name : absolute path of a file, or name of a module
    files : all its files
    """

    name: str
    files: tuple[Path, ...]

    def __str__(self) -> str:
        """As files of results name it: without a folder."""
        return Path(self.name).name if self.name.endswith(".py") else self.name


@dataclass(frozen=True, eq=False)
class Plugged(Part):
    """A part of a plug-in.

    Attributes
    ----------
    target : the function or class of the user
    options : keywords of the decorator
    parameters : setting -> (type, default)
    place : where it stands
    source : the plug-in
    """

    target: Any
    options: Mapping[str, Any]
    parameters: Mapping[str, tuple[Any, Any]]
    place: Place
    source: Source

    def error(self, message: str, line: int | None = None) -> PluginError:
        """An error of this part: file, line, and what is wrong."""
        place = self.place if line is None else self.place._replace(line=line)
        return PluginError(f"{place}: the {self.kind} {self.name!r} {message}")

    def failure(self, error: Exception) -> PluginError:
        """What the code of the user raised, with the line of its file."""
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == self.place.file]
        line = lines[-1] if lines else None
        if isinstance(error, ValueError) and "read-only" in str(error):
            return self.error("changes what it is given: compute new arrays", line)
        return self.error(f"fails: {type(error).__name__}: {first_line(error)}", line)

    @cached_property
    def settings(self) -> type[Settings]:
        """A class made of the parameters.

        Raises
        ------
        PluginError
            If a parameter cannot be a setting, or its default is none of its values.
        """
        base: type[Settings] = _of_kind(self.kind, _kind(self.kind).base)
        for name in self.parameters:
            if name == "method" or name in base.model_fields:
                raise self.error(f"cannot have a setting {name!r}: every {self.kind} has one of that name")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of names that hide what every settings class has
            try:
                made = _settings_class(self, base)
                made.part = self
                _check_defaults(made, self.parameters)
            except ValidationError as error:
                wrong = error.errors(include_url=False)[0]
                name = str(wrong["loc"][0])
                raise self.error(f"has the default {wrong['input']!r} for {name!r}: {wrong['msg'].lower()}") from error
            except (PydanticUserError, NameError, TypeError, UserWarning) as error:
                raise self.error(f"has a parameter that cannot be a setting: {first_line(error)}") from error
        return made

    @cached_property
    def implementation(self) -> Any:
        """What the package that owns the kind makes of it."""
        adapter = _kind(self.kind).adapter
        if not adapter:
            raise self.error("is of a kind that plug-ins cannot add")
        return import_module(f"{ROOT.name}.{OWNERS[self.kind]}.{adapter}").adapted(self)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the plug-in, and the adapter."""
        return (*self.source.files, ROOT / OWNERS[self.kind] / f"{_kind(self.kind).adapter.replace('.', '/')}.py")

    def __reduce__(self) -> Any:
        from assimilearn.plugins import part_of_source

        return part_of_source, (self.source.name, self.kind, self.name)


def is_compiled(target: Any) -> bool:
    """Whether numba compiles a function of a user; its settings are then its parameters with a default."""
    return hasattr(target, "py_func")


class FromPlugin(Settings):
    """Settings made of the parameters of a plug-in; another process that is sent some loads the plug-in first."""

    model_config = ConfigDict(validate_default=True, protected_namespaces=())

    part: ClassVar[Plugged]

    def __reduce__(self) -> Any:
        return _validated, (self.part, self.model_dump())


def _validated(part: Part, values: Mapping[str, Any]) -> Settings:
    return part.settings.model_validate(values)


def _settings_class(part: Plugged, base: type[Settings]) -> "type[FromPlugin]":
    """A class made of the parameters of a part."""
    fields: dict[str, Any] = {"method": (Literal[part.name], part.name), **part.parameters}
    return create_model(
        "".join(word.capitalize() for word in part.name.split("-")) + "Settings",
        __base__=(FromPlugin, base),  # type: ignore[arg-type]
        __module__=part.target.__module__,
        __doc__=(part.target.__doc__ or f"The {part.kind} {part.name}.").strip(),
        **fields,
    )


def _check_defaults(made: type[Settings], parameters: Mapping[str, Any]) -> None:
    """Raise ValidationError if a default is not a value of its setting; what the base class requires is left aside."""
    try:
        made()
    except ValidationError as error:
        if any(item["loc"][:1] and item["loc"][0] in parameters for item in error.errors()):
            raise


def first_line(error: BaseException) -> str:
    """What an error says first, in one line."""
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return (str(error).splitlines() or [type(error).__name__])[0]


# ---- which parts there are -----------------------------------------------------------------------------------------


class Registry:
    """Which parts there are: those of the package, those of the given plug-ins, those of installed packages.

    Parameters
    ----------
    plugged : parts of plug-ins

    Raises
    ------
    PluginError
        If two parts have the same name.
    """

    def __init__(self, plugged: Iterable[Plugged] = ()):
        self._plugged: dict[tuple[str, str], Plugged] = {}
        for part in plugged:
            for kind in (part.kind, SHARED.get(part.kind, part.kind)):
                other = self._plugged.get((kind, part.name)) or built_in(kind).get(part.name)
                if isinstance(other, Plugged):
                    raise part.error(f"takes the name of that in {other.place}: give it another one")
                if other is not None:
                    raise part.error(f"takes the name of a built-in {kind}: give it another one")
            self._plugged[part.kind, part.name] = part

    @property
    def plugged(self) -> tuple[Plugged, ...]:
        """Parts of plug-ins, without those of installed packages."""
        return tuple(self._plugged.values())

    @property
    def sources(self) -> list[Source]:
        """The plug-ins in the order in which they were named."""
        return list(dict.fromkeys(part.source for part in self.plugged))

    def find(self, name: Any, *kinds: str) -> Part | None:
        """The part of that name of one of the ``kinds``, or None."""
        for kind in kinds:
            found = built_in(kind).get(name) or self._plugged.get((kind, name))
            if found is not None:
                return found
        return next((part for part in installed() if part.name == name and part.kind in kinds), None)

    def parts(self, *kinds: str) -> dict[str, Part]:
        """All parts of these kinds by name: built-in, of plug-ins, of installed packages."""
        found: dict[str, Part] = {}
        for kind in kinds:
            found |= built_in(kind)
        others = {part.name: part for part in (*self.plugged, *installed()) if part.kind in kinds}
        return found | {name: part for name, part in others.items() if name not in found}

    def __getitem__(self, key: tuple[str, str]) -> Part:
        """The part of a kind and a name.

        Raises
        ------
        PluginError
            If there is none.
        """
        part = self.find(key[1], key[0])
        if part is None:
            names = ", ".join(self.parts(key[0]))
            raise PluginError(
                f"there is no {key[0]} {key[1]!r}, here or in a plug-in that is loaded; there are {names}"
            )
        return part


_in_force = Registry()


def registry() -> Registry:
    """The registry in force."""
    return _in_force


def use(other: Registry) -> None:
    """Put another registry in force, in this process."""
    global _in_force
    _in_force = other


def part_of(kind: str, name: str) -> Part:
    """The part of that kind and name in the registry in force.

    Raises
    ------
    PluginError
        If there is none.
    """
    return registry()[kind, name]


class SettingsOf(Mapping[str, Any]):
    """Name -> settings class of all parts of a kind, as the registry in force has them."""

    def __init__(self, *kinds: str):
        self.kinds = kinds

    def __getitem__(self, name: str) -> Any:
        part = registry().find(name, *self.kinds)
        if part is None:
            raise KeyError(name)
        return part.settings

    def __iter__(self) -> Iterator[str]:
        return iter(registry().parts(*self.kinds))

    def __len__(self) -> int:
        return len(registry().parts(*self.kinds))


def part_in_file(attributes: Mapping[str, Any], *kinds: str) -> Part:
    """The part whose name stands in the attribute ``method`` of a file. No file has anything imported by its word.

    Raises
    ------
    FileError
        If there is no such part: the message names the plug-in that the file was made with.
    """
    name, source = attributes.get("method"), attributes.get("plugin")
    part = registry().find(name, *kinds)
    if part is not None:
        return part
    if source:
        raise FileError(
            f"the {kinds[0]} {name!r} comes from the plug-in {source}, which is not loaded: name it under `plugins` of "
            "the study, or with --plugin"
        )
    known = ", ".join(registry().parts(*kinds))
    raise FileError(f"not a file of {WORDS[kinds[0]]}: its method is {name!r}, known are {known}")


@cache
def _kind(kind: str) -> Kind:
    """What its package says of a kind."""
    table: dict[str, Kind] = import_module(f"{ROOT.name}.{OWNERS[kind]}.parts").KINDS
    return table[kind]


def _of_kind(kind: str, path: str) -> Any:
    """What stands at "module:Name" in the package of a kind."""
    module, _, name = path.partition(":")
    return getattr(import_module(f"{ROOT.name}.{OWNERS[kind]}.{module}"), name)


@cache
def built_in(kind: str) -> dict[str, BuiltIn]:
    """The parts of the package of one kind."""
    return {name: BuiltIn(kind, name, f"{OWNERS[kind]}.{path}") for name, path in _kind(kind).parts.items()}


@cache
def installed() -> tuple[Plugged, ...]:
    """The parts that installed packages offer by entry points; one that cannot be used warns, and the rest remain."""
    found: dict[tuple[str, str], Plugged] = {}
    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            module = point.load()
            parts = declared(module, Source(point.module, files_of(module)))
            Registry([*found.values(), *parts])
            found |= {(part.kind, part.name): part for part in parts}
        except Exception as error:  # whatever a package of somebody else does wrong
            warnings.warn(f"the plug-in {point.name} of an installed package is left aside: {error}", stacklevel=2)
    return tuple(found.values())


def declared(module: ModuleType, source: Source) -> list[Plugged]:
    """The parts that the decorators of a module, and of those below it that it imports, have marked."""
    inside = [m for name, m in sys.modules.items() if name == module.__name__ or name.startswith(f"{module.__name__}.")]
    marked = {part.place: part for m in inside for part in getattr(m, "__parts__", ())}
    return [Plugged(p.kind, p.name, p.target, p.options, p.parameters, p.place, source) for p in marked.values()]


def files_of(module: ModuleType) -> tuple[Path, ...]:
    """The file of a module, or all of a package."""
    if hasattr(module, "__path__"):
        return tuple(sorted(path for folder in module.__path__ for path in Path(folder).rglob("*.py")))
    return (Path(module.__file__),) if module.__file__ else ()


def content_digest(files: Iterable[Path]) -> str:
    """Digest of the bytes of ``files``, 12 hex digits."""
    total = hashlib.sha256()
    for path in files:
        total.update(path.read_bytes())
    return total.hexdigest()[:12]
