"""The texts of a study: names are texts, and every text can be part of a path and of a file."""

from collections.abc import Mapping
from typing import Any

from assimilearn.study.problems import Problem, shortened
from assimilearn.study.reading import DEEPEST


def as_texts(config: Mapping[Any, Any], problems: list[Problem]) -> dict[str, Any]:
    """A copy of ``config`` whose keys are texts; what is not fit for a study is added to ``problems``."""
    return _copied(config, "", 0, problems)


def _copied(value: Any, path: str, depth: int, problems: list[Problem]) -> Any:
    """A copy of one value and of all below it."""
    if depth > DEEPEST:
        problems.append(Problem(path, None, "mappings and lists are nested too deeply"))
        return None
    if isinstance(value, Mapping):
        return {
            _name(key, path, problems): _copied(below, f"{path}.{key}" if path else str(key), depth + 1, problems)
            for key, below in value.items()
        }
    if isinstance(value, list | tuple):
        return [_copied(below, f"{path}.{index}", depth + 1, problems) for index, below in enumerate(value)]
    if isinstance(value, str):
        return _storable(value, path, problems)
    if isinstance(value, int) and abs(value) >= 10**300:  # too long to be told
        return float("inf")
    if value is None or isinstance(value, bool | int | float):
        return value
    problems.append(Problem(path, value, f"expected a text or a number, not a {type(value).__name__}"))
    return str(value)


def _name(key: Any, path: str, problems: list[Problem]) -> str:
    """A key as text."""
    place = f"{path}.{shortened(key)}" if path else shortened(key)
    if not isinstance(key, str):
        problems.append(Problem(place, None, "names are texts, and this is none: put it in quotes"))
        return str(key)
    return _storable(key, place, problems)


def _storable(text: str, path: str, problems: list[Problem]) -> str:
    """A text as it can be written to a file."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        problems.append(Problem(path, text, "no file can hold one of its characters (a null, half a surrogate pair)"))
        return ascii(text)
    return text
