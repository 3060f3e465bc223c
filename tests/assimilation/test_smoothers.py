"""Smoothers: exact for linear models, one by the other, and better than the filter for Lorenz-96."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling.start import first_ensemble
from assimilearn.assimilation.cycling.stepping import forecast
from assimilearn.assimilation.methods.ienks import minimize
from assimilearn.assimilation.problem import pose
from assimilearn.models.integrate import advance

MEAN, B = np.ones(4), np.eye(4) + 0.5


@pytest.fixture
def twin():
    """Linear twin with two observed sites and a time without observations."""
    model, rng = linear_model(), np.random.default_rng(0)
    observations = observe_states(rng.standard_normal((14, 4)), 0.1, 0.8, rng, [0, 3])
    observations["valid"][7] = 0
    return model, observations, climatology_file(MEAN, B)


def smoothed(model, observations, x, P, k, last):
    """Exact mean and variance at time k of a run without model error from N(x, P) given observations 1 ... last."""
    precision, pull, power = np.linalg.inv(P), np.linalg.solve(P, x), np.eye(len(x))
    for j in range(last + 1):
        if j > 0 and observations["valid"].values[j].all():
            H = power[observations["site_index"].values[j]] / 0.8
            precision, pull = precision + H.T @ H, pull + H.T @ observations["value"].values[j] / 0.8
        power = model.M @ power
    forward = np.linalg.matrix_power(model.M, k)
    covariance = forward @ np.linalg.inv(precision) @ forward.T
    return forward @ np.linalg.solve(precision, pull), np.diag(covariance)


def start_moments(twin, members, seed, children):
    """Mean and covariance of the ensemble with which a run from ``seed`` begins."""
    model, observations, climate = twin
    problem = pose(observations, model, climate)
    rng = np.random.default_rng(seed).spawn(2)[0].spawn(children)[0]
    E = first_ensemble(problem, np.ones(2, bool), rng, members)[1]
    return E.mean(axis=0), np.cov(E.T)


SMOOTHERS = {
    "enks, lag 0": (METHODS["enks"](members=9, inflation=1, lag=0), 4),
    "enks, lag 3": (METHODS["enks"](members=9, inflation=1, lag=3, rotation=True), 4),
    "enks, lag beyond the run": (METHODS["enks"](members=9, inflation=1, lag=40), 4),
    "ienks, lag 1": (METHODS["ienks"](members=9, inflation=1, lag=1, estimate="smoother"), 2),
    "ienks, lag 3": (METHODS["ienks"](members=9, inflation=1, lag=3, estimate="smoother", rotation=True), 2),
    "ienks, mda": (METHODS["ienks"](members=9, inflation=1, lag=3, estimate="smoother", iteration="mda"), 2),
}


@pytest.mark.parametrize(("settings", "children"), SMOOTHERS.values(), ids=SMOOTHERS)
def test_a_smoother_is_exact_for_a_linear_model_given_the_moments_of_its_first_ensemble(twin, settings, children):
    model, observations, climate = twin
    analysis = assimilate(observations, model, settings, climate, np.random.default_rng(1))
    moments = start_moments(twin, 9, 1, children)
    for k in range(14):
        mean, variance = smoothed(model, observations, *moments, k, min(k + settings.lag, 13))
        np.testing.assert_allclose(analysis["mean"][k], mean, atol=2e-5)
        np.testing.assert_allclose(analysis["spread"][k], np.sqrt(variance), rtol=2e-5)


@pytest.mark.parametrize("settings", [{"lag": 1}, {"lag": 4}, {"lag": 4, "iteration": "mda"}], ids=str)
def test_the_iterative_smoother_filters_like_the_etkf_if_the_model_is_linear(twin, settings):
    model, observations, climate = twin
    both = {
        name: assimilate(
            *(observations, model, METHODS[name](members=9, inflation=1, **extra), climate, np.random.default_rng(1))
        )
        for name, extra in (("etkf", {}), ("ienks", settings))
    }
    for name in ("mean", "spread", "forecast_mean", "innovation", "innovation_std"):
        np.testing.assert_allclose(both["ienks"][name], both["etkf"][name], atol=3e-5, err_msg=name)


@pytest.mark.parametrize("certainty", [1.0, 2.0])
@pytest.mark.parametrize("members", [4, 12])
def test_with_inferred_inflation_the_iterative_smoother_is_the_enkf_n_if_the_model_is_linear(twin, certainty, members):
    """The primal form of the one and the dual form of the other have one minimum."""
    model, observations, climate = twin
    exact = {"iterations": 100, "tolerance": 1e-10, "inflation": 1.0}
    settings = {"members": members, "certainty": certainty, "keep_members": "all"}
    smoother, enkf_n, etkf = (
        assimilate(observations, model, settings, climate, np.random.default_rng(5))["members"]
        for settings in (
            METHODS["ienks"](**settings, **exact),
            METHODS["enkf-n"](**settings),
            METHODS["etkf"](members=members, inflation=1.0, keep_members="all"),
        )
    )
    np.testing.assert_allclose(smoother, enkf_n, atol=1e-4)
    assert np.abs(smoother - etkf).max() > 0.01


def test_the_forecasts_of_a_smoother_are_those_of_its_filter(twin):
    model, observations, climate = twin
    options = {"members": 6, "inflation": 1.1, "model_error": 0.2, "keep_members": "all"}
    smoother, filter_ = (
        assimilate(observations, model, METHODS[name](**options), climate, np.random.default_rng(1))
        for name in ("enks", "etkf")
    )
    for name in ("forecast_mean", "forecast_spread", "innovation", "forecast_members"):
        np.testing.assert_allclose(smoother[name], filter_[name], atol=2e-5, err_msg=name)
    np.testing.assert_allclose(smoother["members"][-1], filter_["members"][-1], atol=2e-5)
    assert float(abs(smoother["mean"] - filter_["mean"])[:-1].max()) > 0.05


def test_the_ensemble_smoother_with_model_error_converges_to_the_smoother_of_rauch_tung_and_striebel(twin):
    model, observations, climate = twin
    exact = rauch_tung_striebel(model, observations, 0.3)
    errors = []
    for members in (40, 1600):
        settings = METHODS["enks"](members=members, inflation=1, model_error=0.3, lag=20)
        runs = [assimilate(observations, model, settings, climate, np.random.default_rng(s)) for s in range(4)]
        errors.append(np.sqrt(np.mean([((run["mean"] - exact) ** 2).mean() for run in runs])))
    assert errors[1] < 2 / np.sqrt(1600)
    assert 3 < errors[0] / errors[1] < 12  # six, for forty times the members


def rauch_tung_striebel(model, observations, error_std):
    """Exact smoothed means, (time, site)."""
    M, forecasts, analyses, x, P = model.M, [], [], MEAN, B
    for k in range(observations.sizes["time"]):
        if k > 0:
            x, P = M @ x, M @ P @ M.T + error_std**2 * np.eye(4)
        forecasts.append((x, P))
        if observations["valid"].values[k].all():
            K = P[:, [0, 3]] @ np.linalg.inv(P[np.ix_([0, 3], [0, 3])] + 0.64 * np.eye(2))
            x, P = x + K @ (observations["value"].values[k] - x[[0, 3]]), P - K @ P[[0, 3]]
        analyses.append((x, P))
    means = [x]
    for k in range(len(analyses) - 2, -1, -1):
        (x, P), (x_next, P_next) = analyses[k], forecasts[k + 1]
        means.append(x + P @ M.T @ np.linalg.solve(P_next, means[-1] - x_next))
    return np.array(means[::-1])


def test_gauss_newton_goes_on_to_the_minimum_of_the_nonlinear_cost():
    model, truth = lorenz96_truth(2, every=12)  # 0.6 MTU: strongly nonlinear
    rng = np.random.default_rng(0)
    observations = observe_states(truth, 0.05, 1.0, rng, every=12)
    problem = pose(observations, model, climatology_file(np.zeros(40), np.eye(40)))
    E = truth[0] + 0.5 * rng.standard_normal((60, 40))
    newest = advance(model, E, 12)
    sites, y, r = np.arange(40), observations["value"].values[1], np.ones(40)
    precision = np.linalg.inv(np.cov(E.T))

    def cost(x):
        increment, residual = x - E.mean(axis=0), y - advance(model, x, 12)
        return (increment @ precision @ increment + residual @ residual) / 2

    costs = []
    for iterations in (1, 10):
        settings = METHODS["ienks"](members=60, iterations=iterations)
        analysis = minimize(problem, settings, E.copy(), newest.copy(), 12, y, r, sites)
        costs.append(cost(analysis.mean(axis=0)))
    assert costs[1] < costs[0] < cost(E.mean(axis=0))


@pytest.mark.parametrize("method", ["enks", "ienks"])
def test_a_smoother_gives_the_same_compiled_and_interpreted_and_for_the_same_seed(twin, method):
    model, observations, climate = twin
    settings = METHODS[method](members=6, lag=2, rotation=True, keep_members="all", background_check=2.0)
    compiled, again = (assimilate(observations, model, settings, climate, np.random.default_rng(2)) for _ in range(2))
    assert compiled.identical(again)
    interpreted = assimilate(observations, model.interpreted(), settings, climate, np.random.default_rng(2))
    for name in compiled:
        np.testing.assert_allclose(compiled[name], interpreted[name], atol=1e-5, err_msg=name)
    assert int(compiled["rejected"].sum()) > 0
    np.testing.assert_allclose(compiled["members"].mean("member"), compiled["mean"], atol=1e-5)
    np.testing.assert_allclose(compiled["members"].std("member", ddof=1), compiled["spread"], atol=1e-5)


def test_forecasts_add_noise_after_each_step():
    model, E = linear_model(), np.arange(8.0).reshape(2, 4)
    expected, noise = E.copy(), 0.5 * np.random.default_rng(3).standard_normal((3, 2, 4))
    for s in range(3):
        expected = expected @ model.M.T + noise[s]
    for form in (model, model.interpreted()):
        advanced = E.copy()
        forecast(form, advanced, 3, 0.5, np.random.default_rng(3))
        np.testing.assert_allclose(advanced, expected, atol=1e-12)


def test_smoothing_lorenz96_is_better_than_filtering_it():
    model, truth = lorenz96_truth(300)
    observations, climate = observe_states(truth, 0.05, 1.0, np.random.default_rng(1)), lorenz96_climatology()
    options = {"members": 25, "inflation": 1.03, "rotation": True}
    cases = {
        "filter": METHODS["etkf"](**options),
        "enks": METHODS["enks"](**options, lag=5),
        "enrts": METHODS["enrts"](members=25, inflation=1.03),
        "ienks": METHODS["ienks"](**options, lag=5, estimate="smoother"),
    }
    score = {}
    for name, settings in cases.items():
        run = assimilate(observations, model, settings, climate, np.random.default_rng(0))
        score[name] = float(np.sqrt(((run["mean"] - truth) ** 2).mean("site"))[60:].median())
    assert score["enks"] < 0.85 * score["filter"]
    assert score["enrts"] < 0.85 * score["filter"]
    assert score["ienks"] < 0.85 * score["filter"]


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("enks", "lag", -1),
        ("ienks", "lag", 0),
        ("ienks", "iterations", 0),
        ("ienks", "iteration", "newton"),
        ("ienks", "tolerance", 0.0),
        ("ienks", "model_error", 0.1),
        ("enrts", "memory", 0.0),
        ("enrts", "rotation", True),
        ("enrts", "memory", 1.1),
    ],
)
def test_settings_out_of_range_are_refused(method, name, value):
    with pytest.raises(ValidationError):
        METHODS[method](**{name: value})


def test_inflation_of_the_present_leaves_the_past_alone(twin):
    model, observations, climate = twin
    observations["error_std"][1:] = 1e7  # worthless: the filter inflates, and there is nothing to learn for the past
    options = {"members": 6, "inflation": 1.3, "rotation": True}
    smoother, filter_ = (
        assimilate(observations, model, METHODS[name](**options), climate, np.random.default_rng(1))
        for name in ("enks", "etkf")
    )
    for name in ("mean", "spread"):
        np.testing.assert_allclose(smoother[name], filter_[name], rtol=1e-4, atol=1e-4)
    assert float(filter_["spread"][-1].mean() / filter_["spread"][0].mean()) > 10


@pytest.mark.parametrize("N", [4, 9])
@pytest.mark.parametrize("options", [{"inflation": 1}, {"inflation": 1, "rotation": True}], ids=str)
def test_the_smoother_that_goes_back_equals_the_one_that_carries_the_past_along(twin, options, N):
    model, observations, climate = twin
    both = [
        assimilate(observations, model, METHODS[name](members=N, **options, **lag), climate, np.random.default_rng(1))
        for name, lag in (("enks", {"lag": 20}), ("enrts", {"memory": 1.0}))
    ]
    for name in ("mean", "spread", "forecast_mean"):
        np.testing.assert_allclose(both[1][name], both[0][name], atol=1e-4, err_msg=name)


def test_the_smoother_that_goes_back_converges_to_that_of_rauch_tung_and_striebel_with_model_error(twin):
    model, observations, climate = twin
    exact = rauch_tung_striebel(model, observations, 0.3)
    errors = []
    for members in (40, 1600):
        settings = METHODS["enrts"](members=members, inflation=1, model_error=0.3, memory=1.0)
        runs = [assimilate(observations, model, settings, climate, np.random.default_rng(s)) for s in range(4)]
        errors.append(np.sqrt(np.mean([((run["mean"] - exact) ** 2).mean() for run in runs])))
    assert 3 < errors[0] / errors[1] < 12


def test_the_smoother_that_goes_back_keeps_the_members_that_were_asked_for(twin):
    model, observations, climate = twin
    runs = {
        keep: assimilate(
            *(observations, model, METHODS["enrts"](members=6, keep_members=keep), climate, np.random.default_rng(1))
        )
        for keep in ("none", "test", "all")
    }
    assert "members" not in runs["none"]
    assert (observations["period"].sel(time=runs["test"]["ensemble_time"].values) == 3).all()
    at = {"time": runs["test"]["ensemble_time"].values}
    np.testing.assert_allclose(runs["test"]["members"].mean("member"), runs["all"]["mean"].sel(at), atol=1e-5)


def test_the_inflation_is_inferred_by_gauss_newton_only():
    with pytest.raises(ValidationError, match="certainty"):
        METHODS["ienks"](certainty=1.0, iteration="mda")
