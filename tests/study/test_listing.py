"""The list of all parts that a study may name."""

from pathlib import Path

from click.testing import CliRunner

from assimilearn.cli import group
from assimilearn.registry import OWNERS, registry


def test_every_part_is_listed_with_a_sentence():
    listed = CliRunner().invoke(group, ["parts"]).stdout.splitlines()
    for name in {name for kind in OWNERS for name in registry().parts(kind)}:
        lines = [line for line in listed if line.startswith(f"* `{name}`: ")]
        assert lines
        assert all(line[-1] in ".?" for line in lines), lines


def test_parts_that_share_a_file_are_told_apart():
    listed = CliRunner().invoke(group, ["parts"]).stdout.splitlines()
    sentences = [line.partition(": ")[2] for line in listed if line.startswith("* ")]
    assert len(set(sentences)) == len(sentences)


def test_the_page_is_in_step_with_the_parts():
    page = Path(__file__).parents[2] / "docs" / "parts.md"
    assert page.read_text() == CliRunner().invoke(group, ["parts"]).stdout
