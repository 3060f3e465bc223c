"""A study with a learned analysis step, really run."""

import pytest
import xarray as xr
from project import TINY, copy_project

STEP = {"method": "recurrent-gain", "width": 8, "depth": 2, "reach": 2, "iterations": 30, "batch_size": 8}
STUDY = {
    **{name: TINY[name] for name in ("seed", "models", "climate", "periods", "observations", "forecasts")},
    "study": "learned",
    "analyses": {"learned": {"method": "learned", "assimilator": "step"}},
    "assimilators": {"step": {**STEP, "learns_from": "observations"}},
    "sweeps": {"noise": {"analysis": {"method": "learned", "assimilator": "step"}, "steps": 200, "burn_in": 50}},
    "figures": [],
}


@pytest.mark.workflow_slow
def test_a_step_is_trained_used_and_scored_from_one_command(tmp_path):
    project = copy_project(tmp_path / "project")
    project.configure(STUDY)
    project.snakemake("--cores", "2", "results")
    results = project.folder / "results" / "learned"
    with xr.open_dataset(results / "base" / "analyses" / "learned.nc") as analysis:
        assert analysis.attrs["status"] == "ok"
        assert "truth" not in analysis.attrs["inputs"]
    with xr.open_dataset(results / "base" / "assimilators" / "step.nc") as step:
        assert "truth" not in step.attrs["inputs"]
    rows = (results / "scorecard.csv").read_text()
    assert "base/learned/rmse," in rows
    assert "base/noise/rmse" in rows
    assert "Nothing to be done" in project.snakemake("--cores", "2", "results")
