"""No name of a file or a folder is ever taken for a command, and all of them work."""

import os
import subprocess

import numpy as np
import pytest
import xarray as xr
from project import TINY, copy_project

NAMES = [
    "my obs",
    "it's",
    'a "b"',
    "$(touch X)",
    "`touch X`",
    "a; touch X",
    "a && touch X",
    "$HOME",
    "ñ",
    "-x",
    "a|b>c",
]
SMALL = {
    "models": {"lorenz96": {"method": "lorenz96", "size": 12}},
    "climate": {"duration": 100, "lyapunov_duration": 10},
    "periods": {"spinup": 5, "train": 60, "gap": 2, "validation": 10, "test": 30},
    "observations": {"network": {"method": "moving_random", "count": 6}},
    "forecasts": {"lead": 1.0, "starts": 5, "free_run": 60},
    "figures": ["hovmoller"],
}


def dataset(name: str, **attributes) -> xr.Dataset:
    values = np.random.default_rng(1).normal(2.0, 3.0, (120, 12))
    times = ("time", 0.05 * np.arange(120))
    return xr.Dataset({name: (("time", "site"), values)}, {"time": times}, attributes)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("names") / "project")


def brought(project, name: str) -> dict:
    """A study of three scenarios whose files all bear the name: observations and truth, and a network."""
    files = {kind: f"{name} {kind}" for kind in ("observations.nc", "truth.nc", "network.csv")}
    dataset("observations", error_std=1.0).to_netcdf(project.folder / files["observations.nc"])
    dataset("state").to_netcdf(project.folder / files["truth.nc"])
    lines = [f"{0.05 * k:.2f},{k % 12}" for k in range(1, 200)]
    (project.folder / files["network.csv"]).write_text("\n".join(["time,site", *lines]))
    data = {"observations": files["observations.nc"], "truth": files["truth.nc"]}
    network = {"method": "file", "path": files["network.csv"]}
    scenarios = {"brought": {"data": data}, "observed": {"observations": {"network": network}}}
    return {**SMALL, "study": "names", "analyses": {"blue": {"method": "blue"}}, "scenarios": scenarios}


@pytest.mark.workflow_slow
@pytest.mark.parametrize("name", NAMES)
def test_a_dry_run_executes_no_name(project, name):
    project.configure(brought(project, name))
    assert "ingest_truth" in project.snakemake("--dry-run", "--cores", "1", "--printshellcmds")
    assert not list(project.folder.rglob("X"))


@pytest.mark.workflow_slow
def test_a_run_executes_no_name_and_works(project):
    name = '-it\'s "a" $(touch X) `touch X`; touch X & ñ'
    project.configure(brought(project, name))
    project.snakemake("--cores", "2")
    assert not list(project.folder.rglob("X"))
    for scenario in ("brought", "observed"):
        assert (project.folder / "results" / "names" / scenario / "scores" / "analyses" / "blue.nc").is_file()
    observations = project.folder / f"{name} observations.nc"
    observations.touch()
    assert project.planned() == set()
    old = observations.stat().st_mtime - 10**6
    dataset("observations", error_std=2.0).to_netcdf(observations)
    os.utime(observations, (old, old))
    planned = project.planned()
    assert "brought/observations.nc" in planned and "observed/observations.nc" not in planned


@pytest.mark.workflow_slow
def test_the_workflow_works_in_a_folder_of_any_name(tmp_path):
    project = copy_project(tmp_path / 'it\'s a $HOME; tëst "x" `touch X` $(touch X)')
    study = {**SMALL, "study": "tiny", "analyses": TINY["analyses"] | {"etkf-ridge": {"method": "blue"}}}
    project.configure(study)
    project.snakemake("--cores", "2")
    assert (project.folder / "results" / "tiny" / "report.html").stat().st_size > 100_000
    assert not list(tmp_path.rglob("X"))
    assert "Nothing to be done" in project.snakemake("--cores", "2")


@pytest.mark.workflow_slow
def test_of_two_runs_of_a_study_at_once_one_refuses_and_the_other_ends_well(tmp_path):
    project = copy_project(tmp_path / "twice")
    project.configure({**SMALL, "study": "twice", "analyses": {"blue": {"method": "blue"}}})
    common = {"cwd": project.folder, "env": project.environment, "text": True}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    runs = [subprocess.Popen(project.command("--cores", "1"), **common, **output) for _ in range(2)]
    texts = [run.communicate(timeout=300)[0] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 1], texts
    refused = texts[[run.returncode for run in runs].index(1)]
    assert "another run of this study is at work in this folder" in refused
    assert "Traceback" not in refused
    assert (project.folder / "results" / "twice" / "report.html").is_file()
