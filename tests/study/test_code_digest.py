"""The digest of a verb's code changes with the code, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from assimilearn.study import code
from assimilearn.study.plan import Plan
from assimilearn.study.scenarios import resolve

TINY = {
    "study": "tiny",
    "seed": 1,
    "models": {"lorenz96": {"method": "lorenz96"}},
    "analyses": {"etkf": {"method": "etkf", "members": 10}, "interpolation": {"method": "interpolation"}},
    "emulators": {"persistence": {"method": "persistence", "trained_on": "etkf"}},
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package's sources that a test may edit."""
    root = tmp_path / "assimilearn"
    shutil.copytree(code.ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "ROOT", root)

    def digest(verb: str, *files: str) -> str:
        code._digest.cache_clear()
        return code.code_digest(verb, *(root / file for file in files))

    yield root, digest
    code._digest.cache_clear()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_comment_or_a_docstring_changes_no_digest(package):
    root, digest = package
    before = digest("observe")
    edit(root / "store.py", '"""NetCDF in and out', '"""NetCDF in and, of course, out')
    with (root / "store.py").open("a") as file:
        file.write("\n# a comment\n")
    assert digest("observe") == before


def test_code_changes_the_digest_of_the_verbs_that_use_it_and_of_no_other(package):
    root, digest = package
    verbs = ["simulate", "observe", "assimilate", "train", "figure"]
    before = {verb: digest(verb) for verb in verbs}
    with (root / "emulators" / "train.py").open("a") as file:
        file.write("\nNEW = 1\n")
    changed = {verb for verb in verbs if digest(verb) != before[verb]}
    assert "train" in changed
    assert not changed & {"simulate", "observe", "figure"}


def test_a_node_depends_on_its_own_method_only(package):
    root, digest = package
    methods = {"etkf": "assimilation/methods/etkf.py", "letkf": "assimilation/methods/letkf.py"}
    before = {name: digest("assimilate", file) for name, file in methods.items()}
    with (root / "assimilation" / "methods" / "letkf.py").open("a") as file:
        file.write("\nNEW = 1\n")
    assert digest("assimilate", methods["letkf"]) != before["letkf"]
    assert digest("assimilate", methods["etkf"]) == before["etkf"]


@pytest.mark.parametrize("kind", ["analyses", "emulators"])
def test_a_node_as_a_study_names_it_does_not_depend_on_the_checks_of_studies(kind):
    plan = Plan(resolve(TINY, Path()))
    (scenario,) = plan.scenarios.values()
    for node in getattr(scenario.settings, kind).values():
        files = {path.relative_to(code.ROOT).parts[0] for path in code.code_of(node).files}
        assert {"analyses": "assimilation", "emulators": "emulators"}[kind] in files
        assert "study" not in files


def test_a_figure_depends_on_its_own_file_only(package):
    root, digest = package
    before = {name: digest("figure", f"figures/{name}.py") for name in ("hovmoller", "scoreboard")}
    with (root / "figures" / "hovmoller.py").open("a") as file:
        file.write("\nNEW = 1\n")
    assert digest("figure", "figures/hovmoller.py") != before["hovmoller"]
    assert digest("figure", "figures/scoreboard.py") == before["scoreboard"]


def test_modules_imported_inside_functions_count(package):
    root, digest = package
    before = digest("assimilate")
    with (root / "emulators" / "emulator.py").open("a") as file:
        file.write("\nNEW = 1\n")
    assert digest("assimilate") != before
