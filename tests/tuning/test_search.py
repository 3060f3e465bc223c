"""Searches: scores as defined, no leakage, the same result on any number of workers, clear errors."""

import json
import logging

import numpy as np
import pytest
from pydantic import ValidationError
from tuning_sets import PERIODS, noisy_analysis

from assimilearn import store
from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.random_features import RandomFeatureSettings
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.emulators.classical.trees import ForestSettings
from assimilearn.emulators.networks.cnn import CnnSettings
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.pairs import windows
from assimilearn.errors import FileError, SettingsError
from assimilearn.periods import GAP, TEST, with_periods
from assimilearn.tuning.emulators import TuneSettings, step_errors, tune
from assimilearn.tuning.objective import FAILED, OK
from assimilearn.tuning.space import Distribution

RIDGE = RidgeSettings(radius=2, degree=2)
ALPHAS = TuneSettings(folds=3, gap=5, lead=3, grid={"alpha": [0.1, 1e9], "radius": [1, 2]})


def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def analysis():
    return noisy_analysis()


@pytest.fixture(scope="module")
def tuning(analysis):
    return tune(analysis, RIDGE, ALPHAS, rng())


def test_all_combinations_are_scored_and_the_smallest_mean_wins(tuning):
    assert tuning["rollout"].shape == (4, 3, 1)
    assert tuning["setting_alpha"].values.tolist() == [0.1, 0.1, 1e9, 1e9]
    assert tuning["setting_radius"].values.tolist() == [1, 2, 1, 2]
    assert tuning["mean_score"].values == pytest.approx(tuning["rollout"].values.mean(axis=1))
    assert tuning["best"] == np.argmin(tuning["mean_score"].values) == 1
    assert json.loads(tuning.attrs["chosen"]) == {"alpha": 0.1, "radius": 2}
    assert tuning["standard_error"].values == pytest.approx(tuning["rollout"].values.std(axis=1, ddof=1) / np.sqrt(3))
    assert tuning["train_size"].values.tolist() == [155, 150, 155]


def test_a_score_is_the_error_of_forecasts_from_the_held_out_block(analysis, tuning):
    flags = analysis["period"].values.copy()
    flags[flags == TEST] = GAP
    flags[90 - 5 : 170 + 5] = GAP
    flags[90:170] = TEST
    fold = with_periods(analysis, flags)
    emulator = open_emulator(train(fold, RIDGE.model_copy(update={"alpha": 0.1, "radius": 2}), rng()))
    x, errors = analysis["mean"].values[90:167], []
    for k in range(3):
        x = emulator.step(x)
        errors.append(np.mean((x - analysis["mean"].values[91 + k : 168 + k]) ** 2))
    assert tuning["rollout"].values[1, 1, 0] == pytest.approx(np.mean(errors), rel=1e-12)


def test_the_test_period_cannot_be_read(analysis, tuning):
    spoilt = analysis.copy(deep=True)
    spoilt["mean"][-PERIODS.test :] = np.nan
    spoilt["spread"][-PERIODS.test :] = np.nan
    assert np.array_equal(tune(spoilt, RIDGE, ALPHAS, rng())["rollout"], tuning["rollout"])


def test_what_is_held_out_does_not_reach_the_fit(analysis):
    """The scaling and the weights of a fold come from its training part: other held-out values, same emulator."""
    flags = analysis["period"].values.copy()
    flags[flags == TEST] = GAP
    flags[85:175] = GAP
    changed = analysis.copy(deep=True)
    changed["mean"][85:175] += 50.0
    files = [train(with_periods(a, flags), RIDGE, rng()) for a in (analysis, changed)]
    for name in files[0].data_vars:
        assert np.array_equal(files[0][name], files[1][name])


def test_the_number_of_fits_is_told_before_the_run(analysis, caplog):
    with caplog.at_level(logging.INFO, logger="assimilearn"):
        tune(analysis, RIDGE, TuneSettings(folds=2, gap=0, grid={"alpha": [1.0]}), rng())
    assert "2 fits or runs: 1 trials x 2" in caplog.text


def files_of_one_and_two_workers(analysis, settings, grid, folder):
    for workers in (1, 2):
        search = TuneSettings(folds=2, gap=5, grid=grid)
        store.write(tune(analysis, settings, search, rng(), workers), folder / f"{workers}.nc")
    return [(folder / f"{workers}.nc").read_bytes() for workers in (1, 2)]


def test_two_workers_find_what_one_finds_bit_by_bit(analysis, tmp_path):
    settings = ForestSettings(n_estimators=3, max_samples=1.0)
    one, two = files_of_one_and_two_workers(analysis, settings, {"max_depth": [2, 5]}, tmp_path)
    assert one == two


@pytest.mark.slow
def test_networks_learn_the_same_in_every_process(analysis, tmp_path):
    settings = MlpSettings(hidden=(4,), epochs=2)
    one, two = files_of_one_and_two_workers(analysis, settings, {"learning_rate": [1e-3, 1e-2]}, tmp_path)
    assert one == two


def test_a_seed_of_its_own_for_every_fit(analysis):
    search = TuneSettings(folds=2, gap=5, grid={"n_estimators": [2, 2]})
    scores = tune(analysis, ForestSettings(), search, rng())["rollout"].values
    assert not np.array_equal(scores[0], scores[1])


def test_a_random_search_draws_from_laws_and_lists(analysis):
    distributions = {"alpha": Distribution(distribution="log_uniform", low=1e-3, high=1e3)}
    search = TuneSettings(
        folds=2, gap=0, method="random", trials=30, grid={"radius": [1, 2]}, distributions=distributions
    )
    found = tune(analysis, RidgeSettings(degree=1), search, rng())
    alpha = found["setting_alpha"]
    assert found.sizes["trial"] == 30
    assert set(found["setting_radius"].values) == {1, 2}
    assert alpha.min() >= 1e-3 and alpha.max() <= 1e3
    assert np.median(np.log10(alpha)) == pytest.approx(0, abs=1.2)
    again = tune(analysis, RidgeSettings(degree=1), search, rng())
    assert found.identical(again)


def test_settings_that_are_lists_are_recorded_as_json(analysis):
    search = TuneSettings(folds=2, gap=0, grid={"hidden": [[4], [3, 3]]})
    found = tune(analysis, MlpSettings(epochs=1, radius=1), search, rng())
    assert found["setting_hidden"].values.tolist() == ["[4]", "[3, 3]"]
    assert json.loads(found.attrs["chosen"])["hidden"] in ([4], [3, 3])


def test_an_unknown_setting_is_refused_with_the_nearest_name(analysis):
    with pytest.raises(SettingsError, match="learning_rat: cnn has no such setting; did you mean learning_rate"):
        tune(analysis, CnnSettings(), TuneSettings(grid={"learning_rat": [1e-3]}), rng())


def test_every_bad_value_of_the_grid_is_named_once(analysis):
    search = TuneSettings(grid={"alpha": [-1, 1], "radius": [-2, 1]})
    with pytest.raises(SettingsError) as caught:
        tune(analysis, RIDGE, search, rng())
    problems = str(caught.value).splitlines()
    assert len(problems) == 2
    assert any("-1" in p and "alpha" in p for p in problems) and any("-2" in p and "radius" in p for p in problems)


def test_a_trial_that_fails_is_recorded_with_its_reason_and_the_search_goes_on(analysis):
    search = TuneSettings(folds=2, gap=0, grid={"learning_rate": [1e30, 1e-3]})
    found = tune(analysis, MlpSettings(hidden=(4,), epochs=2, activation="relu"), search, rng())
    assert np.isnan(found["mean_score"][0, 0]) and found["best"] == 1
    assert found["status"].values.tolist() == [FAILED, OK] and "finite" in str(found["reason"].values[0])


def test_a_search_in_which_nothing_works_says_so(analysis):
    search = TuneSettings(folds=2, gap=0, grid={"learning_rate": [1e30]})
    with pytest.raises(SettingsError, match="no candidate can be used"):
        tune(analysis, MlpSettings(hidden=(4,), epochs=2, activation="relu"), search, rng())


def test_a_forecast_that_overflows_has_no_error(analysis):
    class Explosive:
        size, compiled, time_step = 10, None, 0.05

        def step(self, states):
            return states * 1e200

    assert not np.isfinite(step_errors(Explosive(), windows(analysis, "train", 3))[-1])


def test_a_diverged_analysis_is_refused(analysis):
    with pytest.raises(FileError, match="diverged"):
        tune(analysis.assign_attrs(status="diverged"), RIDGE, ALPHAS, rng())


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({}, "name at least one setting"),
        ({"grid": {"alpha": []}}, "no values for alpha"),
        ({"grid": {"alpha": [1]}, "folds": 1}, "folds"),
        ({"grid": {"alpha": [1]}, "gap": -1}, "gap"),
        ({"distributions": {"alpha": {"distribution": "uniform", "low": 0, "high": 1}}}, "say how many"),
        (
            {"distributions": {"alpha": {"distribution": "uniform", "low": 1, "high": 0}}, "trials": 2},
            "low must be below high",
        ),
        ({"distributions": {"alpha": {"distribution": "log_uniform", "low": 0, "high": 1}}, "trials": 2}, "low > 0"),
        ({"distributions": {"alpha": {"distribution": "choice"}}, "trials": 2}, "a choice needs values"),
        (
            {"grid": {"alpha": [1]}, "distributions": {"alpha": {"distribution": "choice", "values": [1]}}},
            "alpha is in the grid as well",
        ),
        ({"grid": {"alpha": [1]}, "method": "hyperband"}, "hyperband needs one"),
        ({"grid": {"alpha": [1]}, "method": "tpe"}, "how many settings tpe"),
        ({"grid": {"alpha": [1]}, "trials": 3}, "a grid tries all combinations"),
        ({"grid": {"alpha": [1]}, "splits": "shuffled"}, "must not be split at random"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search, message):
    with pytest.raises(ValidationError, match=message):
        TuneSettings(**search)


def test_held_out_errors_rise_up_to_interpolation_and_fall_again_beyond_it():
    """Double descent: 7 analyses of 10 sites are 60 samples, of 9 inputs each."""
    settings = RandomFeatureSettings(block=1, lowest=0, highest=20, features=1, alpha=1e-10, training_times=7)
    search = TuneSettings(folds=2, gap=5, lead=1, grid={"features": [5, 120, 1000]})
    found = tune(noisy_analysis(), settings, search, rng())
    few, _, many = found["training"].values[:, :, 0].mean(axis=1)
    held_out = found["rollout"].values[:, :, 0].mean(axis=1)
    assert many < 1e-5 < 0.1 < few
    assert held_out[1] > 2 * held_out[2] > 4 * held_out[0]
