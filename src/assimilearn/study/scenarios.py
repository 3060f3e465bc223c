"""From a study file to checked scenarios: merge, validate, and tell every problem at once."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from assimilearn import plugins
from assimilearn.errors import PluginError
from assimilearn.registry import Plugged, Registry, registry
from assimilearn.study.consistency import inconsistencies
from assimilearn.study.problems import ConfigurationError, Problem, problems_of
from assimilearn.study.reading import Config, read_config
from assimilearn.study.schema import Scenario, Study
from assimilearn.study.texts import as_texts
from assimilearn.study.valid_part import NODES, Part, valid_part


class Resolved(NamedTuple):
    """A study with all its scenarios, validated.

    Attributes
    ----------
    study : Study
    scenarios : dict
    registry : Registry
        All parts that it could use, those of its plug-ins included.
    """

    study: Study
    scenarios: dict[str, Scenario]
    registry: Registry


def load(path: str | Path) -> Resolved:
    """Read and check a study file.

    Raises
    ------
    FileError
        If the file is missing or is not YAML.
    ConfigurationError
        If anything in it is wrong; the message lists every problem.
    """
    config = read_config(path)
    return resolve(config.content, Path(path).parent, config.problems)


def together(files: Sequence[str | Path], changes: Mapping[str, Any]) -> Config:
    """Several study files as one: later ones are put over earlier ones, and ``changes`` over all; see :func:`load`."""
    read = [read_config(path) for path in files]
    content: Any = {}
    for part in [*(config.content for config in read), changes]:
        content = merge(content, part) if isinstance(part, Mapping) and isinstance(content, Mapping) else part
    return Config(content, [problem for config in read for problem in config.problems])


def resolve(config: Any, folder: Path = Path(), found_before: Sequence[Problem] = ()) -> Resolved:
    """Load the plug-ins of a study, given as nested mappings, and check it; see :func:`load`.

    Parameters
    ----------
    config : nested mappings
    folder : that of the study file; files of plug-ins are found from there
    found_before : problems of the text that it was read from, to be told with all others
    """
    if not isinstance(config, Mapping):
        raise ConfigurationError([Problem("(top level)", config, "a study file is a mapping of settings")])
    problems = list(found_before)
    config = as_texts(config, problems)
    parts = _with_plugins(config.get("plugins"), folder)
    study = _study(without_removed(config), problems)
    base = {key: value for key, value in config.items() if key in Scenario.model_fields}
    overrides = config.get("scenarios") or {"base": {}}
    scenarios = {}
    if isinstance(overrides, Mapping):
        known = {(problem.path, str(problem.value)) for problem in problems}
        for name, override in overrides.items():
            found: list[Problem] = []
            merged = without_removed(merge(base, override)) if isinstance(override, Mapping) else dict(base)
            part = _scenario(merged, found)
            scenarios[str(name)] = part.settings
            found += inconsistencies(part.settings, part.broken)
            prefix = f"scenarios.{name}." if config.get("scenarios") else ""
            # what is wrong in the common part is told once, not once a scenario
            problems += [p._replace(path=prefix + p.path) for p in found if (p.path, str(p.value)) not in known]
    if problems:
        raise ConfigurationError(problems)
    return Resolved(study, scenarios, parts)


def _with_plugins(names: Any, folder: Path) -> Registry:
    """The registry with the plug-ins that a study names, which is in force from now on."""
    given = names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []
    try:
        return plugins.load(given, folder)
    except PluginError as error:
        raise ConfigurationError([Problem("plugins", None, line) for line in str(error).splitlines()]) from error


def _study(data: Mapping[str, Any], problems: list[Problem]) -> Any:
    """The study, or None and the problems added to the list."""
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error, data, _schema(Study, registry().plugged))
        return None


def _scenario(data: Mapping[str, Any], problems: list[Problem]) -> Part:
    """A scenario; where ``data`` is not valid, that of its valid part, and the problems added to the list."""
    try:
        return Part(Scenario.model_validate(data), frozenset())
    except ValidationError as error:
        problems += problems_of(error, data, _schema(Scenario, registry().plugged))
        return valid_part(Scenario, data, error)


@lru_cache(maxsize=4)
def _schema(cls: type[BaseModel], plugged: tuple[Plugged, ...]) -> dict[str, Any]:
    """The schema of a class, which the parts in force are in: those of the package, and the ``plugged`` ones."""
    return cls.model_json_schema()


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``override`` put over it, mapping by mapping; one with another `method` replaces the old one."""
    merged = dict(base)
    for key, value in override.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping) and value.get("method") in (None, old.get("method")):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def without_removed(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` without the nodes that are null: so a scenario removes one."""
    return {
        key: {name: node for name, node in value.items() if node is not None}
        if key in NODES and isinstance(value, Mapping)
        else value
        for key, value in config.items()
    }
