"""Observation operators: what they see, their derivatives, and what the climate leads them to expect."""

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from assimilearn.assimilation.background.climatology import FullBackground
from assimilearn.assimilation.background.expected import expected
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import grid, ring, without_space
from assimilearn.models.truth import truth_dataset
from assimilearn.observations import ObservationSettings, observe
from assimilearn.observations.networks import AllSites, EverySite
from assimilearn.observations.operator_kernels import jacobian, observed
from assimilearn.observations.operators import OperatorSettings, footprints, operator_of, rows_of
from assimilearn.observations.rows import FUNCTIONS, differentiable_values, observed_values

WEIGHTS = [0.25, 0.5, -0.3, 0.1, 0.7]
BY_HAND = {
    "cube": lambda z: z**3,
    "identity": lambda z: z,
    "square": lambda z: z**2,
    "absolute": np.abs,
    "log": lambda z: np.log(np.abs(z)),
    "arctan": np.arctan,
}


def table(size=9, **settings):
    return footprints(OperatorSettings(**settings), ring(size))


def everywhere(states, operator):
    """h at every site of ``states (..., site)``."""
    return observed_values(states, np.arange(states.shape[-1]), operator)


@pytest.fixture
def states():
    return 2.3 + 3.6 * np.random.default_rng(0).standard_normal((6, 9))


@pytest.mark.parametrize("function", BY_HAND)
def test_an_operator_is_its_function_of_the_weighted_sum_around_the_site(states, function):
    operator = table(function=function, weights=WEIGHTS)
    sums = np.array(
        [
            [sum(w * x[(i + m) % 9] for m, w in zip(range(-2, 3), WEIGHTS, strict=True)) for i in range(9)]
            for x in states
        ]
    )
    np.testing.assert_allclose(everywhere(states, operator), BY_HAND[function](sums), rtol=1e-12)
    sites = np.array([8, 0, 3])
    np.testing.assert_allclose(observed(states, sites, operator), BY_HAND[function](sums[:, sites]), rtol=1e-12)


def test_the_sites_themselves_cost_nothing(states):
    operator = table()
    assert operator.direct
    np.testing.assert_array_equal(everywhere(states, operator), states)
    np.testing.assert_array_equal(observed(states, np.array([4, 1]), operator), states[:, [4, 1]])


@pytest.mark.parametrize("function", BY_HAND)
@pytest.mark.parametrize("weights", [[1.0], WEIGHTS], ids=["site", "footprint"])
def test_the_jacobian_equals_finite_differences_and_automatic_differentiation(states, function, weights):
    import torch

    operator, sites, x = table(function=function, weights=weights), np.array([1, 8, 5]), states[0]
    H = jacobian(x, sites, operator)
    steps = 1e-6 * np.eye(9)
    differences = (observed(x + steps, sites, operator) - observed(x - steps, sites, operator)) / 2e-6
    np.testing.assert_allclose(H, differences.T, rtol=1e-6, atol=1e-6)
    tensor = torch.tensor(x, requires_grad=True)
    for o, row in enumerate(H):
        (slope,) = torch.autograd.grad(differentiable_values(tensor, sites, operator)[o], tensor)
        np.testing.assert_allclose(row, slope.numpy(), rtol=1e-12, atol=1e-14)


def test_the_logarithm_is_held_near_zero():
    operator = table(4, function="log")
    x = np.array([0.0, 1e-9, -1e-3, 1.0])
    np.testing.assert_allclose(everywhere(x, operator), [np.log(1e-3)] * 3 + [0.0])
    assert np.isfinite(jacobian(x, np.arange(4), operator)).all()


def climate(n=7):
    root = np.random.default_rng(3).standard_normal((n, n)) + 2 * np.eye(n)
    none = np.empty(0)
    return FullBackground(np.linspace(-2, 3, n), root @ root.T, none, none)


def test_what_the_climate_expects_of_a_square_and_of_an_absolute_value_is_the_closed_form():
    from scipy.stats import norm

    background = climate()
    m, v = background.mean, background.variance
    square = expected(background, table(7, function="square"))
    np.testing.assert_allclose(square.mean, m**2 + v, rtol=1e-9)
    np.testing.assert_allclose(square.variance, 2 * v**2 + 4 * m**2 * v, rtol=1e-9)
    np.testing.assert_allclose(square.slope, 2 * m, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(square.unexplained, 2 * v**2, rtol=1e-6)
    folded = expected(background, table(7, function="absolute"))
    s = np.sqrt(v)
    np.testing.assert_allclose(folded.mean, 2 * s * norm.pdf(m / s) + m * (1 - 2 * norm.cdf(-m / s)), rtol=1e-7)
    np.testing.assert_allclose(folded.slope, 1 - 2 * norm.cdf(-m / s), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(folded.variance, m**2 + v - folded.mean**2, rtol=1e-7)


@pytest.mark.parametrize("function", ["log", "arctan"])
def test_what_the_climate_expects_is_what_draws_from_it_show(function):
    background, n = climate(), 200_000
    operator = table(7, function=function, weights=[0.5, 1.0, 0.2])
    draws = background.draw(n, np.random.default_rng(0))
    seen, told = everywhere(draws, operator), expected(background, operator)
    z = everywhere(draws, table(7, weights=[0.5, 1.0, 0.2]))
    np.testing.assert_allclose(told.mean, seen.mean(axis=0), atol=5 * seen.std() / np.sqrt(n))
    np.testing.assert_allclose(told.variance, seen.var(axis=0), rtol=0.03)
    slope = [np.cov(z[:, i], seen[:, i])[0, 1] / z[:, i].var() for i in range(7)]
    np.testing.assert_allclose(told.slope, slope, atol=0.01)


def test_a_linear_operator_leaves_nothing_unexplained():
    background = climate()
    found = expected(background, table(7, weights=[0.5, 1.0, 0.2]))
    H = jacobian(background.mean, np.arange(7), table(7, weights=[0.5, 1.0, 0.2]))
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
    np.testing.assert_allclose(
        found["value"], everywhere(states, footprints(settings.operator, ring(9)))[:, ::2], atol=1e-7
    )
    for told, own in zip(operator_of(found, ring(9)), footprints(settings.operator, ring(9)), strict=True):
        np.testing.assert_array_equal(told, own)
    direct = observe(truth(states), ObservationSettings(network=AllSites()), np.random.default_rng(0))
    assert "operator" not in direct.attrs


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_errors_do_not_depend_on_the_operator(states, function):
    settings = [ObservationSettings(network=AllSites(), operator={"function": f}) for f in ("identity", function)]
    first, second = (observe(truth(states), s, np.random.default_rng(0))["value"].values for s in settings)
    np.testing.assert_allclose(
        first - states, second - everywhere(states, footprints(settings[1].operator, ring(9))), atol=1e-12
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"weights": [0.5, 0.5]}, "must be odd"),
        ({"weights": [0.0]}, "must not be 0"),
        ({"weights": []}, "at least 1 item"),
        ({"function": "root"}, "'identity', 'square'"),
    ],
)
def test_an_operator_that_cannot_be_is_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        OperatorSettings(**bad)


def test_a_footprint_wider_than_the_state_is_refused(states):
    wide = ObservationSettings(network=AllSites(), operator={"weights": [1.0] * 11})
    with pytest.raises(SettingsError, match="footprint has 11 sites; the state has only 9"):
        observe(truth(states), wide, np.random.default_rng(0))


@pytest.mark.parametrize("text", ["square", '{"function": "root"}', "[1]", 3])
def test_a_file_with_an_operator_that_cannot_be_is_refused(text):
    with pytest.raises(FileError, match="the attribute operator of the observations cannot be used"):
        operator_of(xr.Dataset(attrs={"operator": text}), ring(9))


def test_a_footprint_on_a_plane_lies_along_its_last_axis(states):
    plane = grid({"a": (2, 5), "b": (2, 5)})
    x = np.arange(20.0)
    seen = observed_values(x, np.array([4, 5, 19]), footprints(OperatorSettings(weights=[1.0, 10.0, 100.0]), plane))
    np.testing.assert_allclose(seen, [3 + 40 + 0, 9 + 50 + 600, 18 + 190 + 1500])


def test_a_footprint_needs_space():
    with pytest.raises(SettingsError, match="needs distances between sites"):
        footprints(OperatorSettings(weights=[1.0, 1.0, 1.0]), without_space("xyz"))


PLANE = grid({"height": (4, 6), "flow": (4, 6)}, spacing=(2.0, 1.0), periodic=(False, True))


def plane_truth(times=5):
    states = np.random.default_rng(1).standard_normal((times, PLANE.size))
    return truth_dataset(0.05 * np.arange(times), np.ones(times, np.int8), states, 0.05).assign_attrs(PLANE.attributes)


def test_observations_between_sites_are_interpolated_and_say_where_they_are():
    network = {"method": "moving_random", "count": 7, "places": "anywhere", "fields": ["flow"]}
    found = observe(plane_truth(), ObservationSettings(network=network, error_std=1e-9), np.random.default_rng(0))
    flow = PLANE.split(plane_truth()["state"].values)["flow"]
    for k in range(5):
        for o in range(7):
            y, x = found["y"].values[k, o] / 2, found["x"].values[k, o]
            j, i = min(int(y), 2), int(x)
            corners = flow[k, j : j + 2][:, [i, (i + 1) % 6]]
            by_hand = np.array([1 - (y - j), y - j]) @ corners @ np.array([1 - (x - i), x - i])
            assert found["value"].values[k, o] == pytest.approx(by_hand, abs=1e-6)
    told = observed_values(plane_truth()["state"].values, rows_of(found), operator_of(found, PLANE))
    np.testing.assert_allclose(told, found["value"], atol=1e-6)
    assert (found["site_index"].values >= 24).all()


def test_instruments_of_two_kinds_are_in_one_file_each_with_its_error():
    settings = ObservationSettings(
        error_std=0.5,
        instruments={
            "gauge": {"network": {"method": "every", "stride": 3, "fields": ["height"]}},
            "speed": {"network": {"method": "all", "fields": ["flow"]}, "operator": {"function": "absolute"},
                      "error_std": 1e-9},
        },
    )  # fmt: skip
    found = observe(plane_truth(), settings, np.random.default_rng(0))
    assert found["instrument"].attrs["flag_meanings"] == "gauge speed"
    speed = found["instrument"].values == 1
    assert speed.sum(axis=1).tolist() == [24] * 5
    np.testing.assert_array_equal(found["error_std"].values[speed], 1e-9)
    np.testing.assert_array_equal(found["error_std"].values[~speed], 0.5)
    told = observed_values(plane_truth()["state"].values, rows_of(found), operator_of(found, PLANE))
    np.testing.assert_allclose(told[speed], found["value"].values[speed], atol=1e-6)
    flow = PLANE.split(plane_truth()["state"].values)["flow"]
    np.testing.assert_allclose(told[speed].reshape(5, 24), np.abs(flow).reshape(5, 24))


@pytest.mark.parametrize(("entry", "value", "what"), [
    ("corner_site", 48, "one of the sites 0 to 47"),
    ("corner_weight", np.inf, "mean nothing"),
    ("function", 99, "mean nothing"),
])  # fmt: skip
def test_rows_that_cannot_be_are_refused(entry, value, what):
    network = {"method": "fixed_random", "count": 3, "places": "anywhere"}
    found = observe(plane_truth(), ObservationSettings(network=network), np.random.default_rng(0))
    found[entry][{"time": 1}] = value
    with pytest.raises(FileError, match=what):
        operator_of(found, PLANE)


def test_an_instrument_with_a_wrong_setting_is_refused():
    with pytest.raises(ValidationError, match="stride"):
        ObservationSettings(instruments={"a": {"network": {"method": "every", "stride": 0}}})
