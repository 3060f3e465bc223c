"""Scores against observations look through the operator that the observations were made with."""

import numpy as np
import pytest
import xarray as xr

from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.truth import truth_dataset
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import TEST
from assimilearn.verification import ForecastSettings, score_analysis, score_forecasts

STD = 0.2
K = 400


@pytest.fixture(scope="module")
def twin():
    model = Lorenz96(Lorenz96Settings(size=12))
    states = trajectory(model, spun_up_state(model, 20.0, np.random.default_rng(0)), K - 1)
    truth = truth_dataset(0.05 * np.arange(K), np.full(K, TEST, np.int8), states, 0.05)
    settings = ObservationSettings(
        network={"method": "every", "stride": 2},
        operator={"function": "square", "weights": [0.5, 1, 0.5]},
        error_std=STD,
    )
    observations = observe(truth, settings, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    members = states[:, None] + 1e-6 * rng.standard_normal((K, 20, 12))
    dims = ("ensemble_time", "member", "site")
    analysis = xr.Dataset(
        {"mean": (("time", "site"), states), "forecast_members": (dims, members)},
        {"time": truth["time"], "period": truth["period"], "ensemble_time": ("ensemble_time", truth["time"].values)},
    )
    return model, truth, observations, analysis


def test_what_a_perfect_analysis_leaves_is_the_observation_error(twin):
    _, _, observations, analysis = twin
    scores = score_analysis(analysis, observations, None, np.random.default_rng(0))
    assert float(scores["mean"].sel(score="residual_rmse")) == pytest.approx(STD, rel=0.1)


def test_observations_rank_evenly_among_perturbed_forecasts_of_them(twin):
    _, _, observations, analysis = twin
    scores = score_analysis(analysis, observations, None, np.random.default_rng(0))
    assert scores.attrs["rank_p_value"] > 0.01


def test_forecasts_of_a_perfect_model_err_by_the_observation_error_alone(twin):
    model, truth, observations, analysis = twin
    states = truth["state"].values
    climate = xr.Dataset({"mean": ("site", states.mean(axis=0)), "std": ("site", states.std(axis=0))})
    settings = ForecastSettings(starts=20, lead=0.5, free_run=0)
    scores = score_forecasts(model, analysis, None, observations, climate, settings, np.random.default_rng(0))
    error = scores["error_mean"].sel(initial="analysis").values * scores.attrs["normalisation"]
    np.testing.assert_allclose(error, STD, rtol=0.15)
