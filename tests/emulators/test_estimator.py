"""Every emulator as a scikit-learn estimator."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.utils.estimator_checks import check_estimator
from training_sets import lorenz96_analysis

from assimilearn.emulators.estimator import SHAPE, EmulatorRegressor
from assimilearn.errors import SettingsError

METHODS = {
    "ridge": {"radius": 2},
    "sklearn": {"estimator": "Ridge", "radius": 2},
    "mlp": {"hidden": [8], "epochs": 3},
    "gru": {"epochs": 1, "width": 2},
}


@pytest.fixture(scope="module")
def states():
    return lorenz96_analysis()["mean"].values.astype(float)


@pytest.mark.parametrize("method", METHODS)
def test_an_emulator_is_fitted_cloned_and_forecasts(states, method):
    emulator = EmulatorRegressor(method, random_state=0, **METHODS[method])
    again = clone(emulator).fit(states[:400])
    forecast = emulator.fit(states[:400]).predict(states[400:410])
    np.testing.assert_array_equal(again.predict(states[400:410]), forecast)
    assert forecast.shape == (10, 12)
    assert emulator.get_params()["method"] == method and set(METHODS[method]) < set(emulator.get_params())


def test_pairs_are_learned_as_a_trajectory_is(states):
    ridge = EmulatorRegressor("ridge", radius=2)
    np.testing.assert_allclose(
        ridge.fit(states[:-1], states[1:]).predict(states[:3]), clone(ridge).fit(states).predict(states[:3])
    )
    assert ridge.score(states[:-1], states[1:]) > 0.95


def test_a_search_of_scikit_learn_finds_settings(states):
    search = GridSearchCV(EmulatorRegressor("ridge", radius=2), {"alpha": [1e-3, 1e6]}, cv=TimeSeriesSplit(2))
    assert search.fit(states[:-1], states[1:]).best_params_ == {"alpha": 1e-3}


def chain(error):
    """The messages of an error and of those that it came from."""
    return "" if error is None else f"{error} {chain(error.__cause__ or error.__context__)}"


def test_the_checks_of_scikit_learn_pass_or_ask_for_another_number_of_outputs():
    results = check_estimator(EmulatorRegressor("ridge", radius=0, degree=1), on_fail=None)
    failed = {result["check_name"]: chain(result["exception"]) for result in results if result["status"] == "failed"}
    others = {name for name, reason in failed.items() if SHAPE not in reason}
    assert others <= {"check_no_attributes_set_in_init"}  # which asks for parameters named in the signature
    assert sum(result["status"] == "passed" for result in results) > 20


def test_what_cannot_be_fitted_is_refused_in_one_sentence(states):
    with pytest.raises(SettingsError, match="not learned from states alone"):
        EmulatorRegressor("windows").fit(states)
    with pytest.raises(SettingsError, match="the settings of ridge cannot be used"):
        EmulatorRegressor("ridge", radius=-1).fit(states)
    with pytest.raises(ValueError, match="give a trajectory X alone"):
        EmulatorRegressor("mlp", lead=2).fit(states[:-1], states[1:])
