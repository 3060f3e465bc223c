"""Every method meets observations of any kind: functions of the state, sums over sites, correlated errors."""

import json

import numpy as np
import pytest
from twins import LinearModel, climatology_file, linear_model, lorenz96_climatology, lorenz96_truth

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.algebra.weights import log_likelihood
from assimilearn.assimilation.background.cost import cost, gradient
from assimilearn.assimilation.background.cost import minimize as minimize_cost
from assimilearn.assimilation.methods.fourdvar import FourDVarSettings, Window, minimize
from assimilearn.errors import FileError, SettingsError
from assimilearn.models import geometry
from assimilearn.models.integrate import advance
from assimilearn.models.truth import truth_dataset
from assimilearn.observations import ObservationSettings, observe
from assimilearn.observations.correlation import NOWHERE, Correlation
from assimilearn.observations.correlation_kernels import error_covariance
from assimilearn.observations.observation_model import ObservationModel
from assimilearn.observations.operator_kernels import jacobian
from assimilearn.observations.operators import OperatorSettings, footprints, operator_of
from assimilearn.observations.rows import observed_values

CORRELATED = {"method": "correlated", "length": 2.0}
FOOTPRINT = {"weights": [0.3, 1.0, -0.4]}
SITE_WRITTEN_OUT = {"weights": [0.0, 1.0, 0.0]}  # the value of the site, but by way of the general code
ALONE = set(METHODS) - {"enoi", "learned"}  # which need states of a free run, or a trained step
WITH_OPERATOR = [name for name, cls in METHODS.items() if cls.any_operator and name in ALONE]
WITH_CORRELATION = [name for name, cls in METHODS.items() if cls.correlated_errors]


def observations_of(states, time_step, seed=1, **settings):
    """Observations of ``states (time, site)``; training, validation and test thirds."""
    K = len(states)
    thirds = (1 + 3 * np.arange(K) // K).astype(np.int8)
    truth = truth_dataset(time_step * np.arange(1, K + 1), thirds, states, time_step)
    settings = {"network": {"method": "all"}, "error_std": 0.5} | settings
    return observe(truth, ObservationSettings.model_validate(settings), np.random.default_rng(seed))


def linear_truth(model, times, seed=0):
    states = [np.random.default_rng(seed).standard_normal(model.size)]
    for _ in range(times - 1):
        states.append(model.M @ states[-1])
    return np.array(states)


MODEL = linear_model(6)
CLIMATE = climatology_file(np.full(6, 0.3), 2 * np.eye(6) + 0.5)
STATES = linear_truth(MODEL, 25)


def analysed(method, observations, model=MODEL, climate=CLIMATE, **settings):
    cls = METHODS[method]
    few = {"members": 20} if method not in ("particle",) and "members" in cls.model_fields else {}
    if method == "particle":
        few = {"members": 300}
    return assimilate(observations, model, cls(**(few | settings)), climate, np.random.default_rng(0))


def correlation(length, n):
    """Of the errors of all sites of a ring."""
    return Correlation(length, geometry.ring(n).positions, geometry.ring(n).periods)


def kalman_filter(observations, correlated=True):
    """Exact means and variances with the operator and the full R of the file."""
    x, P = CLIMATE["mean"].values, CLIMATE["covariance"].values
    operator, rho = operator_of(observations, geometry.ring(6)), correlation(2.0, 6) if correlated else NOWHERE
    means, variances = [], []
    for k in range(observations.sizes["time"]):
        if k > 0:
            x, P = MODEL.M @ x, MODEL.M @ P @ MODEL.M.T
        valid = observations["valid"].values[k] == 1
        sites = observations["site_index"].values[k, valid].astype(np.int64)
        H = jacobian(x, sites, operator)
        R = error_covariance(observations["error_std"].values[k, valid] ** 2, sites, rho)
        K = np.linalg.solve(H @ P @ H.T + R, H @ P).T
        x = x + K @ (observations["value"].values[k, valid] - H @ x)
        P = P - K @ H @ P
        means.append(x)
        variances.append(np.diag(P))
    return np.array(means), np.array(variances)


def assert_same(first, second, rtol=2e-5):
    for name in ("mean", "spread", "forecast_mean", "forecast_spread", "innovation", "innovation_std"):
        np.testing.assert_allclose(first[name], second[name], rtol=rtol, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("method", WITH_OPERATOR)
def test_the_value_of_a_site_written_as_an_operator_gives_the_analysis_of_the_site_itself(method):
    plain = observations_of(STATES, 0.1, missing=0.2)
    written = plain.assign_attrs(operator=OperatorSettings(**SITE_WRITTEN_OUT).canonical())
    assert_same(analysed(method, plain), analysed(method, written), rtol=2e-4)


@pytest.mark.parametrize("method", [name for name in WITH_CORRELATION if name not in ("climatology", "interpolation")])
def test_a_correlation_that_reaches_no_other_site_gives_the_analysis_of_independent_errors(method):
    plain = observations_of(STATES, 0.1, missing=0.2)
    assert_same(analysed(method, plain), analysed(method, plain.assign_attrs(error_correlation_length=1e-3)), 2e-4)


def test_the_extended_kalman_filter_is_the_kalman_filter_with_the_operator_and_the_full_r():
    observations = observations_of(STATES, 0.1, operator=FOOTPRINT, distribution=CORRELATED, missing=0.2)
    analysis = analysed("ekf", observations, inflation=1.0)
    means, variances = kalman_filter(observations)
    np.testing.assert_allclose(analysis["mean"], means, atol=1e-5)
    np.testing.assert_allclose(analysis["spread"], np.sqrt(variances), rtol=1e-4)


@pytest.mark.parametrize("method", ["etkf", "enkf"])
def test_ensemble_filters_converge_to_the_kalman_filter_with_the_operator_and_the_full_r(method):
    observations = observations_of(STATES, 0.1, operator=FOOTPRINT, distribution=CORRELATED, missing=0.2)
    analysis = analysed(method, observations, members=1500, inflation=1.0)
    means, variances = kalman_filter(observations)
    np.testing.assert_allclose(analysis["mean"], means, atol=0.06)
    np.testing.assert_allclose(analysis["spread"], np.sqrt(variances), rtol=0.08)


@pytest.mark.parametrize(
    ("local", "whole"), [("eakf", "esrf"), ("letkf", "etkf"), ("letks", "enks"), ("lienks", "ienks")]
)
def test_a_local_filter_that_reaches_the_whole_ring_is_the_global_one(local, whole):
    observations = observations_of(STATES, 0.1, operator=FOOTPRINT, missing=0.2)
    everywhere = {"localization_radius": 100.0, "taper": "boxcar"}
    assert_same(
        analysed(local, observations, inflation=1.0, **everywhere), analysed(whole, observations, inflation=1.0), 1e-3
    )


def test_serial_and_batch_square_roots_agree_exactly_on_correlated_sums():
    observations = observations_of(STATES, 0.1, operator=FOOTPRINT, distribution=CORRELATED, missing=0.2)
    assert_same(*(analysed(method, observations, inflation=1.0) for method in ("etkf", "esrf")))


def test_the_iterative_smoother_ends_its_window_where_the_kalman_filter_does():
    observations = observations_of(STATES[:4], 0.1, operator=FOOTPRINT, distribution=CORRELATED)
    analysis = analysed("ienks", observations, members=300, inflation=1.0)
    np.testing.assert_allclose(analysis["mean"], kalman_filter(observations)[0], atol=0.1)


def test_blue_is_the_best_linear_estimate_of_many_draws_for_a_nonlinear_operator():
    """The regression of the state on what is observed, over draws of the climate, has the same coefficients."""
    draws = 400_000
    rng = np.random.default_rng(0)
    x = CLIMATE["mean"].values + rng.standard_normal((draws, 6)) @ np.linalg.cholesky(CLIMATE["covariance"].values).T
    operator = footprints(OperatorSettings(function="square"), geometry.ring(6))
    y = observed_values(x, np.array([2]), operator) + 0.5 * rng.standard_normal((draws, 1))
    slope = ((x - x.mean(0)).T @ (y - y.mean(0)) / ((y - y.mean(0)) ** 2).sum())[:, 0]
    observations = observations_of(
        STATES[:2], 0.1, network={"method": "every", "stride": 9, "offset": 2}, operator={"function": "square"}
    )
    analysis = analysed("blue", observations)
    expected = x.mean(0) + slope * (observations["value"].values - y.mean(0))
    np.testing.assert_allclose(analysis["mean"], expected, atol=0.05)
    left = x.var(0) - slope**2 * y.var(0)
    np.testing.assert_allclose(analysis["spread"], np.sqrt(np.broadcast_to(left, (2, 6))), rtol=0.01)


def test_3dvar_is_the_minimizer_of_the_cost_with_the_operator_and_the_full_r():
    observations = observations_of(STATES[:4], 0.1, operator=FOOTPRINT, distribution=CORRELATED)
    analysis = analysed("3dvar", observations, background_scale=0.3)
    observation = ObservationModel(operator_of(observations, geometry.ring(6)), correlation(2.0, 6))
    found = minimize_cost(
        analysis["forecast_mean"].values[2].astype(float),
        0.3 * CLIMATE["covariance"].values,
        observations["value"].values[2],
        observations["error_std"].values[2] ** 2,
        np.arange(6),
        observation,
    )
    np.testing.assert_allclose(analysis["mean"].values[2], found, atol=1e-5)


def test_the_gradient_of_the_cost_through_a_nonlinear_operator_equals_finite_differences():
    rng = np.random.default_rng(0)
    observation = ObservationModel(
        footprints(OperatorSettings(function="square", weights=[0.3, 1.0, 0.2]), geometry.ring(6)), correlation(2.0, 6)
    )
    x, forecast, y, variance = *rng.standard_normal((3, 6)), rng.uniform(0.5, 2, 6)
    rest = forecast, np.linalg.inv(CLIMATE["covariance"].values), y, variance, np.arange(6), observation
    slopes = [(cost(x + h, *rest) - cost(x - h, *rest)) / 2e-5 for h in 1e-5 * np.eye(6)]
    np.testing.assert_allclose(gradient(x, *rest), slopes, rtol=1e-6)


def test_a_filter_that_knows_of_the_correlation_is_better_than_one_told_that_there_is_none():
    model = LinearModel(MODEL.M / 1.02)
    states = linear_truth(model, 400)
    observations = observations_of(states, 0.1, distribution={"method": "correlated", "length": 20.0})
    untold = observations.drop_attrs()
    errors = [
        np.sqrt(np.mean((analysed("3dvar", o, model, background_scale=0.01)["mean"].values - states)[20:] ** 2))
        for o in (observations, untold)
    ]
    assert errors[0] < 0.9 * errors[1]


@pytest.fixture(scope="module")
def ring():
    model, states = lorenz96_truth(400, n=20)
    return model, states, lorenz96_climatology(20)


KNOWN_TO_WORK = [
    ({"function": "absolute"}, 1.0),
    ({"function": "square"}, 3.0),
    ({"function": "log"}, 0.1),
    ({"function": "arctan"}, 0.1),
    ({"weights": [0.25, 0.5, 0.25]}, 0.5),
]


@pytest.mark.parametrize(("operator", "error_std"), KNOWN_TO_WORK, ids=lambda x: str(x))
@pytest.mark.parametrize("method", ["etkf", "letkf"])
def test_ensemble_filters_find_a_chaotic_truth_through_any_operator(ring, method, operator, error_std):
    model, states, climate = ring
    """Strong inflation, since what is even in the state tells nothing of its sign at first: two states fit."""
    observations = observations_of(states, 0.05, operator=operator, error_std=error_std)
    analysis = analysed(method, observations, model, climate, members=30, inflation=1.2)
    error = np.sqrt(np.mean((analysis["mean"].values - states)[100:] ** 2))
    assert error < 0.6
    seen = observed_values(
        analysis["forecast_mean"].values.astype(float), np.arange(20), operator_of(observations, geometry.ring(20))
    )
    assert np.nanstd(analysis["innovation"].values[100:]) < np.std(observations["value"].values - seen.mean())


def test_the_gradient_of_4dvar_through_operator_and_correlation_equals_finite_differences():
    model, truth = lorenz96_truth(1, n=12)
    rng = np.random.default_rng(4)
    observation = ObservationModel(
        footprints(OperatorSettings(function="arctan", weights=[0.2, 0.3, 0.1]), geometry.ring(12)),
        correlation(2.0, 12),
    )
    root = np.linalg.cholesky(0.3 * np.eye(12) + 0.1)
    observations = []
    for count, sites in ((2, np.array([0, 3, 4, 9])), (5, np.arange(12))):
        x = advance(model, truth[0], count)
        variance = np.full(len(sites), 0.04)
        y = observation.see(x[None], variance, sites)[0] + 0.2 * rng.standard_normal(len(sites))
        observations.append((y, variance, sites))
    window = Window(model, truth[0] + 0.3 * rng.standard_normal(12), root, [2, 5], observations, observation)
    v = 0.3 * rng.standard_normal(12)
    value, gradient = window.cost_and_gradient(v)
    assert value == pytest.approx(window.cost(v), rel=1e-12)
    slopes = [(window.cost(v + h) - window.cost(v - h)) / 2e-5 for h in 1e-5 * np.eye(12)]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6)
    states = window.states(v)
    S = window.sensitivities(window.tangents(states, "autodiff"), states)
    np.testing.assert_allclose(gradient, v - S.T @ window.residuals(states), rtol=1e-9)
    found = [
        minimize(window, FourDVarSettings(minimizer=m, iterations=50, tolerance=1e-8))
        for m in ("gauss-newton", "l-bfgs")
    ]
    np.testing.assert_allclose(*found, atol=1e-4)


def test_the_weights_of_particles_are_the_correlated_likelihood():
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(0)
    E, sites, variance, rho = (
        rng.standard_normal((5, 8)),
        np.array([6, 1, 2]),
        np.array([0.5, 2.0, 1.0]),
        correlation(3, 8),
    )
    observation = ObservationModel(footprints(OperatorSettings(function="square"), geometry.ring(8)), rho)
    y = rng.standard_normal(3)
    R = error_covariance(variance, sites, rho)
    expected = [multivariate_normal.logpdf(y, e[sites] ** 2, R) for e in E]
    see = observation.see(E, variance, sites)
    found = log_likelihood(see, observation.whitened(y[None].copy(), variance, sites)[0], variance)
    np.testing.assert_allclose(found - found[0], np.array(expected) - expected[0], rtol=1e-10)


@pytest.mark.parametrize("method", ["etkf", "3dvar", "ekf", "enks", "ienks"])
def test_the_background_check_rejects_what_is_far_from_what_the_operator_would_see(method, ring):
    model, states, climate = ring
    observations = observations_of(states[:60], 0.05, operator={"function": "arctan"}, error_std=0.1)
    observations["value"][40, 7] = 9.0  # a state may well be 9, but not its arc tangent
    analysis = analysed(method, observations, model, climate, background_check=8.0)
    assert analysis["rejected"].values[40, 7] == 1
    assert analysis["innovation"].values[40, 7] > 7
    assert analysis["rejected"].values[40].sum() < 7


def test_irregular_observation_times_are_filtered_with_as_many_steps_as_lie_between(ring):
    model, states, climate = ring
    K = 300
    truth = truth_dataset(0.05 * np.arange(K), np.full(K, 3, np.int8), states[:K], 0.05)
    settings = ObservationSettings(network={"method": "all"}, every=[1, 3, 2])
    observations = observe(truth, settings, np.random.default_rng(1))
    analysis = analysed("etkf", observations, model, climate, inflation=1.05)
    reached = states[:K][np.rint(analysis["time"].values / 0.05).astype(int)]
    assert np.sqrt(np.mean((analysis["mean"].values - reached)[50:] ** 2)) < 0.5


@pytest.mark.parametrize("method", sorted(ALONE - set(WITH_OPERATOR)))
def test_a_method_that_needs_the_state_itself_refuses_functions_of_it(method):
    with pytest.raises(SettingsError, match=f"{method} takes observations of the state itself only"):
        analysed(method, observations_of(STATES, 0.1, operator=FOOTPRINT))


@pytest.mark.parametrize("method", sorted(ALONE - set(WITH_CORRELATION)))
def test_a_local_method_refuses_correlated_errors_unless_told_that_they_are_independent(method):
    with pytest.raises(SettingsError, match=f'{method} takes .* independent errors only.*assumed_correlation: "none"'):
        analysed(method, observations_of(STATES, 0.1, distribution=CORRELATED))
    assert (
        analysed(method, observations_of(STATES, 0.1, distribution=CORRELATED, assumed_correlation="none")).status
        != "diverged"
    )


def test_a_file_with_an_operator_that_cannot_be_is_refused():
    with pytest.raises(FileError, match="the attribute operator"):
        analysed("etkf", observations_of(STATES, 0.1).assign_attrs(operator=json.dumps({"function": "tangent"})))
