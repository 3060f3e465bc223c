"""4D-Var: its adjoint, its gradient and its minimum, in closed form for a linear model."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.background.tangent import jacobians
from assimilearn.assimilation.methods.fourdvar import FourDVarSettings, Jump, Window, minimize, symmetric_root
from assimilearn.errors import SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import advance


@pytest.fixture(params=["strong", "weak"])
def window(request):
    """Lorenz-96 with 12 sites, observation times 0.1 and 0.25 MTU after the start; if weak, three errors."""
    model, truth = lorenz96_truth(1, n=12)
    rng = np.random.default_rng(4)
    root = np.linalg.cholesky(0.3 * np.eye(12) + 0.1)
    observations = []
    for count, sites in ((2, np.array([0, 3, 4, 9])), (5, np.arange(12))):
        y = advance(model, truth[0], count)[sites] + 0.5 * rng.standard_normal(len(sites))
        observations.append((y, np.full(len(sites), 0.25), sites))
    start = truth[0] + root @ rng.standard_normal(12)
    stds = {1: 0.1, 2: 0.2, 5: 0.3} if request.param == "weak" else {}
    jumps = [Jump(steps, std, 0.1 * rng.standard_normal(12)) for steps, std in stds.items()]
    return Window(model, start, root, [2, 5], observations, jumps=jumps)


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
    v, forward, backward = rng.standard_normal((3, window.controls))
    S = window.sensitivities(window.tangents(window.states(v), "autodiff"), window.states(v))
    d = window.residuals(window.states(v))
    # J = v.v / 2 + d.d / 2 and d' = -S: the gradient by the adjoint must be v - S^T d in every direction
    _, gradient = window.cost_and_gradient(v)
    for direction in (forward, backward):
        assert (gradient - v) @ direction == pytest.approx(-d @ (S @ direction), rel=1e-12)


def test_the_gradient_equals_finite_differences(window):
    v = np.random.default_rng(2).standard_normal(window.controls)
    value, gradient = window.cost_and_gradient(v)
    assert value == pytest.approx(window.cost(v), rel=1e-12)
    slopes = [(window.cost(v + h) - window.cost(v - h)) / 2e-5 for h in 1e-5 * np.eye(window.controls)]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"linearization": "autodiff"}, {"minimizer": "l-bfgs"}], ids=str)
def test_every_minimizer_finds_where_the_gradient_vanishes(window, options):
    v = minimize(window, FourDVarSettings(iterations=30, tolerance=1e-7, **options))
    assert np.abs(window.cost_and_gradient(np.zeros(window.controls))[1]).max() > 1
    np.testing.assert_allclose(window.cost_and_gradient(v)[1], 0, atol=2e-4 if options else 1e-5)
    assert window.cost(v) < 0.5 * window.cost(np.zeros(window.controls))


def linear_twin(rng):
    model, mean, B = linear_model(), np.ones(4), np.diag([1.0, 2, 3, 4]) + 0.5
    observations = observe_states(rng.standard_normal((9, 4)), 0.1, 0.7, rng, [0, 2])
    observations["valid"][4] = 0
    return model, mean, B, observations


@pytest.mark.parametrize(("window", "shift"), [(1, 1), (3, 1), (3, 3), (4, 2)])
def test_4dvar_of_a_linear_model_is_the_closed_form_window_after_window(window, shift):
    rng = np.random.default_rng(0)
    model, mean, B, observations = linear_twin(rng)
    settings = METHODS["4dvar"](background_scale=0.4, window=window, shift=shift)
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


def kalman_smoother(model, observations, x, P, error_std):
    """Means and covariances of a fixed interval (Rauch, Tung & Striebel 1965); it starts from the forecast x, P."""
    M, y, sites = model.M, observations["value"].values, [0, 2]
    Q, R = error_std**2 * np.eye(4), 0.49 * np.eye(2)
    filtered = [(x, P)]
    for k in range(1, len(y)):
        x, P = M @ x, M @ P @ M.T + Q
        if observations["valid"].values[k].any():
            K = P[:, sites] @ np.linalg.inv(P[np.ix_(sites, sites)] + R)
            x, P = x + K @ (y[k] - x[sites]), P - K @ P[sites]
        filtered.append((x, P))
    smoothed = [filtered[-1]]
    for x, P in filtered[-2::-1]:
        forecast = M @ P @ M.T + Q
        G = P @ M.T @ np.linalg.inv(forecast)
        x, P = x + G @ (smoothed[0][0] - M @ x), P + G @ (smoothed[0][1] - forecast) @ G.T
        smoothed.insert(0, (x, P))
    return smoothed


@pytest.mark.parametrize("minimizer", ["gauss-newton", "l-bfgs"])
def test_weak_4dvar_of_a_linear_model_is_the_fixed_interval_kalman_smoother(minimizer):
    rng = np.random.default_rng(0)
    model, mean, B, observations = linear_twin(rng)
    options = {"window": 8, "shift": 8, "minimizer": minimizer, "iterations": 30, "tolerance": 1e-8}
    settings = METHODS["4dvar"](background_scale=0.4, model_error=0.3, **options)
    analysis = assimilate(observations, TorchLinear(model.M), settings, climatology_file(mean, B), rng)
    smoothed = kalman_smoother(model, observations, analysis["mean"].values[0].astype(float), 0.4 * B, 0.3)
    for k in range(1, 9):
        np.testing.assert_allclose(analysis["mean"][k], smoothed[k][0], atol=2e-5)
        np.testing.assert_allclose(analysis["spread"][k], np.sqrt(np.diag(smoothed[k][1])), rtol=2e-5)


@pytest.mark.parametrize(("window", "shift"), [(3, 1), (4, 2)])
def test_with_a_vanishing_model_error_weak_4dvar_is_strong_4dvar(window, shift):
    model, truth = lorenz96_truth(12)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1), np.arange(0, 40, 2))
    run = [
        assimilate(
            *(observations, model),
            METHODS["4dvar"](window=window, shift=shift, background_scale=0.05, model_error=error, tolerance=1e-6),
            *(lorenz96_climatology(), np.random.default_rng(0)),
        )
        for error in (None, 0.0, 1e-5, 0.3)
    ]
    np.testing.assert_array_equal(run[0]["mean"], run[1]["mean"])
    np.testing.assert_allclose(run[2]["mean"], run[0]["mean"], atol=1e-5)
    np.testing.assert_allclose(run[2]["spread"], run[0]["spread"], atol=1e-5)
    assert np.abs(run[3]["mean"] - run[0]["mean"]).max() > 0.1


def test_the_residual_that_a_learned_model_states_is_its_model_error():
    rng = np.random.default_rng(0)
    model, mean, B, observations = linear_twin(rng)
    learned = TorchLinear(model.M)
    learned.residual_std = 0.15
    run = [
        assimilate(observations, learned, METHODS["4dvar"](**error), climatology_file(mean, B), rng)["mean"]
        for error in ({"model_error": "residual", "model_error_scale": 2.0}, {"model_error": 0.3}, {})
    ]
    np.testing.assert_array_equal(run[0], run[1])
    assert np.abs(run[0] - run[2]).max() > 0.01
    with pytest.raises(SettingsError, match="residual"):
        assimilate(observations, model, METHODS["4dvar"](model_error="residual"), climatology_file(mean, B), rng)


def test_errors_found_in_one_window_are_the_first_guess_of_the_next():
    """With no more observations every later forecast is the trajectory, errors and all, that the window found."""
    rng = np.random.default_rng(0)
    model, mean, B, observations = linear_twin(rng)
    observations["valid"][4:] = 0
    settings = METHODS["4dvar"](window=3, model_error=0.5)
    analysis = assimilate(observations, model, settings, climatology_file(mean, B), rng)
    for k in range(4, 9):
        np.testing.assert_allclose(analysis["mean"][k], model.M @ analysis["mean"][k - 1].values, atol=1e-5)


@pytest.mark.parametrize(("window", "shift"), [(4, 4), (3, 1)])
def test_with_a_wrong_forcing_the_weak_constraint_beats_the_strong_one(window, shift):
    _, truth = lorenz96_truth(120, every=2)
    wrong = Lorenz96(Lorenz96Settings(forcing=9.5))
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1), every=2)
    score = []
    for model_error in (None, 0.2):
        options = {"background": "identity", "background_scale": 0.1}
        settings = METHODS["4dvar"](window=window, shift=shift, model_error=model_error, **options)
        run = assimilate(observations, wrong, settings, lorenz96_climatology(), np.random.default_rng(0))
        score.append(float(np.sqrt(((run["mean"] - truth) ** 2).mean("site"))[20:].mean()))
    assert score[1] < 0.9 * score[0]


def test_a_model_without_a_differentiable_step_is_one_clear_error():
    rng = np.random.default_rng(0)
    _, mean, B, observations = linear_twin(rng)
    settings = METHODS["4dvar"](linearization="autodiff")
    with pytest.raises(SettingsError, match='set linearization to "differences"'):
        assimilate(observations, NumpyOnly(linear_model().M), settings, climatology_file(mean, B), rng)


def test_by_default_any_model_will_do_and_the_analyses_are_those_of_automatic_differentiation():
    model, truth = lorenz96_truth(8, n=12)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1))
    climate, rng = climatology_file(np.full(12, 2.3), 10 * np.eye(12)), np.random.default_rng(0)
    runs = [
        assimilate(observations, model, METHODS["4dvar"](window=3, tolerance=1e-6, **options), climate, rng)
        for options in ({}, {"linearization": "autodiff"}, {"minimizer": "l-bfgs"})
    ]
    for other, tolerance in zip(runs[1:], (2e-6, 1e-4), strict=True):
        for name in ("mean", "spread", "forecast_spread"):
            np.testing.assert_allclose(runs[0][name], other[name], rtol=tolerance, atol=tolerance, err_msg=name)


class TorchLinear:
    """A linear model for states of NumPy and of torch."""

    time_step, compiled = 0.1, None

    def __init__(self, M):
        self.M = M
        self.size = len(M)

    def step(self, states):
        return states @ (self.M.T if isinstance(states, np.ndarray) else states.new_tensor(self.M.T))


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
        options = {"background": "identity", "background_scale": scale}
        settings = METHODS["4dvar"](window=window, **options)
        run = assimilate(observations, model, settings, climate, np.random.default_rng(0))
        score.append(float(np.sqrt(((run["mean"] - truth) ** 2).mean("site"))[20:].median()))
    assert 0.3 < score[1] < score[0] < 0.55


def test_symmetric_root_of_a_singular_matrix():
    a = np.random.default_rng(0).standard_normal((5, 3))
    root = symmetric_root(a @ a.T)
    np.testing.assert_allclose(root @ root, a @ a.T, atol=1e-12)
    np.testing.assert_allclose(root, root.T, atol=1e-12)


@pytest.mark.parametrize(
    ("n", "observed", "error_std", "largest"), [(40, 20, 1.0, 0.5), (20, 12, 1.0, 0.5), (40, 40, 0.2, 0.35)]
)
def test_the_background_follows_the_innovations_of_any_network(n, observed, error_std, largest):
    """With 0.002 times the climatology, right for a dense network, the first two give errors of 3 and 1.8."""
    model, truth = lorenz96_truth(300, n=n)
    rng = np.random.default_rng(1)
    sites = np.argsort(rng.random((300, n)), axis=1)[:, :observed]
    observations = observe_states(truth, model.time_step, error_std, rng, sites)
    analysis = assimilate(observations, model, METHODS["4dvar"](), lorenz96_climatology(n=n), rng)
    late = analysis.isel(time=slice(150, None))
    error = np.sqrt(((late["mean"] - truth[150:]) ** 2).mean("site"))
    assert error.mean() < largest * error_std
    assert float(((late["innovation"] / late["innovation_std"]) ** 2).mean()) == pytest.approx(1, abs=0.1)
    assert np.isfinite(analysis["background_scale"]).all() and analysis["background_scale"].dims == ("time",)
