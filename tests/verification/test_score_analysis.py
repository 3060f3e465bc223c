"""Scores of an analysis whose errors are known by construction."""

import known_study as study
import numpy as np
import pytest
import xarray as xr

from assimilearn import store
from assimilearn.errors import FileError
from assimilearn.periods import TEST
from assimilearn.verification import score_analysis

WITH_TRUTH = {"rmse", "rmse_observed", "rmse_unobserved", "bias", "crps", "crps_gaussian", "log_score", "forecast_rmse"}


@pytest.fixture
def case():
    rng = np.random.default_rng(11)
    observations = study.observations(rng)
    return study.analysis(observations, rng), observations, study.truth()


def scored(analysis, observations, truth):
    return score_analysis(analysis, observations, truth, np.random.default_rng(0))


def score(scores, name):
    return float(scores["mean"].sel(score=name))


def test_every_score_equals_a_plain_loop_over_the_test_period(case):
    analysis, observations, truth = case
    scores = scored(*case)
    rmse, seen, unseen, spread, innovation, chi_square = [], [], [], [], [], []
    for k in np.flatnonzero(analysis["period"].values == TEST):
        error = analysis["mean"].values[k].astype(float) - truth["state"].values[k]
        sites = observations["site_index"].values[k, :6]
        others = [i for i in range(study.MODEL.size) if i not in sites]
        rmse.append(np.sqrt(np.mean(error**2)))
        seen.append(np.sqrt(np.mean(error[sites] ** 2)))
        unseen.append(np.sqrt(np.mean(error[others] ** 2)))
        spread.append(study.ANALYSIS_STD)
        departure = observations["value"].values[k, :6] - analysis["forecast_mean"].values[k, sites]
        innovation.append(np.sqrt(np.mean(departure**2)))
        chi_square.append(np.mean(departure**2) / (study.ERROR_STD**2 + study.FORECAST_STD**2))
    expected = {
        "rmse": np.mean(rmse),
        "rmse_observed": np.mean(seen),
        "rmse_unobserved": np.mean(unseen),
        "spread": np.mean(spread),
        "innovation_rmse": np.mean(innovation),
        "innovation_chi_square": np.mean(chi_square),
        "rmse_pooled": np.sqrt(np.mean(np.square(rmse))),
    }
    for name, value in expected.items():
        assert score(scores, name) == pytest.approx(value, rel=1e-5), name
    assert float(scores["median"].sel(score="rmse")) == pytest.approx(np.median(rmse), rel=1e-5)


def test_scores_of_a_calibrated_analysis_are_their_expectations(case):
    scores = scored(*case)
    n = study.MODEL.size
    assert score(scores, "rmse_pooled") == pytest.approx(study.ANALYSIS_STD, rel=0.03)
    assert score(scores, "rmse") < score(scores, "rmse_pooled")
    assert score(scores, "rmse") == pytest.approx(study.ANALYSIS_STD * (1 - 1 / (4 * n)), rel=0.03)
    assert score(scores, "bias") == pytest.approx(0, abs=4 * study.ANALYSIS_STD / np.sqrt(400 * n))
    assert score(scores, "crps_gaussian") == pytest.approx(study.ANALYSIS_STD / np.sqrt(np.pi), rel=0.04)
    assert score(scores, "innovation_chi_square") == pytest.approx(1, abs=0.08)
    innovation_std = np.hypot(study.ERROR_STD, study.FORECAST_STD)
    assert score(scores, "innovation_spread") == pytest.approx(innovation_std)
    assert score(scores, "innovation_crps") == pytest.approx(innovation_std / np.sqrt(np.pi), rel=0.05)
    for name, std in (("log_score", study.ANALYSIS_STD), ("innovation_log_score", innovation_std)):
        assert score(scores, name) == pytest.approx(np.log(2 * np.pi * std**2) / 2 + 0.5, abs=0.05)


def test_uncertainty_of_independent_errors_is_the_classical_one(case):
    scores = scored(*case)
    test = scores["rmse"].values[scores["period"].values == TEST]
    assert float(scores["uncertainty"].sel(score="rmse")) == pytest.approx(test.std() / np.sqrt(test.size), rel=0.3)


def test_crps_stands_where_members_are_kept_and_nowhere_else(case):
    kept = ~np.isnan(scored(*case)["crps"].values)
    assert not kept[::2].any() and kept[1::2].all()


def test_rank_histogram_of_a_truth_drawn_like_the_members_is_flat(case):
    analysis, observations, truth = case
    rng = np.random.default_rng(8)
    centre = truth["state"].values[: study.PERIODS.total] + 0.4 * rng.standard_normal(analysis["mean"].shape)
    draws = centre[1::2, None] + 0.4 * rng.standard_normal(analysis["members"].shape)
    scores = scored(analysis.assign(members=(analysis["members"].dims, draws)), observations, truth)
    assert scores.sizes["rank"] == 10
    assert scores.attrs["rank_p_value"] > 0.02
    assert "truth among the analysis members" in scores["rank_histogram"].attrs["long_name"]


def test_rank_histogram_of_members_without_spread_is_not_flat(case):
    analysis, observations, truth = case
    narrow = analysis["members"] * 0.1 + 0.9 * analysis["members"].mean("member")
    scores = scored(analysis.assign(members=narrow.transpose(*analysis["members"].dims)), observations, truth)
    assert scores.attrs["rank_p_value"] < 1e-10


def test_without_truth_everything_is_measured_against_the_observations(case):
    analysis, observations, _truth = case
    with_truth, without = scored(*case), scored(analysis, observations, None)
    assert not WITH_TRUTH & set(without["score"].values)
    for name in ("spread", "forecast_spread", "innovation_rmse", "innovation_chi_square", "residual_rmse"):
        assert score(without, name) == score(with_truth, name)
    cases = (analysis["period"].values[1::2] == TEST).sum() * 6
    assert int(without["rank_histogram"].sum()) == cases
    assert "observations among the perturbed forecast members" in without["rank_histogram"].attrs["long_name"]


def test_observations_that_share_the_law_of_the_forecast_have_flat_ranks(case):
    analysis, observations, _truth = case
    rng = np.random.default_rng(2)
    centre = analysis["forecast_mean"].values[1::2]
    shifted = centre[:, None] + study.FORECAST_STD * rng.standard_normal(analysis["forecast_members"].shape)
    truths = analysis["forecast_mean"].values + study.FORECAST_STD * rng.standard_normal(analysis["mean"].shape)
    value = np.take_along_axis(truths, observations["site_index"].values, axis=1)
    value = value + study.ERROR_STD * rng.standard_normal(value.shape)
    scores = scored(
        analysis.assign(forecast_members=(analysis["forecast_members"].dims, shifted)),
        observations.assign(value=(observations["value"].dims, value)),
        None,
    )
    assert scores.attrs["rank_p_value"] > 0.02


def test_a_diverged_analysis_keeps_its_status_and_has_no_means(case):
    analysis, observations, truth = case
    broken = analysis.copy(deep=True)
    broken["mean"].values[300:] = np.nan
    broken.attrs |= {"status": "diverged", "diverged_at": 15.0, "reason": "the ensemble collapsed"}
    scores = scored(broken, observations, truth)
    assert scores.attrs["status"] == "diverged" and scores.attrs["diverged_at"] == 15.0
    assert np.isnan(scores["mean"]).all() and np.isnan(scores["uncertainty"]).all()
    assert np.isfinite(scores["rmse"].values[:300]).all() and np.isnan(scores["rmse"].values[300:]).all()
    assert "rank_histogram" not in scores


def test_a_lost_analysis_keeps_its_status_and_its_scores(case):
    analysis, observations, truth = case
    lost = analysis.assign_attrs(status="lost", reason="far surer than right", lost_fraction=0.8)
    scores, sound = scored(lost, observations, truth), scored(analysis, observations, truth)
    assert scores.attrs["status"] == "lost" and scores.attrs["reason"] == "far surer than right"
    np.testing.assert_array_equal(scores["mean"], sound["mean"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_a_mean_that_is_not_finite_is_never_averaged_silently(case, value):
    analysis, observations, truth = case
    broken = analysis.copy(deep=True)
    broken["mean"].values[500, 3] = value
    scores = scored(broken, observations, truth)
    if np.isfinite(value):
        assert score(scores, "rmse") > 1e30
    else:
        assert scores.attrs["status"] == "diverged" and np.isnan(score(scores, "rmse"))


def test_a_baseline_without_forecasts_has_no_forecast_scores(case):
    analysis, observations, truth = case
    baseline = analysis.drop_vars(["members", "forecast_members", "ensemble_time"])
    for name in ("forecast_mean", "forecast_spread", "innovation", "innovation_std"):
        baseline[name] = baseline[name] * np.nan
    names = set(scored(baseline, observations, truth)["score"].values)
    assert {"rmse", "spread", "residual_rmse", "crps_gaussian"} <= names
    assert not {"forecast_rmse", "forecast_spread", "innovation_rmse", "crps", "desroziers_forecast"} & names


@pytest.mark.parametrize("with_truth", [True, False])
def test_errors_that_follow_the_spread_lie_on_the_diagonal_and_a_spread_that_says_nothing_is_flat(case, with_truth):
    analysis, observations, truth = case
    rng, name = np.random.default_rng(4), ("mean", "spread") if with_truth else ("innovation", "innovation_std")
    told = rng.uniform(0.2, 1.0, analysis[name[1]].shape)
    error = told * rng.standard_normal(told.shape)
    error = error + truth["state"].values[: len(told)] if with_truth else error
    dims, truth = analysis[name[1]].dims, truth if with_truth else None
    scores = scored(analysis.assign({name[0]: (dims, error), name[1]: (dims, told)}), observations, truth)
    np.testing.assert_allclose(scores["binned_error"], scores["binned_spread"], rtol=0.15)
    assert scores["binned_spread"][-1] > 3 * scores["binned_spread"][0]
    assert int(scores["binned_cases"].sum()) == (analysis["period"].values == TEST).sum() * told.shape[1]
    ignorant = scored(analysis.assign({name[1]: (dims, rng.permuted(told, axis=0))}), observations, truth)
    np.testing.assert_allclose(ignorant["binned_error"], ignorant["binned_error"].mean(), rtol=0.15)


@pytest.mark.filterwarnings("error")
def test_a_spread_of_zero_has_no_log_score_and_spoils_no_other(case):
    analysis, observations, truth = case
    certain = analysis.copy(deep=True)
    certain["spread"].values[300, 2] = 0
    scores, others = scored(certain, observations, truth), scored(*case)
    assert score(scores, "log_score") == pytest.approx(score(others, "log_score"), abs=1e-2)
    certain["spread"].values[:] = 0
    assert np.isnan(score(scored(certain, observations, truth), "log_score"))


def test_desroziers_diagnostics_recover_the_variances_of_an_optimal_scalar_analysis():
    rng = np.random.default_rng(5)
    count, forecast_std, error_std = 4000, 0.6, 1.0
    truth = rng.standard_normal((count, 1))
    forecast = truth + forecast_std * rng.standard_normal((count, 1))
    value = truth + error_std * rng.standard_normal((count, 1))
    gain = forecast_std**2 / (forecast_std**2 + error_std**2)
    dims = ("time", "observation")
    coords = {"time": np.arange(count, dtype=float), "period": ("time", np.full(count, TEST, np.int8))}
    observations = xr.Dataset(
        {
            "value": (dims, value),
            "error_std": (dims, np.ones_like(value)),
            "site_index": (dims, np.zeros(value.shape, int)),
            "valid": (dims, np.ones(value.shape, np.int8)),
        },
        coords=coords,
    )
    fields = {"mean": forecast + gain * (value - forecast), "forecast_mean": forecast}
    analysis = xr.Dataset({name: (("time", "site"), field) for name, field in fields.items()}, coords=coords)
    analysis["innovation"] = (dims, value - forecast)
    scores = scored(analysis, observations, None)
    assert score(scores, "desroziers_observation") == pytest.approx(error_std**2, rel=0.06)
    assert score(scores, "desroziers_forecast") == pytest.approx(forecast_std**2, rel=0.1)
    assert score(scores, "desroziers_analysis") == pytest.approx(gain * error_std**2, rel=0.1)


def test_scores_survive_a_file_and_describe_themselves(case, tmp_path):
    scores = scored(*case)
    store.write(scores, tmp_path / "scores.nc")
    back = store.read(tmp_path / "scores.nc")
    assert back.attrs["status"] == "ok" and "rmse_pooled" in back.attrs["convention"]
    assert score(back, "rmse") == score(scores, "rmse")
    assert all({"units", "long_name"} <= set(variable.attrs) for variable in scores.data_vars.values())


def test_files_that_do_not_belong_together_are_one_clear_error(case):
    analysis, observations, truth = case
    with pytest.raises(FileError, match="the truth has no entry at time"):
        scored(analysis, observations, truth.isel(time=slice(0, 100)))
    with pytest.raises(FileError, match="the observations file has no entry"):
        scored(analysis, observations.isel(time=slice(0, 100)), truth)
    with pytest.raises(FileError, match="12"):
        scored(analysis, observations, truth.isel(site=slice(0, 8)))
    with pytest.raises(FileError, match="lacks the coordinate period"):
        scored(analysis.drop_vars("period"), observations, truth)
    with pytest.raises(FileError, match="test period is empty"):
        scored(analysis.isel(time=slice(0, 100)).drop_vars(["members", "forecast_members"]), observations, truth)
    with pytest.raises(FileError, match="reach site 11"):
        scored(analysis.isel(site=slice(0, 8)), observations, truth.isel(site=slice(0, 8)))
