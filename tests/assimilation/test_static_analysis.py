"""BLUE, the cost function and 3D-Var: three roads to one analysis."""

import numpy as np
import pytest
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.background.cost import cost, gradient, minimize


@pytest.fixture
def case():
    rng = np.random.default_rng(5)
    root = rng.standard_normal((7, 7))
    B = root @ root.T + 0.1 * np.eye(7)
    sites = np.array([0, 2, 2, 6])
    return rng.standard_normal(7), B, rng.standard_normal(4), rng.uniform(0.2, 2, 4), sites


def blue(forecast, B, y, variance, sites):
    K = B[:, sites] @ np.linalg.inv(B[np.ix_(sites, sites)] + np.diag(variance))
    return forecast + K @ (y - forecast[sites])


def test_gradient_of_the_cost_equals_finite_differences(case):
    forecast, B, y, variance, sites = case
    x, precision = forecast + 0.3, np.linalg.inv(B)
    rest = forecast, precision, y, variance, sites
    slopes = [(cost(x + h, *rest) - cost(x - h, *rest)) / 2e-5 for h in 1e-5 * np.eye(7)]
    np.testing.assert_allclose(gradient(x, *rest), slopes, rtol=1e-6, atol=1e-7)


def test_blue_is_the_minimum_of_the_cost_function(case):
    forecast, B, y, variance, sites = case
    analysis = blue(*case)
    np.testing.assert_allclose(gradient(analysis, forecast, np.linalg.inv(B), y, variance, sites), 0, atol=1e-8)
    np.testing.assert_allclose(minimize(forecast, B, y, variance, sites), analysis, atol=1e-7)


def test_blue_is_the_ridge_regression_of_the_increment(case):
    from sklearn.linear_model import Ridge

    forecast, B, y, variance, sites = case
    L = np.linalg.cholesky(B)
    ridge = Ridge(alpha=1.0, fit_intercept=False)
    ridge.fit(L[sites] / np.sqrt(variance)[:, None], (y - forecast[sites]) / np.sqrt(variance))
    np.testing.assert_allclose(forecast + L @ ridge.coef_, blue(*case), atol=1e-10)


@pytest.mark.parametrize("sites", [[0, 1, 2, 3], [2]])
def test_blue_and_its_spread_are_the_closed_form_at_every_time(sites):
    model, rng = linear_model(), np.random.default_rng(0)
    B, mean = np.diag([1.0, 2, 3, 4]) + 0.5, np.arange(4.0)
    observations = observe_states(rng.standard_normal((6, 4)), 0.1, 0.7, rng, sites)
    analysis = assimilate(observations, model, METHODS["blue"](), climatology_file(mean, B), rng)
    K = B[:, sites] @ np.linalg.inv(B[np.ix_(sites, sites)] + 0.49 * np.eye(len(sites)))
    expected = mean + (observations["value"].values - mean[sites]) @ K.T
    np.testing.assert_allclose(analysis["mean"], expected, atol=1e-5)
    np.testing.assert_allclose(analysis["spread"], np.tile(np.sqrt(np.diag(B - K @ B[sites])), (6, 1)), rtol=1e-5)
    np.testing.assert_allclose(analysis["forecast_mean"], np.tile(mean, (6, 1)), atol=1e-6)
    np.testing.assert_allclose(
        analysis["innovation_std"], np.tile(np.sqrt(np.diag(B)[sites] + 0.49), (6, 1)), rtol=1e-5
    )


def test_3dvar_is_blue_around_the_forecast_of_the_last_analysis():
    model, rng = linear_model(), np.random.default_rng(1)
    B, mean = np.diag([1.0, 2, 3, 4]) + 0.5, np.zeros(4)
    observations = observe_states(rng.standard_normal((5, 4)), 0.1, 0.7, rng, [0, 2])
    settings = METHODS["3dvar"](background_scale=0.3)
    analysis = assimilate(observations, model, settings, climatology_file(mean, B), rng)
    y, r, sites = observations["value"].values, np.full(2, 0.49), np.array([0, 2])
    x = blue(mean, B, y[0], r, sites)
    for k in range(1, 5):
        forecast = model.M @ x
        np.testing.assert_allclose(analysis["forecast_mean"][k], forecast, atol=1e-5)
        x = blue(forecast, 0.3 * B, y[k], r, sites)
        np.testing.assert_allclose(analysis["mean"][k], x, atol=1e-5)


def test_without_an_observation_the_analysis_is_the_background():
    model, rng = linear_model(), np.random.default_rng(1)
    observations = observe_states(rng.standard_normal((3, 4)), 0.1, 0.7, rng)
    observations["valid"][:2] = 0
    for method in ("blue", "3dvar"):
        analysis = assimilate(observations, model, METHODS[method](), climatology_file(np.ones(4), np.eye(4)), rng)
        np.testing.assert_array_equal(analysis["mean"][:2], analysis["forecast_mean"][:2])
        np.testing.assert_allclose(analysis["spread"][:2], analysis["forecast_spread"][:2], rtol=1e-6)
        assert np.isnan(analysis["innovation"][:2]).all()


def test_blue_on_lorenz96_reaches_its_closed_form_error():
    model, truth = lorenz96_truth(3000)
    rng, climate = np.random.default_rng(0), lorenz96_climatology()
    analysis = assimilate(observe_states(truth, 0.05, 1.0, rng), model, METHODS["blue"](), climate, rng)
    expected = np.sqrt(np.trace(np.linalg.inv(np.linalg.inv(climate["covariance"].values) + np.eye(40))) / 40)
    assert expected == pytest.approx(0.95, abs=0.01)
    assert np.sqrt(((analysis["mean"] - truth) ** 2).mean()) == pytest.approx(expected, abs=0.01)


def test_climatology_scores_the_climatological_spread_and_uses_no_observation():
    model, truth = lorenz96_truth(3000)
    rng = np.random.default_rng(0)
    analysis = assimilate(
        observe_states(truth, 0.05, 1.0, rng), model, METHODS["climatology"](), lorenz96_climatology(), rng
    )
    assert np.sqrt(((analysis["mean"] - truth) ** 2).mean()) == pytest.approx(3.64, abs=0.1)
    assert float(analysis["spread"].mean()) == pytest.approx(3.64, abs=0.1)


def test_3dvar_with_a_multiple_of_the_identity_moves_observed_sites_only():
    rng = np.random.default_rng(2)
    observations = observe_states(rng.standard_normal((3, 4)), 0.1, 0.5, rng, [1, 2])
    settings = METHODS["3dvar"](background="identity", background_scale=0.75)
    analysis = assimilate(observations, linear_model(), settings, climatology_file(np.zeros(4), np.eye(4)), rng)
    moved = (analysis["mean"] - analysis["forecast_mean"]).values[1:]
    np.testing.assert_allclose(moved[:, [0, 3]], 0, atol=1e-7)
    np.testing.assert_allclose(moved[:, [1, 2]], 0.75 * analysis["innovation"].values[1:], rtol=1e-5)  # s/(s + r)
    np.testing.assert_allclose(analysis["spread"][1:, 0], np.sqrt(0.75), rtol=1e-6)
