"""From a study file to checked scenarios: merge, validate, and tell every problem at once."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError

from assimilearn import plugins
from assimilearn.errors import FileError, PluginError
from assimilearn.registry import Registry, registry
from assimilearn.study.consistency import inconsistencies
from assimilearn.study.problems import ConfigurationError, Problem, problems_of
from assimilearn.study.schema import Scenario, Study

NODES = ("models", "analyses", "emulators", "loops", "sweeps")


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
    try:
        text = Path(path).read_text(encoding="utf-8")
        config = yaml.safe_load(text)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise FileError(f"{path}: is not YAML: {error}") from error
    return resolve(config, Path(path).parent)


def resolve(config: Any, folder: Path = Path()) -> Resolved:
    """Load the plug-ins of a study, given as nested mappings, and check it; see :func:`load`.

    Parameters
    ----------
    config : nested mappings
    folder : that of the study file; files of plug-ins are found from there
    """
    if not isinstance(config, Mapping):
        raise ConfigurationError([Problem("(top level)", config, "a study file is a mapping of settings")])
    parts = _with_plugins(config.get("plugins"), folder)
    problems: list[Problem] = []
    study = _validated(Study, without_removed(config), "", problems)
    base = {key: value for key, value in config.items() if key in Scenario.model_fields}
    overrides = config.get("scenarios") or {"base": {}}
    scenarios = {}
    if isinstance(overrides, Mapping):
        known = {(problem.path, str(problem.value)) for problem in problems}
        for name, override in overrides.items():
            found: list[Problem] = []
            merged = without_removed(merge(base, override)) if isinstance(override, Mapping) else dict(base)
            scenario = _validated(Scenario, merged, "", found)
            if scenario is not None:
                scenarios[str(name)] = scenario
                found += inconsistencies(scenario)
            prefix = f"scenarios.{name}." if config.get("scenarios") else ""
            # what is wrong in the common part is told once, not once a scenario
            problems += [p._replace(path=prefix + p.path) for p in found if (p.path, str(p.value)) not in known]
    if problems or study is None:
        raise ConfigurationError(problems)
    return Resolved(study, scenarios, parts)


def _with_plugins(names: Any, folder: Path) -> Registry:
    """The registry with the plug-ins that a study names, which is in force from now on."""
    given = names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []
    try:
        return plugins.load(given, folder)
    except PluginError as error:
        raise ConfigurationError([Problem("plugins", None, line) for line in str(error).splitlines()]) from error


def _validated(cls: type[BaseModel], data: Mapping[str, Any], prefix: str, problems: list[Problem]) -> Any:
    """An instance of ``cls``, or None and the problems added to the list."""
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error, data, _schema(cls, registry()), prefix)
        return None


@lru_cache(maxsize=4)
def _schema(cls: type[BaseModel], parts: Registry) -> dict[str, Any]:
    """The schema of a class, which the parts in force are in."""
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
