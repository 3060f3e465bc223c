"""Observation operators: what they see, their derivatives, and what the climate leads them to expect."""

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from assimilearn.assimilation.background import FullBackground
from assimilearn.assimilation.expected import expected
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.truth import truth_dataset
from assimilearn.observations import ObservationSettings, observe
from assimilearn.observations.networks import AllSites, EverySite
from assimilearn.observations.operator_kernels import jacobian, observed
from assimilearn.observations.operators import FUNCTIONS, OperatorSettings, differentiable_field, field, operator_of

WEIGHTS = [0.25, 0.5, -0.3, 0.1, 0.7]
BY_HAND = {
    "identity": lambda z: z,
    "square": lambda z: z**2,
    "absolute": np.abs,
    "log": lambda z: np.log(np.abs(z)),
    "arctan": np.arctan,
}


@pytest.fixture
def states():
    return 2.3 + 3.6 * np.random.default_rng(0).standard_normal((6, 9))


@pytest.mark.parametrize("function", BY_HAND)
def test_an_operator_is_its_function_of_the_weighted_sum_around_the_site(states, function):
    operator = OperatorSettings(function=function, weights=WEIGHTS).encoded
    sums = np.array(
        [
            [sum(w * x[(i + m) % 9] for m, w in zip(range(-2, 3), WEIGHTS, strict=True)) for i in range(9)]
            for x in states
        ]
    )
    np.testing.assert_allclose(field(states, operator), BY_HAND[function](sums), rtol=1e-12)
    sites = np.array([8, 0, 3])
    np.testing.assert_allclose(observed(states, sites, operator), BY_HAND[function](sums[:, sites]), rtol=1e-12)


def test_the_sites_themselves_cost_nothing(states):
    operator = OperatorSettings().encoded
    assert operator.size == 0
    assert field(states, operator) is states
    np.testing.assert_array_equal(observed(states, np.array([4, 1]), operator), states[:, [4, 1]])


@pytest.mark.parametrize("function", BY_HAND)
@pytest.mark.parametrize("weights", [[1.0], WEIGHTS], ids=["site", "footprint"])
def test_the_jacobian_equals_finite_differences_and_automatic_differentiation(states, function, weights):
    import torch

    operator, sites, x = OperatorSettings(function=function, weights=weights).encoded, np.array([1, 8, 5]), states[0]
    H = jacobian(x, sites, operator)
    steps = 1e-6 * np.eye(9)
    differences = (observed(x + steps, sites, operator) - observed(x - steps, sites, operator)) / 2e-6
    np.testing.assert_allclose(H, differences.T, rtol=1e-6, atol=1e-6)
    tensor = torch.tensor(x, requires_grad=True)
    for row, site in zip(H, sites, strict=True):
        (slope,) = torch.autograd.grad(differentiable_field(tensor, operator)[site], tensor)
        np.testing.assert_allclose(row, slope.numpy(), rtol=1e-12, atol=1e-14)


def test_the_logarithm_is_held_near_zero():
    operator = OperatorSettings(function="log").encoded
    x = np.array([0.0, 1e-9, -1e-3, 1.0])
    np.testing.assert_allclose(field(x, operator), [np.log(1e-3)] * 3 + [0.0])
    assert np.isfinite(jacobian(x, np.arange(4), operator)).all()


def climate(n=7):
    root = np.random.default_rng(3).standard_normal((n, n)) + 2 * np.eye(n)
    none = np.empty(0)
    return FullBackground(np.linspace(-2, 3, n), root @ root.T, none, none)


def test_what_the_climate_expects_of_a_square_and_of_an_absolute_value_is_the_closed_form():
    from scipy.stats import norm

    background = climate()
    m, v = background.mean, background.variance
    square = expected(background, OperatorSettings(function="square").encoded)
    np.testing.assert_allclose(square.mean, m**2 + v, rtol=1e-9)
    np.testing.assert_allclose(square.variance, 2 * v**2 + 4 * m**2 * v, rtol=1e-9)
    np.testing.assert_allclose(square.slope, 2 * m, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(square.unexplained, 2 * v**2, rtol=1e-6)
    folded = expected(background, OperatorSettings(function="absolute").encoded)
    s = np.sqrt(v)
    np.testing.assert_allclose(folded.mean, 2 * s * norm.pdf(m / s) + m * (1 - 2 * norm.cdf(-m / s)), rtol=1e-7)
    np.testing.assert_allclose(folded.slope, 1 - 2 * norm.cdf(-m / s), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(folded.variance, m**2 + v - folded.mean**2, rtol=1e-7)


@pytest.mark.parametrize("function", ["log", "arctan"])
def test_what_the_climate_expects_is_what_draws_from_it_show(function):
    background, n = climate(), 200_000
    operator = OperatorSettings(function=function, weights=[0.5, 1.0, 0.2]).encoded
    draws = background.draw(n, np.random.default_rng(0))
    seen, told = field(draws, operator), expected(background, operator)
    z = field(draws, OperatorSettings(weights=[0.5, 1.0, 0.2]).encoded)
    np.testing.assert_allclose(told.mean, seen.mean(axis=0), atol=5 * seen.std() / np.sqrt(n))
    np.testing.assert_allclose(told.variance, seen.var(axis=0), rtol=0.03)
    slope = [np.cov(z[:, i], seen[:, i])[0, 1] / z[:, i].var() for i in range(7)]
    np.testing.assert_allclose(told.slope, slope, atol=0.01)


def test_a_linear_operator_leaves_nothing_unexplained():
    background = climate()
    found = expected(background, OperatorSettings(weights=[0.5, 1.0, 0.2]).encoded)
    H = jacobian(background.mean, np.arange(7), OperatorSettings(weights=[0.5, 1.0, 0.2]).encoded)
    np.testing.assert_allclose(found.mean, H @ background.mean, atol=1e-9)
    np.testing.assert_allclose(found.variance, np.diag(H @ background.covariance @ H.T), rtol=1e-9)
    np.testing.assert_allclose(found.slope, 1, rtol=1e-9)
    np.testing.assert_allclose(found.unexplained, 0, atol=1e-9)


def truth(states):
    return truth_dataset(0.05 * np.arange(len(states)), np.ones(len(states), np.int8), states, 0.05)


def test_a_simulated_observation_is_the_operator_plus_the_error(states):
    settings = ObservationSettings(
        network=EverySite(stride=2), operator={"function": "square", "weights": [0.5, 1.0, 0.5]}, error_std=1e-9
    )
    found = observe(truth(states), settings, np.random.default_rng(0))
    np.testing.assert_allclose(found["value"], field(states, settings.operator.encoded)[:, ::2], atol=1e-7)
    np.testing.assert_array_equal(operator_of(found, 9), settings.operator.encoded)
    direct = observe(truth(states), ObservationSettings(network=AllSites()), np.random.default_rng(0))
    assert "operator" not in direct.attrs


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_errors_do_not_depend_on_the_operator(states, function):
    settings = [ObservationSettings(network=AllSites(), operator={"function": f}) for f in ("identity", function)]
    first, second = (observe(truth(states), s, np.random.default_rng(0))["value"].values for s in settings)
    np.testing.assert_allclose(first - states, second - field(states, settings[1].operator.encoded), atol=1e-12)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"weights": [0.5, 0.5]}, "must be odd"),
        ({"weights": [0.0]}, "must not be 0"),
        ({"weights": []}, "at least 1 item"),
        ({"function": "cube"}, "'identity', 'square'"),
    ],
)
def test_an_operator_that_cannot_be_is_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        OperatorSettings(**bad)


def test_a_footprint_wider_than_the_state_is_refused(states):
    wide = ObservationSettings(network=AllSites(), operator={"weights": [1.0] * 11})
    with pytest.raises(SettingsError, match="footprint has 11 sites; the state has only 9"):
        observe(truth(states), wide, np.random.default_rng(0))


@pytest.mark.parametrize("text", ["square", '{"function": "cube"}', "[1]", 3])
def test_a_file_with_an_operator_that_cannot_be_is_refused(text):
    with pytest.raises(FileError, match="the attribute operator of the observations cannot be used"):
        operator_of(xr.Dataset(attrs={"operator": text}), 9)
