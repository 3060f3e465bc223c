"""The tables of README and pages come from studies that there are, and stand between marks that there are."""

import runpy
from pathlib import Path

import pytest

from assimilearn.study.scenarios import load

ROOT = Path(__file__).parents[1]
PAGES = runpy.run_path(str(ROOT / "docs" / "fill_pages.py"))
STUDIES = {load(path).study.study for path in (ROOT / "config").rglob("*.yaml")}


@pytest.mark.parametrize("place", PAGES["PLACES"], ids=lambda place: place.mark)
def test_a_table_stands_between_its_marks_and_nothing_else_changes(place):
    assert place.study in STUDIES
    text = (ROOT / place.page).read_text()
    before, rest = text.split(f"<!-- {place.mark} -->\n")
    after = rest.split(f"<!-- /{place.mark} -->")[1]
    filled = PAGES["filled"](text, place.mark, "| a |\n")
    assert filled == f"{before}<!-- {place.mark} -->\n\n| a |\n\n<!-- /{place.mark} -->{after}"


def test_every_picture_is_of_a_study_that_there_is():
    assert {figure.split("/")[0] for figure in PAGES["PICTURES"].values()} <= STUDIES
