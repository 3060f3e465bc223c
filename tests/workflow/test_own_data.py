"""Observations that a user brings, without a truth, run through the whole chain."""

import numpy as np
import pytest
import xarray as xr
from project import TINY, copy_project

from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import spun_up_state, trajectory


@pytest.fixture
def project(tmp_path):
    """A project whose study points to a gridded file of observations with gaps, written here."""
    project = copy_project(tmp_path / "project")
    rng = np.random.default_rng(7)
    model = Lorenz96(Lorenz96Settings(size=12))
    states = trajectory(model, spun_up_state(model, 20.0, rng), 420)
    observed = states + 0.5 * rng.standard_normal(states.shape)
    observed[rng.random(states.shape) < 0.5] = np.nan
    observed[30] = np.nan  # a time at which nothing was seen
    dataset = xr.Dataset(
        {"observations": (("time", "site"), observed)},
        coords={"time": 0.05 * np.arange(len(states))},
        attrs={"error_std": 0.5},
    )
    dataset.to_netcdf(project.folder / "mine.nc")
    study = {key: value for key, value in TINY.items() if key != "observations"}
    project.configure({**study, "study": "mine", "data": {"observations": "mine.nc"}})
    return project


@pytest.mark.workflow_slow
def test_a_record_without_truth_runs_from_analysis_to_training_and_innovations(project):
    project.snakemake("--cores", "2")
    results = project.folder / "results" / "mine"
    assert not (results / "base" / "truth.nc").exists()
    scores = {}
    for name in ("etkf", "etkf-ridge"):
        with xr.open_dataset(results / "base" / "scores" / "analyses" / f"{name}.nc") as dataset:
            assert "rmse" not in dataset
            scores[name] = float(dataset["mean"].sel(score="innovation_rmse"))
    # a forecast made with a model is closer to new observations than the climatological spread, about 3.6
    assert 0.5 < scores["etkf"] < scores["etkf-ridge"] < 2.5
    assert (results / "report.html").exists()


@pytest.mark.workflow_slow
def test_a_record_that_is_too_short_is_one_clear_error(project):
    study = {**TINY, "study": "mine", "data": {"observations": "mine.nc"}}
    del study["observations"]
    project.configure({**study, "periods": {"train": 5000, "validation": 100, "test": 100}})
    project.snakemake("--cores", "1", status=1)
    log = (project.folder / "results" / "mine" / "base" / "logs" / "ingest.log").read_text()
    assert "mine.nc" in log
    assert "421" in log
