"""4D-Var: its adjoint, its gradient and its minimum, in closed form for a linear model."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.fourdvar import FourDVarSettings, Window, minimize, symmetric_root
from assimilearn.assimilation.tangent import jacobians
from assimilearn.errors import SettingsError
from assimilearn.models.integrate import advance


@pytest.fixture
def window():
    """Lorenz-96 with 12 sites, two observation times 0.1 and 0.25 MTU after the start."""
    model, truth = lorenz96_truth(1, n=12)
    rng = np.random.default_rng(4)
    root = np.linalg.cholesky(0.3 * np.eye(12) + 0.1)
    observations = []
    for count, sites in ((2, np.array([0, 3, 4, 9])), (5, np.arange(12))):
        y = advance(model, truth[0], count)[sites] + 0.5 * rng.standard_normal(len(sites))
        observations.append((y, np.full(len(sites), 0.25), sites))
    return Window(model, truth[0] + root @ rng.standard_normal(12), root, [2, 5], observations)


@pytest.mark.parametrize("linearization", ["autodiff", "differences"])
def test_the_tangent_of_a_step_is_the_derivative_of_the_step(linearization):
    model, truth = lorenz96_truth(3, n=12)
    M = jacobians(model, truth, linearization)
    direction = np.random.default_rng(0).standard_normal(12)
    for k in range(3):
        small = 1e-5 * direction
        slope = (advance(model, truth[k] + small, 1) - advance(model, truth[k] - small, 1)) / 2e-5
        np.testing.assert_allclose(M[k] @ direction, slope, atol=1e-7)


def test_the_adjoint_passes_the_dot_product_test(window):
    rng = np.random.default_rng(1)
    v, forward, backward = rng.standard_normal((3, 12))
    S = window.sensitivities(window.tangents(window.states(v), "autodiff"), window.states(v))
    d = window.residuals(window.states(v))
    # J = v.v / 2 + d.d / 2 and d' = -S: the gradient by the adjoint must be v - S^T d in every direction
    _, gradient = window.cost_and_gradient(v)
    for direction in (forward, backward):
        assert (gradient - v) @ direction == pytest.approx(-d @ (S @ direction), rel=1e-12)


def test_the_gradient_equals_finite_differences(window):
    v = np.random.default_rng(2).standard_normal(12)
    value, gradient = window.cost_and_gradient(v)
    assert value == pytest.approx(window.cost(v), rel=1e-12)
    slopes = [(window.cost(v + h) - window.cost(v - h)) / 2e-5 for h in 1e-5 * np.eye(12)]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"linearization": "differences"}, {"minimizer": "l-bfgs"}], ids=str)
def test_every_minimizer_finds_where_the_gradient_vanishes(window, options):
    v = minimize(window, FourDVarSettings(iterations=30, tolerance=1e-7, **options))
    assert np.abs(window.cost_and_gradient(np.zeros(12))[1]).max() > 1
    np.testing.assert_allclose(window.cost_and_gradient(v)[1], 0, atol=2e-4 if options else 1e-5)
    assert window.cost(v) < 0.5 * window.cost(np.zeros(12))


def linear_twin(rng):
    model, mean, B = linear_model(), np.ones(4), np.diag([1.0, 2, 3, 4]) + 0.5
    observations = observe_states(rng.standard_normal((9, 4)), 0.1, 0.7, rng, [0, 2])
    observations["valid"][4] = 0
    return model, mean, B, observations


@pytest.mark.parametrize(("window", "shift"), [(1, 1), (3, 1), (3, 3), (4, 2)])
def test_4dvar_of_a_linear_model_is_the_closed_form_window_after_window(window, shift):
    rng = np.random.default_rng(0)
    model, mean, B, observations = linear_twin(rng)
    settings = METHODS["4dvar"](background_scale=0.4, window=window, shift=shift, linearization="differences")
    analysis = assimilate(observations, model, settings, climatology_file(mean, B), rng)
    y, sites = observations["value"].values, [0, 2]
    K = B[:, sites] @ np.linalg.inv(B[np.ix_(sites, sites)] + 0.49 * np.eye(2))
    x, start, newest = mean + K @ (y[0] - mean[sites]), 0, 0
    np.testing.assert_allclose(analysis["mean"][0], x, atol=1e-5)
    np.testing.assert_allclose(analysis["spread"][0], np.sqrt(np.diag(B - K @ B[sites])), rtol=1e-5)
    while newest < 8:
        new = np.arange(newest + 1, min(newest + shift, 8) + 1)
        newest = new[-1]
        slid = max(start, newest - window)
        x, start = np.linalg.matrix_power(model.M, slid - start) @ x, slid
        precision, pull = np.linalg.inv(0.4 * B), np.linalg.solve(0.4 * B, x)
        for k in new:
            H = np.linalg.matrix_power(model.M, k - start)[sites] / 0.7
            np.testing.assert_allclose(
                analysis["forecast_mean"][k], np.linalg.matrix_power(model.M, k - start) @ x, atol=2e-5
            )
            if k != 4:
                precision, pull = precision + H.T @ H, pull + H.T @ y[k] / 0.7
        x = np.linalg.solve(precision, pull)
        for k in new:
            forward = np.linalg.matrix_power(model.M, k - start)
            variance = np.diag(forward @ np.linalg.inv(precision) @ forward.T)
            np.testing.assert_allclose(analysis["mean"][k], forward @ x, atol=2e-5)
            np.testing.assert_allclose(analysis["spread"][k], np.sqrt(variance), rtol=2e-5)


def test_a_model_without_a_differentiable_step_is_one_clear_error():
    rng = np.random.default_rng(0)
    _, mean, B, observations = linear_twin(rng)
    with pytest.raises(SettingsError, match='set linearization to "differences"'):
        assimilate(observations, NumpyOnly(linear_model().M), METHODS["4dvar"](), climatology_file(mean, B), rng)


class NumpyOnly:
    """A linear model that torch cannot follow."""

    time_step, compiled = 0.1, None

    def __init__(self, M):
        self.M = M
        self.size = len(M)

    def step(self, states):
        return np.asarray(states) @ self.M.T


@pytest.mark.parametrize(
    "options", [{"window": 0}, {"window": 2, "shift": 3}, {"minimizer": "l-bfgs", "linearization": "differences"}]
)
def test_settings_that_do_not_fit_are_refused(options):
    with pytest.raises(ValidationError):
        METHODS["4dvar"](**options)


def test_4dvar_on_lorenz96_is_better_the_longer_its_window():
    model, truth = lorenz96_truth(150, every=4)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1), every=4)
    climate, score = lorenz96_climatology(), []
    for window, scale in ((1, 0.2), (2, 0.1)):
        options = {"background": "identity", "background_scale": scale, "linearization": "differences"}
        settings = METHODS["4dvar"](window=window, **options)
        run = assimilate(observations, model, settings, climate, np.random.default_rng(0))
        score.append(float(np.sqrt(((run["mean"] - truth) ** 2).mean("site"))[20:].median()))
    assert 0.3 < score[1] < score[0] < 0.55


def test_symmetric_root_of_a_singular_matrix():
    a = np.random.default_rng(0).standard_normal((5, 3))
    root = symmetric_root(a @ a.T)
    np.testing.assert_allclose(root @ root, a @ a.T, atol=1e-12)
    np.testing.assert_allclose(root, root.T, atol=1e-12)
