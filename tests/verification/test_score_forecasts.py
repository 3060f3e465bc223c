"""Forecast scores of perfect, persistent, coarse and exploding models."""

from dataclasses import dataclass
from typing import Any

import known_study as study
import numpy as np
import pytest

from assimilearn import store
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.integrate import advance
from assimilearn.verification import ForecastSettings, score_forecasts
from assimilearn.verification.climate import pooled_std

SETTINGS = ForecastSettings(starts=12, lead=4.0, free_run=30.0, free_runs=4, spinup=2.0)
FREE_RUN = SETTINGS.model_copy(update={"free_run": 60.0, "free_runs": 1})
NO_FREE_RUN = SETTINGS.model_copy(update={"free_run": 0.0})


@dataclass
class StepOnly:
    """A model that has only ``step``, as an emulator may."""

    function: Any
    time_step: float = study.MODEL.time_step
    size: int = study.MODEL.size
    compiled: None = None

    def step(self, states):
        return self.function(states)


@pytest.fixture
def case():
    rng = np.random.default_rng(11)
    observations = study.observations(rng)
    analysis = study.analysis(observations, rng)
    return {"analysis": analysis, "truth": study.truth(), "observations": observations}


def scored(model, case, settings=SETTINGS):
    return score_forecasts(
        model, **case, climatology_file=study.climatology_file(), settings=settings, rng=np.random.default_rng(0)
    )


def test_the_perfect_model_has_no_error_from_the_truth_and_a_growing_one_from_the_analysis(case):
    scores = scored(study.MODEL, case)
    assert float(scores["error_mean"].sel(initial="truth").max()) < 1e-5
    assert scores["censored"].sel(initial="truth").all()
    assert float(scores["valid_time_mean"].sel(initial="truth")) == SETTINGS.lead
    error = scores["error_mean"].sel(initial="analysis")
    assert float(error[0]) == pytest.approx(study.ANALYSIS_STD / pooled_std(study.climatology_file()), rel=0.15)
    assert float(error[-1]) > 5 * float(error[0])
    assert scores.attrs["status"] == "ok"


def test_errors_equal_a_plain_loop_over_starts_and_leads(case):
    scores = scored(study.MODEL, case, NO_FREE_RUN)
    states, std = case["truth"]["state"].values, pooled_std(study.climatology_file())
    for i in (0, 7):
        first = round(float(scores["start"][i]) / study.MODEL.time_step)
        for j in (0, 3, 80):
            forecast = advance(study.MODEL, case["analysis"]["mean"].values[first].astype(float), j)
            expected = np.sqrt(np.mean((forecast - states[first + j]) ** 2)) / std
            assert float(scores["error"][0, i, j]) == pytest.approx(expected, rel=1e-6)


def test_starts_spread_over_the_test_period_and_leads_over_the_steps(case):
    scores = scored(study.MODEL, case, NO_FREE_RUN)
    test = case["analysis"]["time"].values[case["analysis"]["period"].values == 3]
    assert scores["start"].values[0] == test[0] and scores["start"].values[-1] == test[-1]
    np.testing.assert_allclose(scores["lead"], 0.05 * np.arange(81))


def test_error_uncertainty_of_independent_starts_is_the_classical_one(case):
    scores = scored(study.MODEL, case, NO_FREE_RUN)
    error = scores["error"].sel(initial="analysis").isel(lead=0)
    classical = float(error.std()) / np.sqrt(SETTINGS.starts - 1)
    assert float(scores["error_uncertainty"].sel(initial="analysis")[0]) == pytest.approx(classical, rel=0.6)


def test_an_emulator_with_a_longer_step_is_verified_at_its_own_leads(case):
    coarse = StepOnly(lambda states: advance(study.MODEL, states, 4), time_step=0.2)
    scores, fine = scored(coarse, case, NO_FREE_RUN), scored(study.MODEL, case, NO_FREE_RUN)
    np.testing.assert_allclose(scores["lead"], 0.2 * np.arange(21))
    np.testing.assert_allclose(scores["error"], fine["error"].isel(lead=slice(None, None, 4)), atol=1e-6)


def test_a_truth_saved_rarely_is_met_at_common_multiples(case):
    rare = case["truth"].isel(time=slice(None, None, 3))
    analysis = case["analysis"].isel(time=slice(None, None, 3))
    scores = scored(study.MODEL, {**case, "truth": rare, "analysis": analysis}, NO_FREE_RUN)
    np.testing.assert_allclose(scores["lead"], 0.15 * np.arange(27))


def test_a_persistent_model_is_scored_as_no_change_and_its_free_run_has_no_power(case):
    scores = scored(StepOnly(lambda states: states), case)
    np.testing.assert_array_equal(scores["forecast"], np.broadcast_to(scores["forecast"][:1], scores["forecast"].shape))
    assert scores.attrs["free_run"] == "ok"
    assert float(scores["spectrum_distance"]) == pytest.approx(60)


def test_the_climate_of_the_true_model_is_that_of_its_climatology_file(case):
    scores = scored(study.MODEL, case, SETTINGS.model_copy(update={"free_run": 200.0}))
    assert abs(float(scores["mean_error"])) < 0.03
    assert abs(float(scores["std_error"])) < 0.03
    assert float(scores["pdf_distance"]) < 0.05
    assert float(scores["spectrum_distance"]) < 1.0
    np.testing.assert_array_equal(scores["value"], study.climatology_file()["value"])


def test_free_runs_of_a_large_homogeneous_model_are_pooled_over_sites_as_its_climatology_file_is(case):
    settings = ClimateSettings(duration=200, covariance="by_distance", lyapunov_duration=1, lyapunov_count=1)
    climatology_file = climate(study.MODEL, settings, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    scores = score_forecasts(study.MODEL, **case, climatology_file=climatology_file, settings=FREE_RUN, rng=rng)
    assert np.ptp(scores["mean"].values) == np.ptp(scores["std"].values) == 0
    whole = scored(study.MODEL, case, FREE_RUN)
    np.testing.assert_allclose(scores["mean"][0], whole["mean"].mean(), rtol=1e-6)
    total = (whole["std"] ** 2).mean() + whole["mean"].var()
    np.testing.assert_allclose(scores["std"][0] ** 2, total, rtol=1e-6)


def test_lyapunov_time_is_one_over_the_first_exponent(case):
    scores = scored(study.MODEL, case, NO_FREE_RUN)
    assert scores.attrs["lyapunov_time"] == 1 / float(study.climatology_file()["lyapunov_exponent"][0])
    assert scores.attrs["free_run"] == "none"


@pytest.mark.filterwarnings("error")
def test_a_model_that_blows_up_is_recorded_and_never_averaged(case):
    def refuses_nan(states):
        assert np.isfinite(states).all()
        return states + 0.02 * states**3

    scores = scored(StepOnly(refuses_nan), case)
    assert scores.attrs["status"] == "diverged" and "blew up" in scores.attrs["reason"]
    assert scores.attrs["free_run"] == "diverged" and "pdf" not in scores
    assert np.isfinite(scores["error_mean"][:, 0]).all() and np.isnan(scores["error_mean"][:, -1]).all()
    assert np.isfinite(scores["valid_time_mean"]).all() and not scores["censored"].any()


def test_a_diverged_analysis_has_no_forecasts_but_the_truth_still_has(case):
    analysis = case["analysis"].copy(deep=True)
    analysis["mean"].values[200:] = np.nan
    scores = scored(study.MODEL, {**case, "analysis": analysis})
    assert np.isnan(scores["error_mean"].sel(initial="analysis")).all()
    assert np.isnan(scores["valid_time_mean"].sel(initial="analysis"))
    assert float(scores["error_mean"].sel(initial="truth").max()) < 1e-5
    assert scores.attrs["status"] == "diverged" and "from the analysis" in scores.attrs["reason"]


def test_without_truth_errors_are_against_observations_and_include_theirs(case):
    exact = case["analysis"].copy(deep=True)
    exact["mean"] = exact["mean"].astype(float)
    exact["mean"].values[:] = case["truth"]["state"].values[: study.PERIODS.total]
    settings = ForecastSettings(starts=60, lead=1.0, free_run=0.0)
    scores = scored(study.MODEL, {**case, "truth": None, "analysis": exact}, settings)
    assert list(scores["initial"].values) == ["analysis"]
    assert not {"valid_time", "verifying"} & set(scores)
    rms = np.sqrt((scores["error"] ** 2).mean())
    assert float(rms) == pytest.approx(study.ERROR_STD / pooled_std(study.climatology_file()), rel=0.03)


def test_without_truth_leads_without_an_observation_are_left_out(case):
    rare = case["observations"].isel(time=slice(None, None, 4))
    settings = ForecastSettings(starts=10, lead=1.0, free_run=0.0)
    analysis = case["analysis"].isel(time=slice(None, None, 4))
    scores = scored(study.MODEL, {"truth": None, "analysis": analysis, "observations": rare}, settings)
    np.testing.assert_allclose(scores["lead"], 0.2 * np.arange(6))


def test_scores_survive_a_file_and_repeat_with_the_same_rng(case, tmp_path):
    first, second = scored(study.MODEL, case), scored(study.MODEL, case)
    assert first.identical(second)
    store.write(first, tmp_path / "forecasts.nc")
    assert float(store.read(tmp_path / "forecasts.nc")["std_error"]) == float(first["std_error"])
    assert all({"units", "long_name"} <= set(variable.attrs) for variable in first.variables.values())


def test_what_cannot_be_scored_is_one_clear_error(case):
    with pytest.raises(FileError, match="too short for a forecast of 40 MTU"):
        scored(study.MODEL, case, ForecastSettings(lead=40.0, free_run=0.0))
    with pytest.raises(SettingsError, match="shorter than a segment"):
        scored(study.MODEL, case, ForecastSettings(lead=1.0, free_run=10.0))
    with pytest.raises(FileError, match="has 12 sites and the model 8"):
        scored(StepOnly(lambda states: states, size=8), case)
    elsewhere = case["observations"].assign(site_index=case["observations"]["site_index"] + 5)
    with pytest.raises(FileError, match="the state has 12 sites"):
        scored(study.MODEL, {**case, "observations": elsewhere, "truth": None}, NO_FREE_RUN)
    with pytest.raises(FileError, match="nothing to verify against"):
        scored(StepOnly(lambda states: states, time_step=0.033), case, ForecastSettings(lead=0.04, free_run=0.0))


def test_lyapunov_exponents_of_a_model_are_measured_on_request_beside_the_reference(case):
    asked = NO_FREE_RUN.model_copy(update={"lyapunov_duration": 20.0})
    scores = scored(study.MODEL, case, asked)
    assert scores["lyapunov_exponent"].shape == scores["lyapunov_reference"].shape
    assert float(scores["lyapunov_exponent"].sum()) == pytest.approx(-study.MODEL.size, abs=0.5)  # the divergence
    assert "lyapunov_exponent" not in scored(study.MODEL, case, NO_FREE_RUN)


@dataclass
class Damped(StepOnly):
    """x' = 0.9 x + 0.5 e."""

    draws: int = study.MODEL.size

    def step(self, states, noise=None):
        return 0.9 * states + (0.0 if noise is None else 0.5 * noise)


def test_a_model_with_chance_is_scored_by_the_mean_of_an_ensemble_whose_spread_is_recorded(case):
    scores = scored(Damped(None), case, NO_FREE_RUN.model_copy(update={"members": 400}))
    steps, scale = np.arange(scores.sizes["lead"]), pooled_std(study.climatology_file())
    exact = np.sqrt(0.25 * (1 - 0.81**steps) / (1 - 0.81)) / scale
    np.testing.assert_allclose(scores["spread"].mean("start")[0], exact, rtol=0.02, atol=1e-9)
    without = scored(StepOnly(lambda states: 0.9 * states), case, NO_FREE_RUN)
    np.testing.assert_allclose(scores["error_mean"], without["error_mean"], rtol=0.01, atol=1e-9)
    assert "spread" not in without


def test_errors_at_the_leads_that_are_asked_for_are_root_mean_squares_over_the_starts(case):
    settings = NO_FREE_RUN.model_copy(update={"leads": (0.5, 2.0)})
    scores = scored(study.MODEL, case, settings)
    at = [int(np.argmin(np.abs(scores["lead"].values - lead))) for lead in (0.5, 2.0)]
    expected = np.sqrt(np.mean(scores["error"].values[..., at] ** 2, axis=1))
    assert scores["error_at"].values == pytest.approx(expected, rel=1e-12)
    with pytest.raises(SettingsError, match=r"0\.512 MTU is no lead"):
        scored(study.MODEL, case, NO_FREE_RUN.model_copy(update={"leads": (0.512,)}))
