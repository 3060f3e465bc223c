"""Localized iterative smoother: the global one without a taper, the local ones if the model is linear, and its use."""

from dataclasses import dataclass

import numpy as np
import pytest
from pydantic import ValidationError
from twins import LinearModel, climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.local.taper_functions import gaspari_cohn
from assimilearn.assimilation.methods.lienks import minimize
from assimilearn.assimilation.problem import pose
from assimilearn.models.integrate import advance

EVERYWHERE = {"taper": "boxcar", "localization_radius": 1e6}


def linear_twin(model, K=12, empty=(7,)):
    """Observations of every other site of a linear model, and none at the ``empty`` times."""
    rng, n = np.random.default_rng(0), model.size
    observations = observe_states(rng.standard_normal((K, n)), 0.1, 0.8, rng, np.arange(0, n, 2))
    observations["valid"][list(empty)] = 0
    return observations, model, climatology_file(np.ones(n), np.eye(n) + 0.5)


def run(twin, method, **settings):
    observations, model, climate = twin
    return assimilate(observations, model, METHODS[method](**settings), climate, np.random.default_rng(0))


def lorenz96_twin(times, every=1, n=40):
    model, truth = lorenz96_truth(times, n=n, every=every)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1), every=every)
    return truth, (observations, model, lorenz96_climatology(n))


@pytest.mark.parametrize("estimate", ["filter", "smoother"])
@pytest.mark.parametrize("lag", [1, 3])
def test_without_a_taper_it_is_the_global_smoother_if_the_model_is_linear(estimate, lag):
    options = {"members": 9, "inflation": 1.02, "rotation": True, "keep_members": "all"}
    twin = linear_twin(linear_model(n=6))
    local = run(twin, "lienks", lag=lag, estimate=estimate, **EVERYWHERE, **options)
    whole = run(twin, "ienks", lag=lag, estimate=estimate, **options)
    for name in ("mean", "spread", "forecast_mean", "members"):
        np.testing.assert_allclose(local[name], whole[name], atol=3e-5, err_msg=name)


@pytest.mark.parametrize("iterations", [1, 10])
def test_it_is_the_local_filter_if_the_model_changes_nothing(iterations):
    options = {"members": 7, "inflation": 1.04, "localization_radius": 1.5}
    twin = linear_twin(LinearModel(np.eye(12)))
    smoother, filter_ = run(twin, "lienks", iterations=iterations, **options), run(twin, "letkf", **options)
    for name in ("mean", "spread", "forecast_mean", "innovation"):
        np.testing.assert_allclose(smoother[name], filter_[name], atol=2e-4, err_msg=name)


@pytest.mark.parametrize("lag", [1, 3])
def test_the_start_of_a_window_is_that_of_the_local_smoother_if_the_model_is_linear(lag):
    twin = linear_twin(linear_model(n=12), K=lag + 1, empty=range(1, lag))
    options = {"members": 7, "inflation": 1.0, "localization_radius": 1.5, "lag": lag, "keep_members": "all"}
    iterative = run(twin, "lienks", estimate="smoother", **options)
    direct = run(twin, "letks", **options)
    np.testing.assert_allclose(iterative["members"][0], direct["members"][0], atol=2e-5)
    whole = run(twin, "letks", **{**options, **EVERYWHERE})
    assert np.abs(direct["members"][0] - whole["members"][0]).max() > 0.05


def window_of_lorenz96(members, error_std=0.5, steps=8):
    """Arguments of one analysis of 20 sites through a nonlinear window of 0.4 MTU, and its problem."""
    model, truth = lorenz96_truth(2, n=20, every=steps)
    rng = np.random.default_rng(0)
    observations = observe_states(truth, 0.05, 1.0, rng, every=steps)
    E = truth[0] + error_std * rng.standard_normal((members, 20))
    problem = pose(observations, model, climatology_file(np.zeros(20), np.eye(20)))
    y = observations["value"].values[1]
    return problem, (E, advance(model, E, steps), steps, y, np.ones(20), np.arange(20))


def jacobian(model, x, steps):
    """Of ``steps`` model steps, by central differences of its own."""
    up, down = (advance(model, x + size * np.eye(x.size), steps) for size in (1e-5, -1e-5))
    return (up - down).T / 2e-5


def solved(problem, x, E, steps, y, radius):
    """Mean and variance of every site by its own linear problem around the trajectory from x, each (site,)."""
    N, n = E.shape
    prior = E.mean(axis=0)
    slope, A = jacobian(problem.model, x, steps), (E - prior) / np.sqrt(N - 1)
    S = A @ slope.T
    d = y - advance(problem.model, x[None], steps)[0] + slope @ (x - prior)
    mean, variance = np.empty(n), np.empty(n)
    for site in range(n):
        distance = np.abs((np.arange(n) - site + n // 2) % n - n // 2)
        factor = gaspari_cohn(distance, radius)
        precision = np.where(factor > 1e-3, factor, 0.0)
        C = np.eye(N) + (S * precision) @ S.T
        mean[site] = prior[site] + A[:, site] @ np.linalg.solve(C, S @ (precision * d))
        variance[site] = A[:, site] @ np.linalg.solve(C, A[:, site])
    return mean, variance


def test_every_site_ends_at_the_solution_of_its_own_linear_problem_around_the_common_trajectory():
    problem, (E, newest, steps, y, r, sites) = window_of_lorenz96(members=8)
    domain, off = encoded("gaspari_cohn", 2.0, np.arange(20.0)[:, None], np.array([20.0])), {}
    for iterations in (1, 40):
        settings = METHODS["lienks"](members=8, iterations=iterations, tolerance=1e-8, bundle=1e-5)
        analysis = minimize(problem, settings, domain, E, newest, steps, y, r, sites)
        mean, variance = solved(problem, analysis.mean(axis=0), E, steps, y, 2.0)
        off[iterations] = np.abs(analysis.mean(axis=0) - mean).max()
    assert off[40] < 1e-4
    assert off[1] > 1e-2
    np.testing.assert_allclose(analysis.var(axis=0, ddof=1), variance, rtol=1e-3)


def test_without_a_taper_no_slope_of_the_nonlinear_cost_is_left():
    problem, (E, newest, steps, y, r, sites) = window_of_lorenz96(members=30)
    precision = np.linalg.inv(np.cov(E.T))

    def gradient(x):
        misfit = y - advance(problem.model, x[None], steps)[0]
        return precision @ (x - E.mean(axis=0)) - jacobian(problem.model, x, steps).T @ misfit

    settings = METHODS["lienks"](members=30, iterations=40, tolerance=1e-8, bundle=1e-5, **EVERYWHERE)
    everywhere = encoded("boxcar", 20.0, np.arange(20.0)[:, None], np.array([20.0]))
    analysis = minimize(problem, settings, everywhere, E, newest, steps, y, r, sites)
    before, after = (np.abs(gradient(x)).max() for x in (E.mean(axis=0), analysis.mean(axis=0)))
    assert after < 1e-3 * before


def rmse(run, truth, burn_in):
    return float(np.sqrt(((run["mean"] - truth) ** 2).mean("site"))[burn_in:].mean())


def test_eight_members_hold_lorenz96_with_localization_and_not_without():
    truth, twin = lorenz96_twin(250)
    options = {"members": 8, "inflation": 1.04, "lag": 3}
    local = run(twin, "lienks", localization_radius=4.0, **options)
    assert rmse(local, truth, 80) < 0.3
    assert not rmse(run(twin, "ienks", **options), truth, 80) < 3  # nor is it finite, if the run diverges
    smoothed = run(twin, "lienks", localization_radius=4.0, estimate="smoother", **options)
    assert rmse(smoothed, truth, 80) < 0.9 * rmse(local, truth, 80)


def test_iterations_are_better_than_the_local_filter_where_observations_are_rare():
    truth, twin = lorenz96_twin(160, every=8)
    options = {"members": 15, "inflation": 1.2, "localization_radius": 4.0}
    score = {name: rmse(run(twin, name, **options), truth, 60) for name in ("lienks", "letkf")}
    assert score["lienks"] < 0.5
    assert score["lienks"] < 0.85 * score["letkf"]


@dataclass(frozen=True)
class Staircase:
    """A linear model whose result is rounded, as that of a regression tree: it has no slopes."""

    smooth: LinearModel
    stair: float = 0.02

    compiled = None

    @property
    def size(self):
        return self.smooth.size

    @property
    def time_step(self):
        return self.smooth.time_step

    def step(self, states):
        return self.stair * np.round(self.smooth.step(states) / self.stair)


def test_a_wide_bundle_finds_the_slopes_of_a_model_that_is_constant_by_pieces():
    model = linear_model(n=6)
    twin = linear_twin(model, K=8)
    options = {"members": 9, "inflation": 1.02, **EVERYWHERE}
    exact, stairs = run(twin, "ienks", members=9, inflation=1.02)["mean"], (twin[0], Staircase(model), twin[2])
    error = {
        size: float(abs(run(stairs, "lienks", bundle=size, **options)["mean"] - exact).max()) for size in (1e-3, 1.0)
    }
    assert error[1.0] < 0.1
    assert error[1e-3] > 3 * error[1.0]


def test_it_gives_the_same_compiled_and_interpreted_and_for_the_same_seed():
    observations, model, climate = linear_twin(linear_model(n=8))
    options = {"members": 6, "lag": 2, "rotation": True, "keep_members": "all", "background_check": 1.5}
    compiled, again = (run((observations, model, climate), "lienks", **options) for _ in range(2))
    assert compiled.identical(again)
    interpreted = run((observations, model.interpreted(), climate), "lienks", **options)
    for name in compiled:
        np.testing.assert_allclose(compiled[name], interpreted[name], atol=1e-5, err_msg=name)
    assert int(compiled["rejected"].sum()) > 0
    np.testing.assert_allclose(compiled["members"].mean("member"), compiled["mean"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("localization_radius", -1.0),
        ("lag", 0),
        ("members", 1),
        ("iterations", 0),
        ("tolerance", 0.0),
        ("bundle", 0.0),
        ("bundle", 1.1),
        ("taper", "cosine"),
        ("model_error", 0.1),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValidationError, match=name) as refused:
        METHODS["lienks"](**{name: value})
    assert refused.value.error_count() == 1
