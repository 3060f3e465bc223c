"""Ridge and forest against closed forms and scikit-learn; baselines against their definition."""

import itertools

import numpy as np
import pytest
from training_sets import PERIODS, analysis_of, lorenz96_analysis

from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.climatology import ClimatologySettings
from assimilearn.emulators.classical.persistence import PersistenceSettings
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.emulators.classical.stencil import stencil
from assimilearn.emulators.classical.trees import BoostingSettings, ForestSettings, TreeSettings
from assimilearn.emulators.fields import field_scaling
from assimilearn.emulators.pairs import windows
from assimilearn.periods import Periods

RNG = np.random.default_rng


def uneven_analysis():
    """Lorenz-96 with noise whose spread differs from site to site and time to time: unequal weights."""
    analysis = lorenz96_analysis()
    analysis["spread"].values[:] = RNG(3).uniform(0.05, 0.5, analysis["spread"].shape)
    return analysis


def regression(analysis, radius):
    """Standardised stencils (row, place), increments (row,), weights (row,) and the scaling of the training period."""
    training = windows(analysis, "train")
    scaling = field_scaling(training)
    rows = stencil(scaling.standardised(training.inputs), radius).reshape(-1, 2 * radius + 1)
    increments = (training.targets - training.inputs).ravel() / scaling.increment_std
    return rows, increments, training.weights.ravel(), scaling


def products(rows, degree):
    """All monomials of degree 1 to `degree`, by brute force."""
    places = range(rows.shape[1])
    chosen = [c for d in range(1, degree + 1) for c in itertools.combinations_with_replacement(places, d)]
    return np.column_stack([np.prod(rows[:, c], axis=1) for c in chosen])


@pytest.mark.parametrize(("radius", "degree"), [(0, 3), (1, 2), (2, 1), (2, 3)])
def test_ridge_is_the_closed_form_of_weighted_ridge_regression(radius, degree):
    analysis = uneven_analysis()
    emulator = open_emulator(train(analysis, RidgeSettings(radius=radius, degree=degree, alpha=7.0), RNG(0)))
    rows, increments, weights, scaling = regression(analysis, radius)
    features = products(rows, degree)
    centred = features - np.average(features, axis=0, weights=weights)
    matrix = (centred.T * weights) @ centred + 7.0 * np.eye(features.shape[1])
    coefficients = np.linalg.solve(matrix, (centred.T * weights) @ increments)
    intercept = np.average(increments - features @ coefficients, weights=weights)
    inputs = windows(analysis, "train").inputs
    expected = inputs + scaling.increment_std * (features @ coefficients + intercept).reshape(inputs.shape)
    assert emulator.step(inputs) == pytest.approx(expected, abs=1e-9)


def test_ridge_is_that_of_scikit_learn():
    from sklearn.linear_model import Ridge

    analysis = uneven_analysis()
    rows, increments, weights, scaling = regression(analysis, 2)
    reference = Ridge(alpha=3.0).fit(products(rows, 2), increments, sample_weight=weights)
    emulator = open_emulator(train(analysis, RidgeSettings(radius=2, degree=2, alpha=3.0), RNG(0)))
    inputs = windows(analysis, "train").inputs
    expected = inputs + scaling.increment_std * reference.predict(products(rows, 2)).reshape(inputs.shape)
    assert emulator.step(inputs) == pytest.approx(expected, abs=1e-9)


def quadratic_map(x):
    return 0.5 * x + 0.2 * (np.roll(x, -1, axis=-1) - np.roll(x, 2, axis=-1)) * np.roll(x, 1, axis=-1) + 0.1


def test_ridge_recovers_a_quadratic_map_exactly_from_noise_free_data():
    periods = Periods(spinup=0, train=400, gap=0, validation=50, test=1)
    rng = RNG(0)
    states = [rng.uniform(-1, 1, 8)]
    for k in range(periods.total - 1):  # restarted at every other time, so that the data fill the space
        states.append(quadratic_map(states[-1]) if k % 2 == 0 else rng.uniform(-1, 1, 8))
    analysis = analysis_of(np.array(states), periods)
    time = analysis["time"].values + np.repeat(np.arange(periods.total), 2)[: periods.total]  # no pair over a restart
    analysis = analysis.assign_coords(time=("time", time))
    emulator = open_emulator(train(analysis, RidgeSettings(radius=2, degree=2, alpha=0.0), RNG(0)))
    fresh = rng.uniform(-1, 1, (20, 8))
    assert emulator.step(fresh) == pytest.approx(quadratic_map(fresh), abs=1e-10)
    assert emulator.residual_std < 1e-10


def test_ridge_of_a_constant_state_forecasts_that_state():
    emulator = open_emulator(train(analysis_of(np.full((PERIODS.total, 6), 3.0)), RidgeSettings(radius=1), RNG(0)))
    assert emulator.step(np.full(6, 3.0)) == pytest.approx(3.0)


def test_trees_predict_what_scikit_learn_predicts():
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.tree import DecisionTreeRegressor

    analysis = uneven_analysis()
    rows, increments, weights, scaling = regression(analysis, 2)
    common = {"max_depth": 9, "min_samples_leaf": 2}
    split = {"min_samples_split": 30}
    forest = {"n_estimators": 7, "max_features": 0.6, "max_samples": 0.5, **common, **split}
    boosted = {"learning_rate": 0.2, "max_leaf_nodes": 20, **common}
    seed = int(RNG(0).integers(2**31))
    fresh = 2 + 4 * RNG(9).standard_normal((50, 12))
    seen = stencil(scaling.standardised(fresh), 2).reshape(-1, 5).astype(np.float32)
    for settings, reference in (
        (TreeSettings(**common, **split), DecisionTreeRegressor(**common, **split, random_state=seed)),
        (ForestSettings(**forest), RandomForestRegressor(**forest, random_state=seed)),
        (
            BoostingSettings(n_estimators=15, **boosted),
            HistGradientBoostingRegressor(max_iter=15, early_stopping=False, random_state=seed, **boosted),
        ),
    ):
        reference.fit(rows.astype(np.float32), increments, sample_weight=weights)
        expected = fresh + scaling.increment_std * reference.predict(seen).reshape(fresh.shape)
        emulator = open_emulator(train(analysis, settings, RNG(0)))
        assert emulator.step(fresh) == pytest.approx(expected, rel=1e-12), settings.method


@pytest.mark.parametrize("settings", [TreeSettings(min_samples_leaf=20), ForestSettings(), BoostingSettings()])
def test_trees_find_which_sites_act_on_a_site_of_lorenz96(settings):
    analysis = lorenz96_analysis(size=24)
    share = train(analysis, settings.model_copy(update={"radius": 5}), RNG(0))["weight_importance"].values[0]
    acting = [3, 4, 6]  # i - 2, i - 1, i + 1
    assert sorted(np.argsort(share)[-3:]) == acting and share[acting].sum() > 0.7


def test_a_forest_is_better_than_its_trees_and_a_deep_tree_fits_noise():
    analysis = lorenz96_analysis(noise=0.5)
    training = windows(analysis, "train")
    errors = {}
    for name, settings in {
        "shallow": TreeSettings(max_depth=4),
        "deep": TreeSettings(max_depth=20),
        "forest": ForestSettings(max_depth=20, min_samples_leaf=1, max_samples=1.0),
    }.items():
        emulator = open_emulator(train(analysis, settings, RNG(0)))
        within = np.sqrt(np.mean((emulator.step(training.inputs) - training.targets) ** 2))
        errors[name] = (within, emulator.residual_std)
    assert errors["deep"][0] < 0.2 * errors["shallow"][0]
    assert errors["forest"][1] < min(errors["deep"][1], errors["shallow"][1])


def test_forest_settings_reach_the_forest():
    small = train(lorenz96_analysis(), ForestSettings(n_estimators=3, max_depth=2, min_samples_leaf=20), RNG(0))
    assert small.sizes["tree"] == 3 and small["weight_depth"] == 2
    assert small.sizes["node"] <= 3 * 7


def test_persistence_and_climatology_are_what_they_say():
    analysis = lorenz96_analysis()
    state = RNG(1).standard_normal(12)
    assert np.array_equal(open_emulator(train(analysis, PersistenceSettings(), RNG(0))).step(state), state)
    mean = analysis["mean"].values[1:300].mean(axis=0)
    assert open_emulator(train(analysis, ClimatologySettings(), RNG(0))).step(state) == pytest.approx(mean, rel=1e-12)


def test_a_learned_model_beats_both_baselines():
    analysis = lorenz96_analysis()
    baselines = [
        train(analysis, s, RNG(0)).attrs["residual_std"] for s in (PersistenceSettings(), ClimatologySettings())
    ]
    for settings in (RidgeSettings(radius=2), ForestSettings(max_samples=1.0)):
        assert train(analysis, settings, RNG(0)).attrs["residual_std"] < 0.7 * min(baselines)
