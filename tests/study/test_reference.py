"""config/README.md is the reference that the schema gives."""

from pathlib import Path

import pytest

from assimilearn.study.reference import reference
from assimilearn.study.scenarios import load
from assimilearn.study.schema import Study

ROOT = Path(__file__).parents[2]


def test_the_reference_is_in_step_with_the_schema():
    assert (ROOT / "config" / "README.md").read_text() == reference()


def test_every_setting_has_a_meaning():
    schema = Study.model_json_schema()
    nameless = [
        f"{name}.{key}"
        for name, definition in {"Study": schema, **schema["$defs"]}.items()
        for key, field in definition.get("properties", {}).items()
        if key != "method" and not field.get("description")
    ]
    assert nameless == []


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda p: p.name)
def test_every_study_that_ships_is_valid(path):
    load(path)
