"""A small study, really run: complete, repeatable, resumable, and rerun only where something changed."""

import os
import signal
import subprocess
import time

import pytest
import xarray as xr
from project import TINY, copy_project

EMULATOR_PARTS = {
    "base/tuning/ridge.nc",
    "base/emulators/ridge.nc",
    "base/analyses/etkf-ridge.nc",
    "base/scores/analyses/etkf-ridge.nc",
    "base/scores/forecasts/ridge.nc",
}


def without_figures(files: set[str]) -> set[str]:
    """What is left when the pages that show everything are taken away."""
    return {f for f in files if "/figures/" not in f and f not in {"report.html", "scorecard.csv", "study.json"}}


def test_a_study_runs_from_one_command_to_its_report(tiny_run):
    results = tiny_run.folder / "results" / "tiny"
    assert (results / "report.html").stat().st_size > 100_000
    assert (results / "scorecard.csv").read_text().startswith("name,value,uncertainty")
    for name in ("interpolation", "etkf", "etkf-ridge"):
        with xr.open_dataset(results / "base" / "analyses" / f"{name}.nc") as analysis:
            assert analysis.attrs["status"] == "ok"
            assert analysis.attrs["study"] == "tiny"
            assert analysis.attrs["node"] == name
    figures = results / "base" / "figures"
    assert {p.suffix for p in figures.iterdir()} == {".pdf", ".svg", ".png"}


def test_a_second_run_has_nothing_to_do(tiny_run):
    assert "Nothing to be done" in tiny_run.snakemake("--cores", "2")


@pytest.mark.workflow_slow
def test_one_core_gives_the_same_bytes_as_two(tiny_run, tmp_path):
    other = copy_project(tmp_path / "other")
    other.configure(TINY)
    other.snakemake("--cores", "1")
    assert other.digests() == tiny_run.digests()


def test_a_changed_emulator_reruns_itself_and_what_depends_on_it_only(own_run):
    study = {**TINY, "emulators": {**TINY["emulators"], "ridge": {**TINY["emulators"]["ridge"], "radius": 1}}}
    own_run.configure(study)
    assert without_figures(own_run.planned()) == EMULATOR_PARTS


@pytest.mark.workflow_slow
def test_changed_code_reruns_what_uses_it_and_a_comment_reruns_nothing(own_run):
    path = own_run.folder / "src" / "assimilearn" / "emulators" / "classical" / "ridge.py"
    text = path.read_text()
    path.write_text(text + "\n# a comment\n")
    assert own_run.planned() == set()
    path.write_text(text + "\nCHANGED = True\n")
    assert "base/tuning/ridge.nc" in own_run.planned()
    assert "base/analyses/etkf.nc" not in own_run.planned()


@pytest.mark.workflow_slow
def test_a_killed_run_completes_with_the_same_command_to_the_same_bytes(tiny_run, tmp_path):
    project = copy_project(tmp_path / "killed")
    project.configure(TINY)
    for wanted in ("base/observations.nc", "base/analyses/etkf.nc"):
        process = subprocess.Popen(
            project.command("--cores", "2"),
            cwd=project.folder,
            env=project.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while not (project.folder / "results" / "tiny" / wanted).exists():
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    project.snakemake("--cores", "2")
    assert project.digests() == tiny_run.digests()
    assert not list(project.folder.rglob("*.tmp"))


@pytest.mark.workflow_slow
def test_a_failing_verb_leaves_one_sentence_in_the_log_of_its_rule(own_run):
    truth = own_run.folder / "results" / "tiny" / "base" / "truth.nc"
    truth.write_bytes(truth.read_bytes()[:1000])
    own_run.snakemake("--cores", "1", status=1)
    log = (own_run.folder / "results" / "tiny" / "base" / "logs" / "observe.log").read_text()
    assert "Traceback" not in log
    assert "truth.nc: cannot be read as NetCDF, perhaps it is truncated" in log
