"""The table of files agrees with the rules that write and read them, and with the figures that show them."""

import re
from pathlib import Path

import pytest

from assimilearn.cli import VERBS
from assimilearn.figures import KINDS
from assimilearn.study.artifacts import ARTIFACTS, VIEWS
from assimilearn.study.plan import Plan
from assimilearn.study.scenarios import resolve

RULES = "".join(path.read_text() for path in (Path(__file__).parents[2] / "workflow" / "rules").glob("*.smk"))
OPTIONS = {"claims", "rows", "variations"}  # what figures are given by options, or of the whole study


def verbs_that_write(path: str) -> set[str]:
    """Verbs of the rules whose outputs have this path."""
    pattern = re.escape(f"{{scenario}}/{path}").replace(r"\{\}", r"(\{\w+\}/?)+")
    rules = re.split(r"^rule ", RULES, flags=re.MULTILINE)
    outputs = {rule: re.search(r" output:\n(.*?)\n    \w", rule, flags=re.DOTALL) for rule in rules}
    writing = [rule for rule, output in outputs.items() if output and re.search(rf'{pattern}"', output[1])]
    return {re.search(r"python -m assimilearn ([\w-]+)", rule)[1] for rule in writing}


@pytest.mark.parametrize("kind", ARTIFACTS)
def test_the_rules_write_each_kind_of_file_with_the_verbs_of_the_table(kind):
    assert verbs_that_write(ARTIFACTS[kind].path) == set(ARTIFACTS[kind].written_by)
    assert set(ARTIFACTS[kind].read_by) <= set(VERBS)


def test_figures_show_kinds_and_views_of_the_table():
    assert set(KINDS) - OPTIONS <= {*ARTIFACTS, *VIEWS}
    assert {view.of for view in VIEWS.values()} <= set(ARTIFACTS)
    assert {kind for kind, file in ARTIFACTS.items() if "figure" in file.read_by} <= set(KINDS)


def test_an_analysis_with_a_search_may_have_the_name_of_an_emulator_without_one():
    analyses = {
        "etkf": {"method": "etkf"},
        "ridge": {"method": "etkf", "model": "ridge", "tune": {"inflation": [1.0, 1.02, 1.04]}},
    }
    study = {
        "study": "example",
        "analyses": analyses,
        "emulators": {"ridge": {"method": "ridge", "trained_on": "etkf"}},
    }
    names = Plan(resolve(study)).scenarios["base"].figure_names
    assert "cross_validation" in names and not {"fitting", "skill_against_data"} & set(names)
