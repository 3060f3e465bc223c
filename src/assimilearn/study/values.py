"""Values that a study lists for settings of a node: each must be one that the node could have."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from assimilearn.registry import Plugged, registry
from assimilearn.study.problems import Problem, problems_of, unknown


def bad_values(node: Any, union: Any, setting: str, values: Iterable[Any], path: str) -> Iterator[Problem]:
    """Problems of ``values`` of a setting of a node; ``union`` is what could stand in the place of the node."""
    if setting not in type(node).model_fields:
        yield Problem(path, None, unknown("setting", setting, type(node).model_fields))
        return
    for value in values:
        yield from _bad_value(node, union, setting, value, path)


def _bad_value(node: Any, union: Any, setting: str, value: Any, path: str) -> Iterator[Problem]:
    data = node.model_dump() | {setting: value}
    try:
        type(node).model_validate(data)
    except ValidationError:
        of_all = TypeAdapter(union)  # it knows which other method would take the value
        try:
            of_all.validate_python(data)
        except ValidationError as error:
            found = problems_of(error, data, _schema_of(union, registry().plugged))
            yield Problem(path, value, found[0].message)


@lru_cache(maxsize=8)
def _schema_of(union: Any, plugged: tuple[Plugged, ...]) -> dict[str, Any]:
    """The schema of a union, with the parts of the package and the ``plugged`` ones."""
    return TypeAdapter(union).json_schema()
