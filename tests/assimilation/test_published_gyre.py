"""The published score of the double gyre: Sakov & Oke (2008), as listed in DAPPER 1.8 (mods/QG/sakov2008.py)."""

from pathlib import Path

import numpy as np
import pytest

from assimilearn.models import build
from assimilearn.models.climate import climate
from assimilearn.study.scenarios import load
from assimilearn.study.twins import twins
from assimilearn.tuning.sweep import sweep

STUDIES = Path(__file__).parents[2] / "config" / "studies"


def scenario(name):
    return load(STUDIES / f"{name}.yaml").scenarios["tracks"]


def test_the_study_of_the_gyre_states_the_published_experiment():
    """300 analyses of 25 members, every 5 time units, of 300 values of error variance 4; radius 10, inflation 1.04."""
    study = scenario("gyre")
    model = build(study.models["gyre"])
    assert model.size == 16641 and model.time_step * study.observations.every == 5
    assert study.observations.network.count == 300 and study.observations.error_std**2 == 4
    for node in (study.analyses["letkf"], study.sweeps["letkf-25"].analysis):
        assert (node.members, node.inflation, node.localization_radius) == (25, 1.04, 10)
    assert study.sweeps["letkf-25"].steps == 300 and study.sweeps["letkf-25"].burn_in == 50
    assert study.climate.states == 400 and study.climate.covariance == "states"


@pytest.mark.slow
def test_the_letkf_reaches_the_published_score():
    """0.64 in one run of DAPPER; three truths of ours spread by 0.03."""
    study = scenario("gyre")
    node = study.sweeps["letkf-25"]
    model = build(study.models["gyre"])
    file = climate(model, study.climate, np.random.default_rng(0))
    one = twins(model, node, study.truth, study.observations, 2008, 1)
    found = sweep(one, model, node.analysis, node.over, file)
    assert float(found["rmse_median"]) == pytest.approx(0.64, abs=0.05)
