"""Linear inverse models and sparse regression: what they are exactly, and the equations that they find."""

from itertools import pairwise

import numpy as np
import pytest
from training_sets import PERIODS, analysis_of, lorenz96_analysis

from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.lim import LimSettings
from assimilearn.emulators.classical.regressor import RegressorSettings
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.emulators.classical.sparse import SparseSettings
from assimilearn.emulators.pairs import windows
from assimilearn.errors import SettingsError
from assimilearn.models import build
from assimilearn.models.geometry import grid, without_space
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.lorenz63 import Lorenz63Settings
from assimilearn.models.lorenz96 import Lorenz96Settings
from assimilearn.periods import Periods

RNG = np.random.default_rng
G = np.array([[0.8, 0.3, 0.0], [-0.3, 0.8, 0.1], [0.0, 0.0, 0.6]])


def clean_analysis(settings, every=1, periods=PERIODS):
    """A free run of a model every so many steps, as an analysis without errors."""
    model = build(settings)
    states = trajectory(model, spun_up_state(model, 10, RNG(0)), every * periods.total - 1)[::every]
    analysis = analysis_of(states, periods, interval=every * model.time_step)
    return analysis.assign_attrs(model.geometry.attributes)


def linear_analysis(time=20_000):
    """A linear stochastic model without space, x(t+1) = m + G (x(t) - m) + e, e ~ N(0, 0.04 I)."""
    states, rng = np.zeros((time, 3)), RNG(1)
    for k in range(1, time):
        states[k] = G @ states[k - 1] + 0.2 * rng.standard_normal(3)
    analysis = analysis_of(states + 5, Periods(spinup=0, train=time - 40, gap=10, validation=10, test=10))
    return analysis.assign_attrs(without_space("abc").attributes)


def test_a_linear_inverse_model_finds_the_propagator_and_the_noise_of_a_linear_stochastic_model():
    file = train(linear_analysis(), LimSettings(), RNG(0))
    assert file["weight_propagator"].values == pytest.approx(G, abs=0.02)
    assert file["weight_noise"].values == pytest.approx(0.04 * np.eye(3), abs=0.002)
    state = np.array([6.0, 5.0, 4.0])
    mean = file["weight_mean"].values
    assert open_emulator(file).step(state) == pytest.approx(mean + file["weight_propagator"].values @ (state - mean))


def test_fluctuation_and_dissipation_of_a_linear_inverse_model_balance():
    analysis = lorenz96_analysis()
    file = train(analysis, LimSettings(), RNG(0))
    inputs = windows(analysis, "train").inputs - file["weight_mean"].values
    covariance, propagator = inputs.T @ inputs / len(inputs), file["weight_propagator"].values
    assert propagator @ covariance @ propagator.T + file["weight_noise"].values == pytest.approx(covariance, abs=1e-8)


def test_free_runs_of_a_stochastic_linear_inverse_model_have_the_covariance_of_its_analyses():
    analysis = linear_analysis()
    emulator = open_emulator(train(analysis, LimSettings(stochastic=True), RNG(0)))
    assert emulator.draws == 3
    free = trajectory(emulator, np.full(3, 5.0), 20_000, RNG(3))
    assert np.cov(free.T) == pytest.approx(np.cov(analysis["mean"].values.T), abs=0.06)
    still = open_emulator(train(analysis, LimSettings(), RNG(0)))
    assert emulator.step(free[:5]) == pytest.approx(still.step(free[:5]))


def test_a_linear_inverse_model_of_few_modes_forecasts_the_mean_of_the_rest():
    file = train(lorenz96_analysis(), LimSettings(modes=3), RNG(0))
    assert np.linalg.matrix_rank(file["weight_propagator"].values, tol=1e-8) == 3
    assert (np.linalg.eigvalsh(file["weight_noise"].values) > 0).all()


@pytest.mark.parametrize(("time_step", "bound"), [(0.05, 2e-3), (0.02, 1e-4)])
def test_sparse_regression_finds_the_four_terms_of_lorenz96(time_step, bound):
    file = train(clean_analysis(Lorenz96Settings(size=20, time_step=time_step)), SparseSettings(), RNG(0))
    coefficients = file["weight_coefficient"].values[0] / time_step
    places = [tuple(a - 2 for a in row if a >= 0) for row in file["weight_factor"].values]
    found = {place: c for place, c in zip(places, coefficients, strict=True) if c != 0}
    assert found.keys() == {(), (0,), (-2, -1), (-1, 1)}
    expected = {(): 8.0, (0,): -1.0, (-2, -1): -1.0, (-1, 1): 1.0}
    assert max(abs(found[p] - expected[p]) for p in expected) < bound  # relative to 8, both are below 1e-3


def test_sparse_regression_finds_the_equations_of_lorenz63_from_steps_that_are_far_from_infinitesimal():
    analysis = clean_analysis(Lorenz63Settings(), 5, Periods(spinup=0, train=1000, gap=20, validation=100, test=10))
    file = train(analysis, SparseSettings(substeps=5), RNG(0))
    coefficients = file["weight_coefficient"].values / 0.05
    expected = np.zeros_like(coefficients)
    place = {tuple(a for a in row if a >= 0): k for k, row in enumerate(file["weight_factor"].values)}
    expected[0, place[0,]], expected[0, place[1,]] = -10, 10
    expected[1, place[0,]], expected[1, place[1,]], expected[1, place[0, 2]] = 28, -1, -1
    expected[2, place[2,]], expected[2, place[0, 1]] = -8 / 3, 1
    assert ((coefficients != 0) == (expected != 0)).all()
    assert coefficients == pytest.approx(expected, abs=1e-3)


def test_ridge_of_the_whole_state_learns_lorenz63():
    analysis = clean_analysis(Lorenz63Settings(), 1, Periods(spinup=0, train=1500, gap=20, validation=300, test=10))
    file = train(analysis, RidgeSettings(alpha=1e-8), RNG(0))
    assert file.attrs["status"] == "ok"
    assert file.attrs["residual_std"] < 1e-3 * analysis["mean"].values.std()


def test_one_set_of_weights_serves_all_fields_of_a_plane():
    states = RNG(0).uniform(-1, 1, (PERIODS.total, 2, 4, 5))
    for before, after in pairwise(states):  # the second field is quadratic in both
        after[1] = 0.5 * before[0] + 0.3 * np.roll(before[1], 1, axis=-1) * before[0] - 0.1
    analysis = analysis_of(states.reshape(len(states), -1)).assign_attrs(grid({"a": (4, 5), "b": (4, 5)}).attributes)
    emulator = open_emulator(train(analysis, RidgeSettings(radius=1, degree=2, alpha=0.0), RNG(0)))
    inputs = states[:-1].reshape(len(states) - 1, -1)
    assert emulator.step(inputs)[:, 20:] == pytest.approx(states[1:, 1].reshape(len(inputs), -1), abs=1e-8)


def test_a_library_that_is_too_large_is_refused_with_what_to_lower():
    for settings in (SparseSettings(radius=None, degree=3), RidgeSettings(radius=20)):
        with pytest.raises(SettingsError, match="lower `degree` or `radius`"):
            train(lorenz96_analysis(size=42), settings, RNG(0))


def test_what_a_function_for_each_site_learns_differs_where_the_sites_do():
    analysis = lorenz96_analysis(noise=0.0)
    own = open_emulator(train(analysis, RegressorSettings(estimator="LinearRegression", shared=False), RNG(0)))
    shared = open_emulator(train(analysis, RegressorSettings(estimator="LinearRegression"), RNG(0)))
    k, inputs = 4, windows(analysis, "train").inputs
    targets, index = windows(analysis, "train").targets, np.arange(2, 7)
    A = np.column_stack([inputs[:, index], np.ones(len(inputs))])
    expected = A @ np.linalg.lstsq(A, targets[:, k], rcond=None)[0]
    assert own.step(inputs)[:, k] == pytest.approx(expected, abs=1e-9)
    assert not np.allclose(own.step(inputs), shared.step(inputs), atol=1e-3)
    assert not own.local and shared.local


def test_the_lasso_leaves_out_inputs_that_do_not_act():
    pipeline = {"estimator": ["PolynomialFeatures", "Lasso"], "parameters": {"lasso__alpha": 0.05}}
    file = train(lorenz96_analysis(noise=0.0, size=24), RegressorSettings(**pipeline), RNG(0))
    from assimilearn.emulators.classical.regressor import restored

    lasso = restored(file["weight_estimator"].values)[-1]
    assert 2 <= np.count_nonzero(lasso.coef_) <= 10 < lasso.coef_.size == 21


def test_an_emulator_that_is_worse_than_the_climatology_says_so():
    states = RNG(0).standard_normal((PERIODS.total, 6))
    from assimilearn.emulators.classical.persistence import PersistenceSettings

    file = train(analysis_of(states), PersistenceSettings(), RNG(0))
    assert file.attrs["status"] == "poor" and "that of the climatology itself" in file.attrs["reason"]
    assert open_emulator(file).step(states[0]) == pytest.approx(states[0])
