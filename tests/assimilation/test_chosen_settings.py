"""Settings chosen on the validation period by the innovations."""

import json

import numpy as np
import pytest
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.errors import SettingsError


@pytest.fixture(scope="module")
def twin():
    model, truth = lorenz96_truth(900)
    return model, truth, observe_states(truth, 0.05, 1.0, np.random.default_rng(1)), lorenz96_climatology()


def run(twin, settings):
    model, _, observations, climate = twin
    return assimilate(observations, model, settings, climate, np.random.default_rng(0))


def test_the_background_scale_of_3dvar_is_found_without_the_truth(twin):
    scales = [0.001, 0.02, 0.5]
    analysis = run(twin, METHODS["3dvar"](tune={"background_scale": scales}))
    assert analysis["tuning_score"].dims == ("background_scale",)
    np.testing.assert_array_equal(analysis["background_scale"], scales)
    assert json.loads(analysis.attrs["tuned"]) == {"background_scale": 0.02}
    assert int(analysis["tuning_score"].values.argmin()) == 1


def test_tuned_settings_give_the_run_that_these_settings_give(twin):
    tuned = run(twin, METHODS["etkf"](members=16, tune={"inflation": [1.3, 1.06], "rotation": [False, True]}))
    chosen = json.loads(tuned.attrs["tuned"])
    assert tuned["tuning_score"].dims == ("inflation", "rotation")
    plain = run(twin, METHODS["etkf"](members=16, **chosen))
    np.testing.assert_array_equal(tuned["mean"], plain["mean"])


def test_the_test_period_and_the_truth_have_no_say(twin):
    model, _, observations, climate = twin
    spoilt = observations.copy(deep=True)
    spoilt["value"][600:] = 1000.0
    settings = METHODS["3dvar"](tune={"background_scale": [0.01, 0.05]})
    scores = [
        assimilate(o, model, settings, climate, np.random.default_rng(0))["tuning_score"]
        for o in (observations, spoilt)
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"inflaton": [1.1]}, "no setting 'inflaton' to tune; it has background_check, members, inflation"),
        ({"inflation": [1.1, 0.5]}, "inflation = 0.5"),
        ({"members": [1]}, "members = 1"),
    ],
)
def test_a_wrong_grid_is_one_clear_error(twin, grid, message):
    with pytest.raises(SettingsError, match=message):
        run(twin, METHODS["etkf"](tune=grid))


def test_tuning_without_a_validation_period_is_one_clear_error(twin):
    model, _, observations, climate = twin
    with pytest.raises(SettingsError, match="validation period"):
        assimilate(
            observations.where(observations["period"] != 2, drop=True),
            *(model, METHODS["etkf"](tune={"inflation": [1.0]}), climate, np.random.default_rng(0)),
        )
