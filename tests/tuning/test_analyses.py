"""Settings of analyses chosen on the validation period by the innovations, alone or with those of their model."""

import json
from dataclasses import replace

import numpy as np
import pytest

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.selection import candidate, innovation_scores
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.errors import SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import TEST, Periods, period_flags
from assimilearn.tuning.analyses import Learning, TuneAnalysisSettings, tune_analysis
from assimilearn.tuning.chosen import chosen_for_analysis, chosen_for_emulator
from assimilearn.tuning.objective import DIVERGED, OK

PERIODS = Periods(spinup=50, train=300, gap=20, validation=200, test=60)
MODEL = Lorenz96(Lorenz96Settings(size=20))


@pytest.fixture(scope="module")
def twin():
    rng = np.random.default_rng(3)
    reference = climate(MODEL, ClimateSettings(duration=100, lyapunov_duration=1), rng)
    flags = period_flags(PERIODS)
    truth = simulate(MODEL, TruthSettings(), np.arange(flags.size) * MODEL.time_step, flags, rng)
    return observe(truth, ObservationSettings(), rng), truth, reference


def tuned(twin, settings, search, model=MODEL, **options):
    observations, _, reference = twin
    search = TuneAnalysisSettings.model_validate(search)
    return tune_analysis(observations, model, settings, search, reference, np.random.default_rng(0), **options)


@pytest.fixture(scope="module")
def scales(twin):
    return tuned(twin, METHODS["3dvar"](), {"background_scale": [0.001, 0.02, 0.5]})


def test_lists_alone_are_a_grid_and_the_best_scale_is_found_without_the_truth(scales):
    assert scales["setting_background_scale"].values.tolist() == [0.001, 0.02, 0.5]
    assert json.loads(scales.attrs["chosen"]) == {"background_scale": 0.02}
    assert int(scales["best"]) == int(scales["mean_score"].values[:, 0].argmin()) == 1


def test_the_score_is_the_rmse_of_all_innovations_of_a_run_that_starts_before_the_period(twin, scales):
    observations, _, reference = twin
    first = PERIODS.spinup + PERIODS.train + PERIODS.gap
    part = observations.isel(time=slice(first - 100, first + PERIODS.validation))
    alone = assimilate(part, MODEL, METHODS["3dvar"](background_scale=0.02), reference, np.random.default_rng(0))
    innovations = alone["innovation"].values[100:].astype(float)
    assert float(scales["mean_score"][1, 0]) == pytest.approx(np.sqrt(np.mean(innovations**2)), rel=1e-5)
    assert scales["innovation_crps"].shape == scales["innovation_chi_square"].shape == (3, 4, 1)


def test_the_test_period_and_the_truth_have_no_say(twin, scales):
    observations, truth, reference = twin
    spoilt = observations.copy(deep=True)
    spoilt["value"][observations["period"].values == TEST] = np.nan
    again = tuned((spoilt, truth, reference), METHODS["3dvar"](), {"background_scale": [0.001, 0.02, 0.5]})
    assert again.identical(scales)


def test_a_search_for_the_smallest_error_asks_for_the_truth_by_name(twin):
    search = {"grid": {"inflation": [1.0, 1.05]}, "objective": "rmse"}
    with pytest.raises(SettingsError, match="against the truth, and there is none"):
        tuned(twin, METHODS["etkf"](members=12), search)
    found = tuned(twin, METHODS["etkf"](members=12), search, truth=twin[1])
    assert found.attrs["objective"] == "rmse" and (found["mean_score"] < 1).all()
    assert "rmse" not in tuned(twin, METHODS["etkf"](members=12), search | {"objective": "innovation_crps"})


def test_emulator_and_filter_are_tuned_together_by_the_analysis_that_they_make(twin):
    observations, _, reference = twin
    learned_from = assimilate(observations, MODEL, METHODS["etkf"](members=20), reference, np.random.default_rng(0))
    search = {"grid": {"inflation": [1.05, 3.0], "model.alpha": [1.0, 1e9]}}
    ridge = Learning(learned_from, RidgeSettings(radius=2, degree=2))
    settings = METHODS["etkf"](members=20, model_error="residual")
    found = tuned(twin, settings, search, ridge)
    assert chosen_for_analysis(found) == {"inflation": 1.05}
    assert chosen_for_emulator(found) == {"alpha": 1.0}
    spoilt = learned_from.copy(deep=True)
    spoilt["mean"][learned_from["period"].values == TEST] = np.nan
    assert tuned(twin, settings, search, replace(ridge, analysis=spoilt)).identical(found)


def test_a_run_that_diverges_is_recorded_with_its_reason_and_the_search_goes_on(twin):
    found = tuned(twin, METHODS["etkf"](members=12), {"model_error": [0.05, 1e6]})
    assert found["status"].values.tolist() == [OK, DIVERGED]
    assert "MTU" in str(found["reason"].values[1]) and np.isnan(found["mean_score"][1, 0])
    with pytest.raises(SettingsError, match="no candidate can be used"):
        tuned(twin, METHODS["etkf"](members=12), {"model_error": [1e6]})


def test_fewer_cycles_are_a_smaller_budget(twin):
    budget = {"of": "cycles", "smallest": 50, "factor": 2}
    search = {"method": "hyperband", "grid": {"inflation": [1.0, 1.02, 1.05, 3.0]}, "budget": budget}
    found = tuned(twin, METHODS["etkf"](members=12), search)
    assert found["budget"].values.tolist() == [50, 100, 200]
    assert np.isfinite(found["mean_score"]).sum(axis=0).values.tolist() == [4, 2, 1]
    assert np.isfinite(found["mean_score"][int(found["best"]), -1])
    assert float(found["setting_inflation"][int(found["best"])]) < 3.0


def test_scores_of_innovations_are_those_of_their_normal_distribution():
    class Run:
        innovation = np.random.default_rng(0).standard_normal((5000, 4)) * 2
        innovation_std = np.full((5000, 4), 2.0)

    scores = innovation_scores(Run, np.arange(5000))
    assert scores["innovation_rmse"] == pytest.approx(2, rel=0.02)
    assert scores["innovation_crps"] == pytest.approx(2 / np.sqrt(np.pi), rel=0.02)
    assert scores["innovation_chi_square"] == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"inflaton": [1.1]}, "no setting 'inflaton' to tune; it has background_check, members, inflation"),
        ({"inflation": [1.1, 0.5]}, "inflation = 0.5"),
        ({"members": [1]}, "members = 1"),
        ({"model.alpha": [1.0]}, "model.alpha: the forecast model is not one that is learned"),
    ],
)
def test_a_wrong_grid_is_one_clear_error(twin, grid, message):
    with pytest.raises(SettingsError, match=message):
        tuned(twin, METHODS["etkf"](), grid)


def test_tuning_without_a_validation_period_is_one_clear_error(twin):
    observations, truth, reference = twin
    early = observations.isel(time=slice(0, 200))
    with pytest.raises(SettingsError, match="validation period"):
        tuned((early, truth, reference), METHODS["etkf"](), {"inflation": [1.0]})


def test_a_value_that_does_not_fit_the_others_names_the_place():
    with pytest.raises(SettingsError, match=r"over: inflation = 0\.5"):
        candidate(METHODS["etkf"](), {"inflation": 0.5}, "over")
