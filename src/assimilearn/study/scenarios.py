"""From a study file to checked scenarios: merge, validate, and tell every problem at once."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError

from assimilearn.errors import FileError
from assimilearn.study.consistency import inconsistencies
from assimilearn.study.problems import ConfigurationError, Problem, problems_of
from assimilearn.study.schema import Scenario, Study

NODES = ("models", "analyses", "emulators", "loops", "sweeps")


class Resolved(NamedTuple):
    """A study with all its scenarios, validated."""

    study: Study
    scenarios: dict[str, Scenario]


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
    return resolve(config)


def resolve(config: Any) -> Resolved:
    """Check a study given as nested mappings; see :func:`load`."""
    if not isinstance(config, Mapping):
        raise ConfigurationError([Problem("(top level)", config, "a study file is a mapping of settings")])
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
    return Resolved(study, scenarios)


def _validated(cls: type[BaseModel], data: Mapping[str, Any], prefix: str, problems: list[Problem]) -> Any:
    """An instance of ``cls``, or None and the problems added to the list."""
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error, data, _schema(cls), prefix)
        return None


@cache
def _schema(cls: type[BaseModel]) -> dict[str, Any]:
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
