"""All that is wrong with a configuration, told at once: where, which value, what is allowed, the nearest name."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError

from assimilearn.errors import SettingsError


class Problem(NamedTuple):
    """One thing to mend in a configuration."""

    path: str
    value: Any
    message: str

    def __str__(self) -> str:
        """``path: message (got value)``."""
        got = "" if self.value is None else f" (got {shortened(self.value)})"
        return f"{self.path}: {self.message}{got}"


class ConfigurationError(SettingsError):
    """A configuration with problems; the message lists them all."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = list(dict.fromkeys(map(str, problems)))
        many = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''} in the configuration:"
        super().__init__("\n  ".join([many, *self.problems]))


def shortened(value: Any, length: int = 60) -> str:
    """The value as a user typed it, cut when it is long."""
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


def unknown(what: str, name: Any, allowed: Iterable[str]) -> str:
    """Message for a name that does not exist: the nearest one and all that do."""
    allowed = sorted(allowed)
    near = get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"there is no {what} {name!r}{hint or '.'} Allowed: {', '.join(allowed) or 'nothing'}"


def problems_of(error: ValidationError, data: Any, schema: Mapping[str, Any], prefix: str = "") -> list[Problem]:
    """Problems of a pydantic error on ``data``, with paths as the user wrote them.

    Parameters
    ----------
    error : pydantic.ValidationError
    data : what was validated
    schema : JSON schema of the validated model; it knows the allowed keys
    prefix : put before every path, as ``scenarios.noisy``
    """
    found = []
    for item in error.errors(include_url=False):
        place = _written_path(item["loc"], data)
        path = ".".join([*([prefix] if prefix else []), *map(str, place)]) or "(top level)"
        value = item.get("input")
        match item["type"]:
            case "extra_forbidden":
                allowed = allowed_keys(schema, data, place[:-1])
                found.append(Problem(path, value, unknown("setting", place[-1], allowed)))
            case "union_tag_invalid":
                allowed = [tag.strip(" '") for tag in item["ctx"]["expected_tags"].split(",")]
                tag = item["ctx"]["tag"]
                found.append(Problem(f"{path}.method", tag, unknown("method", tag, allowed)))
            case "union_tag_not_found":
                found.append(Problem(f"{path}.method", None, "is missing: name the method"))
            case "missing":
                found.append(Problem(path, None, "is required"))
            case _:
                found.append(Problem(path, value, item["msg"][0].lower() + item["msg"][1:]))
    return found


def _written_path(loc: Sequence[Any], data: Any) -> list[Any]:
    """The path of an error without the union tags that pydantic puts into it."""
    path: list[Any] = []
    for part in loc:
        if isinstance(data, Mapping) and part not in data and part == data.get("method") and part is not loc[-1]:
            continue
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        elif not isinstance(data, Mapping | list) and path:
            break  # below a plain value pydantic names its own types, which the user never wrote
        path.append(part)
    return path


def allowed_keys(schema: Mapping[str, Any], data: Any, path: Sequence[Any]) -> list[str]:
    """Keys that the schema allows at ``path`` in ``data``."""
    node = _resolved(schema, schema, data)
    for part in path:
        data = data.get(part) if isinstance(data, Mapping) else data[part]
        named = next(iter(node.get("patternProperties", {}).values()), None) or node.get("additionalProperties")
        below = node.get("properties", {}).get(part) or named or node.get("items") or {}
        node = _resolved(schema, below if isinstance(below, Mapping) else {}, data)
    return list(node.get("properties", {}))


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any], data: Any) -> Mapping[str, Any]:
    """Follow references, the tag of a union, and the one mapping of an optional."""
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        elif "discriminator" in node and isinstance(data, Mapping):
            target = node["discriminator"]["mapping"].get(data.get("method"))
            if target is None:
                return {}
            node = {"$ref": target}
        elif "anyOf" in node or "oneOf" in node:
            choices = [c for c in node.get("anyOf", node.get("oneOf", [])) if "$ref" in c or c.get("type") == "object"]
            choices = choices or [c for c in node.get("anyOf", []) if "discriminator" in c]
            if not choices:
                return {}
            node = choices[0]
        else:
            return node
