"""All that is wrong with a configuration, told at once: where, which value, what is allowed, the nearest name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError

from assimilearn.errors import SettingsError
from assimilearn.registry import SettingsOf
from assimilearn.settings import Settings
from assimilearn.study.kinds import kind


class Problem(NamedTuple):
    """One thing to mend in a configuration."""

    path: str
    value: Any
    message: str

    def __str__(self) -> str:
        """``path: message (got value)``; a word that the message quotes is not told twice."""
        told = self.value is None or (isinstance(self.value, str) and repr(self.value) in self.message)
        got = "" if told else f" (got {shortened(self.value)})"
        return printable(f"{LONG.sub(cut, self.path)}: {self.message}{got}")


class ConfigurationError(SettingsError):
    """A configuration with problems; the message lists them all."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = list(dict.fromkeys(map(str, problems)))
        many = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''} in the configuration:"
        super().__init__("\n  ".join([many, *self.problems]))


LONG = re.compile(r"[^.]{121,}")
"""A name in a path that is too long to be told."""


def shortened(value: Any, length: int = 60) -> str:
    """The value as a user typed it, cut when it is long."""
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


def cut(name: re.Match[str]) -> str:
    """The beginning of a long name."""
    return name[0][:57] + "..."


def printable(text: str) -> str:
    """The text in one line that any terminal takes: line breaks, control characters and the like as escapes."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def unknown(what: str, name: Any, allowed: Iterable[str]) -> str:
    """Message for a name that does not exist: the nearest one and all that do."""
    allowed = sorted(allowed)
    near = get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no {what} {shortened(name)}{hint or '.'} Allowed: {', '.join(allowed) or 'nothing'}"


def problems_of(error: ValidationError, data: Any, schema: Mapping[str, Any], prefix: str = "") -> list[Problem]:
    """Problems of a pydantic error on ``data``, one for each place, with paths as the user wrote them.

    Parameters
    ----------
    error : pydantic.ValidationError
    data : what was validated
    schema : JSON schema of the validated model; it knows the allowed keys
    prefix : put before every path, as ``scenarios.noisy``
    """
    items: dict[tuple[Any, ...], list[Any]] = {}
    for item in error.errors(include_url=False):
        items.setdefault(written_path(item["loc"], data), []).append(item)
    found = []
    for place, here in items.items():
        beside, value, message = _explained(place, here, data, schema)
        path = ".".join(map(str, [*([prefix] if prefix else []), *place, *beside])) or "(top level)"
        found.append(Problem(path, value, message))
    return found


def _explained(
    place: tuple[Any, ...], items: Sequence[Any], data: Any, schema: Mapping[str, Any]
) -> tuple[list[str], Any, str]:
    """What is wrong at one place: the key below it that is meant, if any, its value and the message.

    There are several ``items`` where a union allows several kinds of value, and this one is of none of them.
    """
    item = items[0]
    value = item.get("input")
    match item["type"]:
        case "extra_forbidden":
            return [], value, Setting.at(place, data, schema).unknown(value)
        case "union_tag_invalid":
            allowed = [tag.strip(" '") for tag in item["ctx"]["expected_tags"].split(",")]
            return ["method"], item["ctx"]["tag"], unknown("method", item["ctx"]["tag"], allowed)
        case "union_tag_not_found":
            return ["method"], None, "is missing: name the method"
        case "missing":
            return [], None, "is required"
        case "value_error":
            message = item["msg"].removeprefix("Value error, ")
            name, _, reason = message.partition(": ")
            if isinstance(value, Mapping) and name in value:  # settings that do not fit each other name one of them
                return [name], value[name], Setting.at((*place, name), data, schema).clashing(value[name], reason)
            return [], value, message
        case "string_pattern_mismatch" if item["ctx"]["pattern"] == NAME_PATTERN:
            return [], value, "names are of lower-case letters and digits, with single hyphens between them"
        case "string_type" if isinstance(value, bool | int | float):
            return [], value, "expected a text: put it in quotes"
        case kind_of_error if place and (len(items) > 1 or kind_of_error.endswith(OTHER_KIND)):
            return [], value, Setting.at(place, data, schema).other_kind(value)
    return [], value, item["msg"][0].lower() + item["msg"][1:]


NAME_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
"""What a name in a study may look like."""

OTHER_KIND = ("_type", "_parsing", "_from_float", "literal_error")
"""How the names end of pydantic's errors on values that are not of the right kind, as a word for a number."""


class Setting(NamedTuple):
    """A key in a mapping of settings, and what the schema knows of them.

    Attributes
    ----------
    name : the key
    method : method of the mapping, or None
    siblings : settings classes of all methods that it could name, by method
    schema : that of everything
    node : that of the mapping
    """

    name: str
    method: Any
    siblings: Mapping[str, type[Settings]]
    schema: Mapping[str, Any]
    node: Mapping[str, Any]

    @classmethod
    def at(cls, place: Sequence[Any], data: Any, schema: Mapping[str, Any]) -> "Setting":
        """The one at ``place`` in ``data``."""
        node, siblings = _standing(schema, data, place[:-1])
        for part in place[:-1]:
            data = data[part]
        return cls(place[-1], data.get("method") if siblings else None, siblings, schema, node)

    def unknown(self, value: Any) -> str:
        """Message where the mapping has no such key."""
        others = self.others(value) or self.others()
        if others:
            return "; ".join([f"{self.method} has no such setting", *others])
        return unknown("setting", self.name, self.node.get("properties", {}))

    def other_kind(self, value: Any) -> str:
        """Message where the value is of a kind that the key does not take."""
        allowed = kind(self.schema, _below(self.node, self.name))
        others = self.others(value)
        return "; ".join([*others, f"{self.method} takes {allowed}"]) if others else f"expected {allowed}"

    def clashing(self, value: Any, reason: str) -> str:
        """Message where a method finds that the value does not fit: the others, if it would not do so ever."""
        return "; ".join([reason, *([] if self._taken_by(self.method, value) else self.others(value))])

    def others(self, *value: Any) -> list[str]:
        """Which other methods take the value, in words, or nothing if none does; without a value: have the key."""
        methods = [
            method for method in sorted(self.siblings) if method != self.method and self._taken_by(method, *value)
        ]
        what = repr(value[0]) if value and isinstance(value[0], str) else "it"
        return [f"{what} is taken by {listed(methods)}"] if methods else []

    def _taken_by(self, method: Any, *value: Any) -> bool:
        """Whether a method has the key and, if one is given, takes the value when nothing else is set."""
        if method not in self.siblings:
            return True
        cls = self.siblings[method]
        if self.name not in cls.model_fields or not value:
            return self.name in cls.model_fields
        try:
            cls.model_validate({self.name: value[0]})
        except ValidationError as error:
            return not any(item["loc"][:1] in [(self.name,), ()] for item in error.errors())  # () is a clash
        return True


def listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), *names[-1:]])


def written_path(loc: Sequence[Any], data: Any) -> tuple[Any, ...]:
    """The path of an error without the union tags that pydantic puts into it."""
    path: list[Any] = []
    for part in (part for part in loc if part != "[key]"):
        if isinstance(data, Mapping) and part not in data and part == data.get("method"):
            continue
        if isinstance(data, list) and not isinstance(part, int):
            continue  # a kind of list, in pydantic's words
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif not isinstance(data, Mapping | list) and path:
            break  # below a plain value pydantic names its own types, which the user never wrote
        path.append(part)
    return tuple(path)


def _standing(
    schema: Mapping[str, Any], data: Any, path: Sequence[Any]
) -> tuple[Mapping[str, Any], Mapping[str, type[Settings]]]:
    """What the schema allows at ``path`` in ``data``, and the settings of all methods that could stand there."""
    node, methods = _resolved(schema, schema, data)
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else data[part]
        node, methods = _resolved(schema, _below(node, part), data)
    return node, methods


def _below(node: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """What stands under a key, or in a list."""
    named = next(iter(node.get("patternProperties", {}).values()), None) or node.get("additionalProperties")
    below = node.get("properties", {}).get(part) or named or node.get("items")
    return below if isinstance(below, Mapping) else {}


def _resolved(
    schema: Mapping[str, Any], node: Mapping[str, Any], data: Any
) -> tuple[Mapping[str, Any], Mapping[str, type[Settings]]]:
    """Follow references, the tag of a union, and the one mapping of an optional."""
    methods: Mapping[str, type[Settings]] = {}
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        elif "discriminator" in node and isinstance(data, Mapping):
            methods = SettingsOf(*node.get("kinds", ()))
            target = node["discriminator"]["mapping"].get(str(data.get("method")))
            if target is None:
                return {}, methods
            node = {"$ref": target}
        elif "anyOf" in node or "oneOf" in node:
            choices = [c for c in node.get("anyOf", node.get("oneOf", [])) if "$ref" in c or c.get("type") == "object"]
            choices = choices or [c for c in node.get("anyOf", []) if "discriminator" in c]
            if not choices:
                return {}, methods
            node = choices[0]
        else:
            return node, methods
