"""What a setting may hold, in words, from the schema."""

from collections.abc import Mapping
from typing import Any


def kind(schema: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    """What a setting may hold, in words."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return name if "properties" in schema["$defs"][name] else kind(schema, schema["$defs"][name])
    if "discriminator" in field:
        return "one of the methods " + ", ".join(f"`{tag}`" for tag in field["discriminator"]["mapping"])
    if "anyOf" in field or "oneOf" in field:
        choices = field.get("anyOf", field.get("oneOf", []))
        return " or ".join(kind(schema, f) for f in choices if f.get("type") != "null")
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        items = field.get("items") or (field.get("prefixItems") or [{}])[0]
        return f"list of {kind(schema, items)}"
    if field.get("type") == "object":
        inner = next(iter(field.get("patternProperties", {}).values()), field.get("additionalProperties"))
        return f"by name: {kind(schema, inner)}" if isinstance(inner, dict) and inner else "mapping"
    return field.get("type", "any value") + _bounds(field)


def _bounds(field: Mapping[str, Any]) -> str:
    """Lower and upper bounds of a number."""
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[key]:g}" for key, sign in signs.items() if key in field]
    return " " + ", ".join(bounds) if bounds else ""
