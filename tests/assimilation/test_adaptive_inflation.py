"""Inflation that follows the innovations: what tuning finds, found while the filter cycles."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling.scales import LARGEST_STEP, adapt, factor, scale
from assimilearn.models import Lorenz96, Lorenz96Settings

RNG = np.random.default_rng
CLIMATE = lorenz96_climatology()


def twin_runs(settings, model=None, seeds=(0, 1, 2), times=2000):
    """Analyses of Lorenz-96, all sites observed at every step, and their rmse after a fifth of the run."""
    runs = []
    for seed in seeds:
        true_model, states = lorenz96_truth(times, seed)
        observations = observe_states(states, true_model.time_step, 1.0, RNG(seed + 100))
        analysis = assimilate(observations, model or true_model, settings, CLIMATE, RNG(seed))
        error = np.sqrt(((analysis["mean"].values - states) ** 2).mean(axis=1))
        runs.append((analysis, error[times // 5 :].mean()))
    return runs


def median_rmse(runs):
    return np.median([rmse for _, rmse in runs])


@pytest.mark.parametrize("method", ["etkf", "enkf"])
def test_without_tuning_it_reaches_the_rmse_of_the_best_constant(method):
    best = min(median_rmse(twin_runs(METHODS[method](members=40, inflation=i))) for i in (1.01, 1.03, 1.06))
    assert median_rmse(twin_runs(METHODS[method](members=40, inflation="adaptive"))) < 1.05 * best


def test_a_wrong_model_makes_it_larger_and_better_than_the_constant_of_the_true_one():
    wrong = Lorenz96(Lorenz96Settings(forcing=8.5))
    adaptive, constant = (
        twin_runs(METHODS["etkf"](members=30, inflation=inflation, rotation=True), wrong)
        for inflation in ("adaptive", 1.04)
    )
    assert median_rmse(adaptive) < 0.7 * median_rmse(constant)
    for analysis, _ in adaptive:
        assert 1.06 < analysis["inflation"].values[-500:].mean() < 1.12


def test_a_large_ensemble_of_a_linear_model_needs_none():
    model, rng = linear_model(), RNG(0)
    states = [rng.standard_normal(4)]
    for _ in range(799):
        states.append(model.M @ states[-1] / 1.02)
    model = type(model)(model.M / 1.02)
    observations = observe_states(np.array(states), 0.1, 0.8, rng)
    settings = METHODS["etkf"](members=500, inflation="adaptive")
    analysis = assimilate(observations, model, settings, climatology_file(np.zeros(4), np.eye(4)), rng)
    np.testing.assert_allclose(analysis["inflation"], 1, atol=0.03)


def test_the_factor_of_fixed_variances_converges_to_the_one_that_was_drawn():
    rng, forecast, error = RNG(3), np.array([0.1, 0.5, 2.0]), np.array([1.0, 0.5, 0.7])
    state = scale(1.0, 1.0, 0.0, 0.1, 10.0)
    for _ in range(4000):  # here the factor does not act on the forecast: it is put in by hand
        current = factor(state) ** 2 * forecast
        d = np.sqrt(1.3**2 * forecast + error) * rng.standard_normal(3)
        adapt(state, d, np.sqrt(current + error), error, np.ones(3, np.int8))
    assert factor(state) == pytest.approx(1.3, abs=4 * 1.3 * np.sqrt(state[1]) / 2)
    assert np.sqrt(state[1]) < 0.05


def test_one_step_is_the_kalman_update_of_an_observed_factor():
    d, s2, r, v = np.array([0.5, -1.2, 0.3]), 0.4, 1.0, 1e-3
    state = scale(1.0, np.sqrt(v), 0.0, 0.1, 10.0)
    adapt(state, d, np.full(3, np.sqrt(s2 + r)), np.full(3, r), np.ones(3, np.int8))
    observed, error_variance = ((d**2).mean() - r) / s2, 2 / 3 * ((s2 + r) / s2) ** 2
    assert state[0] == pytest.approx(v / (v + error_variance) * (observed - 1), rel=1e-12)
    assert state[1] == pytest.approx(v * error_variance / (v + error_variance), rel=1e-12)


def test_unused_observations_and_gross_errors_do_not_blow_it_up():
    state = scale(1.0, 1.0, 0.0, 0.1, 10.0)
    before = state.copy()
    adapt(state, np.full(2, 1e6), np.ones(2), np.full(2, 0.5), np.zeros(2, np.int8))
    np.testing.assert_allclose(state, before)
    adapt(state, np.full(2, 1e6), np.ones(2), np.full(2, 0.5), np.ones(2, np.int8))
    assert state[0] == LARGEST_STEP


def test_it_is_recorded_and_stays_where_nothing_is_observed():
    model, states = lorenz96_truth(60)
    observations = observe_states(states, model.time_step, 1.0, RNG(1))
    observations["valid"][30:40] = 0
    inflation = assimilate(observations, model, METHODS["letkf"](inflation="adaptive"), CLIMATE, RNG(2))["inflation"]
    assert inflation.dims == ("time",)
    assert inflation[0] == 1
    np.testing.assert_array_equal(inflation[29:40], inflation[29])
    assert (np.diff(inflation[:29]) != 0).all()


@pytest.mark.parametrize("method", ["enks", "ienks", "hybrid", "enrts"])
def test_methods_with_loops_of_their_own_take_a_number_only(method):
    with pytest.raises(ValidationError, match="inflation"):
        METHODS[method](inflation="adaptive")


def test_it_cannot_be_told_from_model_error():
    with pytest.raises(ValidationError, match="adaptive inflation"):
        METHODS["etkf"](inflation="adaptive", model_error="estimated")
