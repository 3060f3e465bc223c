"""Which settings the scenarios of a study vary, one at a time: what a figure of sensitivity has on its axes."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from assimilearn.settings import Settings

NOT_VARIED = ("seed", "figures")  # realizations and looks are no settings of the experiment


def variations(scenarios: Mapping[str, Settings]) -> dict[str, dict[str, float]]:
    """Numbers that vary while everything else stays at its most frequent value.

    Parameters
    ----------
    scenarios : mapping of names to validated scenarios

    Returns
    -------
    dict
        {path of the setting: {scenario: value}}, for every number with two values or more. A scenario that varies
        nothing but its seed is in all of them.
    """
    settings = {
        name: dict(_leaves(scenario.model_dump(mode="json", exclude=set(NOT_VARIED))))
        for name, scenario in scenarios.items()
    }
    paths = sorted({path for leaves in settings.values() for path in leaves})
    usual = {path: _most_frequent([leaves.get(path) for leaves in settings.values()]) for path in paths}
    changed = {
        name: {path for path in paths if not _equal(leaves.get(path), usual[path])} for name, leaves in settings.items()
    }
    result = {}
    for path in paths:
        alone = [name for name in settings if changed[name] <= {path}]
        values = {name: settings[name][path] for name in alone if _is_number(settings[name].get(path))}
        if len(set(values.values())) > 1:
            result[path] = values
    return result


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of every setting that is no mapping."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, node


def _most_frequent(values: list[Any]) -> Any:
    """The first of the values that occur most often."""
    counts = Counter(map(repr, values))
    return max(values, key=lambda value: counts[repr(value)])


def _equal(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
