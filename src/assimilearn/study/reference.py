"""The reference of all settings, as Markdown, from the schema: config/README.md is its output."""

from collections.abc import Iterator
from typing import Any

from assimilearn.study.kinds import kind
from assimilearn.study.schema import Study

HEAD = """# Study files

*Made by `assimilearn reference`; a test keeps it in step with the code.*

A study is one YAML file. `assimilearn check FILE` checks it without running anything; `snakemake --cores N
--configfile FILE` runs it, and its results go to `results/<study>/<scenario>/`.

* **Nodes** (`models`, `analyses`, `emulators`, `assimilators`, `loops`) are named by you: lower-case letters, digits
  and hyphens. An analysis may use an emulator as its model, and an emulator learns from an analysis; the names say
  which.
* **Loops** alternate: learn a model from the last analysis, assimilate again with it. The name of a loop stands for the
  emulator and the analysis of its best cycle. The settings of its `emulator` and `analysis` are those of the nodes
  below, without `trained_on`, `tune` of an emulator, and `model`.
* **Assimilators** are learned analysis steps: an analysis with `method: learned` names one. The truth is an input of
  training only where `learns_from` says so.
* **Scenarios** are overrides of the rest of the file, merged mapping by mapping. A node with another `method` replaces
  the old node, and a node set to `null` is removed. Without scenarios there is one, `base`.
* **Searches**: `tune` of an emulator is a cross-validation in time on the training period; `tune` of an analysis
  scores its innovations on the validation period, and settings `model.*` are those of the emulator that is its model:
  both are then tuned together. `assimilearn best FILE` prints what was chosen. No search reads the test period, nor the
  truth unless it asks for the `rmse`.
* Repeated settings can be shared with YAML anchors (`&name`, `*name`, `<<`), as in `config.yaml`.
"""


def reference() -> str:
    """All settings with their defaults and allowed values, as Markdown."""
    schema = Study.model_json_schema()
    lines = [HEAD, "## The file", "", *_table(schema, schema)]
    for name, definition in schema["$defs"].items():
        repeated = name.endswith("Settings") and f"{name.removesuffix('Settings')}Node" in schema["$defs"]
        if "properties" in definition and not repeated:
            lines += ["", f"## {_title(name, definition)}", "", *_summary(definition), *_table(schema, definition)]
    return "\n".join(lines).rstrip() + "\n"


def _title(name: str, definition: dict[str, Any]) -> str:
    """The name of a settings class, and its method where it has one."""
    method = definition["properties"].get("method", {}).get("const")
    return definition.get("title", name) + (f" (`method: {method}`)" if method else "")


def _summary(definition: dict[str, Any]) -> Iterator[str]:
    text = definition.get("description", "").strip()
    if text:
        yield from [text.split("\n\n")[0].replace("\n", " "), ""]


def _table(schema: dict[str, Any], definition: dict[str, Any]) -> Iterator[str]:
    """One row per setting."""
    yield "| setting | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in definition["properties"].items():
        if name != "method":
            required = name in definition.get("required", [])
            default = "required" if required else _default(field.get("default"))
            meaning = field.get("description", "").replace("|", "\\|")
            yield f"| `{name}` | {kind(schema, field)} | {default} | {meaning} |"


def _default(value: Any) -> str:
    """A default as a user would type it; those of whole sections stand in their own tables."""
    match value:
        case None:
            return "none"
        case dict():
            return "see there" if value else "none"
        case bool():
            return f"`{str(value).lower()}`"
    return f"`{value}`"
