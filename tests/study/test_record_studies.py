"""`data` alone is a study: no model anywhere, and nothing of a true model for what is learned, in twins too."""

import numpy as np
import pytest
import xarray as xr

from assimilearn.study.brought import file_problems
from assimilearn.study.plan import Plan
from assimilearn.study.scenarios import resolve

STUDY = {
    "study": "record",
    "periods": {"spinup": 5, "train": 100, "gap": 5, "validation": 30, "test": 40},
    "analyses": {
        "blue": {"method": "blue"},
        "etkf-linear": {"method": "etkf", "model": "linear", "members": 10},
    },
    "emulators": {
        "linear": {"method": "sklearn", "estimator": "Ridge", "radius": None, "trained_on": "blue"},
    },
    "forecasts": {"lead": 1, "free_run": 50},
}
LOOP = {
    "emulator": {"method": "sklearn", "estimator": "Ridge", "radius": None},
    "analysis": {"method": "etkf"},
    "start": "blue",
}


@pytest.fixture
def record(tmp_path):
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.standard_normal((200, 3)), axis=0) * 0.1 + rng.standard_normal((200, 3))
    time = ("time", np.arange(200), {"units": "days since 2000-01-01"})
    path = tmp_path / "mine.nc"
    xr.Dataset({"t": (("time", "station"), values)}, {"time": time}).to_netcdf(path)
    return {"observations": str(path), "error_std": 0.5, "time_unit": "1 day"}


def test_a_record_alone_is_a_study_without_models(record):
    resolved = resolve({**STUDY, "data": record})
    plan = Plan(resolved).scenarios["base"]
    assert resolved.scenarios["base"].models == {} and file_problems(resolved.scenarios) == []
    assert plan.physics == [] and plan.climate == "results/record/base/climatology.nc"
    assert plan.model_of("blue") == plan.climate  # persistence
    assert plan.files("model") == [plan.climate] and plan.files("truth") == []
    assert "time_series" in plan.figure_names and "maps" not in plan.figure_names


@pytest.mark.parametrize("of_record", [True, False])
def test_the_climatology_of_what_is_learned_is_that_of_the_analysis_behind_it(record, of_record):
    study = {**STUDY, "loops": {"cycled": LOOP}, **({"data": record} if of_record else {})}
    study["analyses"] = STUDY["analyses"] | {"etkf-cycled": {"method": "etkf", "model": "cycled"}}
    plan = Plan(resolve(study)).scenarios["base"]
    assert plan.climate_of("linear").endswith("analyses/blue.nc")
    assert plan.climate_of("cycled").endswith("analyses/cycled.nc")
    assert plan.climate_of(None) == plan.climate


def test_what_the_sites_of_a_record_do_not_allow_is_found_by_check(record):
    study = {
        **STUDY,
        "data": record | {"withhold": {"stations": ["9"]}},
        "analyses": {**STUDY["analyses"], "letkf": {"method": "letkf", "model": "linear"}},
    }
    found = "\n".join(map(str, file_problems(resolve(study).scenarios)))
    assert "withhold: there is no station 9; there are 0, 1, 2" in found
    study["data"] = record
    study["forecasts"] = {"lead": 5, "free_run": 5}
    found = "\n".join(map(str, file_problems(resolve(study).scenarios)))
    assert "analyses.letkf.method: letkf needs distances between sites" in found
    assert "forecasts.free_run: shorter than a segment of the power spectrum (20 MTU)" in found


def test_a_twin_can_take_the_climatology_of_its_own_observations():
    study = {**STUDY, "analyses": STUDY["analyses"] | {"blue": {"method": "blue", "climatology": "record"}}}
    plan = Plan(resolve(study)).scenarios["base"]
    assert plan.climate_of_analysis("blue") == "results/record/base/climatology.nc" == plan.files("climatology")[0]
    assert plan.files("model") == [plan.climate] == ["results/record/base/models/lorenz96.nc"]
    assert Plan(resolve(STUDY)).scenarios["base"].files("climatology") == []
