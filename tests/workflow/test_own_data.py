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


@pytest.mark.workflow_slow
def test_a_record_without_a_model_learns_assimilates_and_is_verified_at_withheld_values(project):
    rng = np.random.default_rng(3)
    states = np.zeros((400, 2))
    for k in range(1, 400):
        states[k] = 0.9 * states[k - 1] + 0.4 * (rng.standard_normal() + 0.3 * rng.standard_normal(2))
    lines = [f"2001-{1 + k // 28:02d}-{1 + k % 28:02d},{name},{states[k, s]:.3f}" for s, name in enumerate("ab")
             for k in range(330)]  # fmt: skip
    (project.folder / "mine.csv").write_text("\n".join(["date,station,level", *lines]))
    project.configure({
        "study": "mine",
        "data": {
            "observations": "mine.csv", "time_unit": "1 day", "error_std": 0.1, "every": "1 day",
            "withhold": {"stations": ["b"]},
        },
        "periods": {"spinup": 5, "train": 200, "gap": 5, "validation": 30, "test": 80},
        "analyses": {"blue": {"method": "blue"}, "etkf": {"method": "etkf", "model": "linear", "members": 10}},
        "emulators": {"linear": {"method": "sklearn", "estimator": "Ridge", "radius": None, "trained_on": "blue"}},
        "forecasts": {"starts": 20, "lead": 5, "free_run": 50},
    })  # fmt: skip
    project.snakemake("--cores", "2")
    results = project.folder / "results" / "mine"
    with xr.open_dataset(results / "base" / "scores" / "analyses" / "blue.nc") as dataset:
        mean = dataset["mean"]
        # the other station knows what they share: at best 0.38, the root of 0.958^2 (1 - 1 / 1.09^2), at these times
        assert 0.3 < float(mean.sel(score="withheld_rmse")) < 0.7 * states[250:330, 1].std()
        assert str(dataset["date"].values[0])[:10] == "2001-01-01"
    assert "linear/skill_over_climatology_at_1" in (results / "scorecard.csv").read_text()
    assert (results / "base" / "figures" / "record_skill.png").exists()
    assert not (results / "base" / "models").exists()
