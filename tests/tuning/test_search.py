"""Searches: scores as defined, no leakage, the same result on any number of workers, clear errors."""

import json
import logging

import numpy as np
import pytest
from pydantic import ValidationError
from tuning_sets import PERIODS, noisy_analysis

from assimilearn import store
from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.emulators.classical.trees import ForestSettings
from assimilearn.emulators.networks.cnn import CnnSettings
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.pairs import windows
from assimilearn.errors import FileError, SettingsError
from assimilearn.periods import GAP, TEST, with_periods
from assimilearn.tuning import Law, TuneSettings, tune
from assimilearn.tuning.search import forecast_error

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
    assert tuning["score"].shape == (4, 3)
    assert tuning["alpha"].values.tolist() == [0.1, 0.1, 1e9, 1e9]
    assert tuning["radius"].values.tolist() == [1, 2, 1, 2]
    assert tuning["mean_score"].values == pytest.approx(tuning["score"].values.mean(axis=1))
    assert tuning["best"] == np.argmin(tuning["mean_score"].values) == 1
    assert json.loads(tuning.attrs["chosen"]) == {"alpha": 0.1, "radius": 2}
    assert tuning["standard_error"].values == pytest.approx(tuning["score"].values.std(axis=1, ddof=1) / np.sqrt(3))
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
    assert tuning["score"].values[1, 1] == pytest.approx(np.mean(errors), rel=1e-12)


def test_the_test_period_cannot_be_read(analysis, tuning):
    spoilt = analysis.copy(deep=True)
    spoilt["mean"][-PERIODS.test :] = np.nan
    spoilt["spread"][-PERIODS.test :] = np.nan
    assert np.array_equal(tune(spoilt, RIDGE, ALPHAS, rng())["score"], tuning["score"])


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
    assert "2 fits: 1 candidates x 2 folds" in caplog.text


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
    scores = tune(analysis, ForestSettings(), search, rng())["score"].values
    assert not np.array_equal(scores[0], scores[1])


def test_a_random_search_draws_from_laws_and_lists(analysis):
    laws = {"alpha": Law(law="log_uniform", low=1e-3, high=1e3)}
    search = TuneSettings(folds=2, gap=0, samples=30, grid={"radius": [1, 2]}, laws=laws)
    found = tune(analysis, RidgeSettings(degree=1), search, rng())
    assert found.sizes["candidate"] == 30
    assert set(found["radius"].values) == {1, 2}
    assert found["alpha"].min() >= 1e-3 and found["alpha"].max() <= 1e3
    assert np.median(np.log10(found["alpha"])) == pytest.approx(0, abs=1.2)
    again = tune(analysis, RidgeSettings(degree=1), search, rng())
    assert found.identical(again)


def test_laws_keep_to_their_bounds():
    draws = [Law(law="integer", low=2, high=4).draw(np.random.default_rng(k)) for k in range(50)]
    assert set(draws) == {2, 3, 4}
    uniform = [Law(law="uniform", low=-1, high=1).draw(np.random.default_rng(k)) for k in range(200)]
    assert np.mean(uniform) == pytest.approx(0, abs=0.15) and max(np.abs(uniform)) <= 1


def test_settings_that_are_lists_are_recorded_as_json(analysis):
    search = TuneSettings(folds=2, gap=0, grid={"hidden": [[4], [3, 3]]})
    found = tune(analysis, MlpSettings(epochs=1, radius=1), search, rng())
    assert found["hidden"].values.tolist() == ["[4]", "[3, 3]"]
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


def test_a_candidate_that_overflows_scores_infinity_and_loses(analysis):
    search = TuneSettings(folds=2, gap=0, grid={"learning_rate": [1e30, 1e-3]})
    found = tune(analysis, MlpSettings(hidden=(4,), epochs=2, activation="relu"), search, rng())
    assert np.isinf(found["mean_score"][0]) and found["best"] == 1


def test_a_search_in_which_nothing_works_says_so(analysis):
    search = TuneSettings(folds=2, gap=0, grid={"learning_rate": [1e30]})
    with pytest.raises(SettingsError, match="no candidate can be used"):
        tune(analysis, MlpSettings(hidden=(4,), epochs=2, activation="relu"), search, rng())


def test_a_forecast_that_overflows_has_an_infinite_error(analysis):
    class Explosive:
        def step(self, states):
            return states * 1e200

    assert forecast_error(Explosive(), windows(analysis, "train", 3)) == np.inf


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
        ({"laws": {"alpha": {"law": "uniform", "low": 0, "high": 1}}}, "how many candidates"),
        ({"laws": {"alpha": {"law": "uniform", "low": 1, "high": 0}}, "samples": 2}, "low must be below high"),
        ({"laws": {"alpha": {"law": "log_uniform", "low": 0, "high": 1}}, "samples": 2}, "low > 0"),
        (
            {"grid": {"alpha": [1]}, "laws": {"alpha": {"law": "uniform", "low": 0, "high": 1}}, "samples": 2},
            "alpha is in the grid as well",
        ),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search, message):
    with pytest.raises(ValidationError, match=message):
        TuneSettings(**search)
