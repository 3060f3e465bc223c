"""What can be said of the workflow without running it."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
STUDIES = sorted((ROOT / "config").rglob("*.yaml"))


def snakemake(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)


def studies():
    """All of them; those that are not asked for at every turn are slower tests."""
    for path in STUDIES:
        often = path.stem == "config"
        yield pytest.param(path, id=path.stem, marks=[] if often else pytest.mark.workflow_slow)


@pytest.mark.parametrize("study", list(studies()))
def test_every_study_plans_a_report(study, tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "data")  # records that studies name
    done = snakemake("--dry-run", "--cores", "1", "--directory", str(tmp_path), "--configfile", str(study))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "report.html" in done.stdout


@pytest.mark.workflow_slow
def test_the_profile_of_a_cluster_plans_the_same_jobs(tmp_path):
    study = ("--directory", str(tmp_path), "--configfile", "config/studies/small.yaml")
    cluster = snakemake("--workflow-profile", "profiles/slurm", "--executor", "dryrun", *study)
    here = snakemake("--dry-run", "--cores", "1", *study)
    assert cluster.returncode == here.returncode == 0, cluster.stdout + cluster.stderr
    counts = [
        re.findall(r"^(\w+) +(\d+) *$", done.stdout + done.stderr, flags=re.MULTILINE) for done in (cluster, here)
    ]
    assert counts[0] == counts[1] != []


def test_a_bad_study_stops_before_any_job_with_all_problems(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(
        "study: bad\nobservations: {error_std: -1}\nanalyses: {etkf: {method: etkf, membres: 3}}\nemulators: {}\n"
    )
    done = snakemake("--cores", "1", "--directory", str(tmp_path), "--configfile", str(study))
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "observations.error_std" in text
    assert "did you mean 'members'?" in text
    assert not (tmp_path / "results").exists()


@pytest.mark.workflow_slow
def test_a_study_stands_alone_and_is_not_merged_with_the_default_one(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("study: alone\nanalyses: {blue: {method: blue}}\n")
    done = snakemake("--dry-run", "--cores", "1", "--directory", str(tmp_path), "--configfile", str(study))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "etkf" not in done.stdout


def test_environment_yml_names_the_same_packages_and_floors_as_pyproject():
    conda_names = {"snakemake": "snakemake-minimal", "torch": "pytorch"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {f"python{project['requires-python']}"}
    extras = project["optional-dependencies"]
    for line in [*project["dependencies"], *extras["dev"], *extras["cluster"]]:
        name, floor = re.fullmatch(r"([a-z0-9-]+)(>=.+)", line).groups()
        wanted.add(conda_names.get(name, name) + floor)
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert set(environment["dependencies"]) == wanted


def test_constraints_pin_every_dependency_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().split()}
    named = {re.match(r"[a-z0-9-]+", line)[0] for line in project["dependencies"]}
    assert named <= pinned


def test_the_package_never_imports_snakemake():
    pattern = re.compile(r"^\s*(import|from) snakemake", re.MULTILINE)
    assert not [path for path in (ROOT / "src").rglob("*.py") if pattern.search(path.read_text())]


def commands(text: str) -> list[str]:
    """The text of every ``shell:`` of a file of rules, its pieces joined."""
    found = re.findall(r"^ +shell:\n((?: +(?:\"[^\"\n]*\"|'[^'\n]*')\n?)+)", text, flags=re.MULTILINE)
    assert len(found) == len(re.findall(r"\bshell\b *[:(]", text)), "a command that this test cannot read"
    return ["".join(ast.literal_eval(f"({pieces})")) for pieces in found]


def unquoted(command: str) -> list[str]:
    """The fields of a command that reach the shell as they are; a number of threads can do no harm."""
    fields = re.findall(r"\{\{|\{([^{}]*)\}", command)
    return [field for field in fields if field and field != "threads" and not field.endswith(":q")]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_no_text_reaches_a_shell_unquoted(path):
    for command in commands(path.read_text()):
        assert unquoted(command) == [], command


def test_every_rule_that_makes_files_has_a_command_that_was_read():
    texts = [path.read_text() for path in RULES]
    made = sum(len(re.findall(r"^    output:", text, flags=re.MULTILINE)) for text in texts)
    assert sum(len(commands(text)) for text in texts) == made > 15
    assert not any(re.search(r"^ +(run|script|notebook|wrapper):", text, flags=re.MULTILINE) for text in texts)


def test_a_field_without_quotes_would_be_found():
    assert unquoted("verb {input.file} {output:q} {params.x!r} {threads} {{this}} {log}") == [
        "input.file",
        "params.x!r",
        "log",
    ]
    assert commands('rule a:\n    shell:\n        "one {input} "\n        "2> {log:q}"\n') == ["one {input} 2> {log:q}"]
