"""Model error: sampled or as a square root, given or estimated from the innovations."""

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError
from twins import climatology_file, kalman_filter, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling.model_error import add_noise, square_root_core
from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.periods import with_periods

RNG = np.random.default_rng
CLIMATE = lorenz96_climatology()
NOTHING = np.empty((0, 0))


def noisy_truth(std, times, seed):
    """Lorenz-96 with noise of known size after each step, (time, site)."""
    model, start = lorenz96_truth(1, seed)
    rng, states = RNG(seed + 50), [start[0]]
    for _ in range(times - 1):
        states.append(model.step(states[-1]) + std * rng.standard_normal(40))
    return model, np.array(states)


def run(settings, std, model=None, times=1500, seed=0):
    """The analysis of a noisy truth, all sites observed at every step, and its rmse after a fifth of the run."""
    true_model, states = noisy_truth(std, times, seed)
    observations = observe_states(states, true_model.time_step, 1.0, RNG(seed + 100))
    analysis = assimilate(observations, model or true_model, settings, CLIMATE, RNG(seed))
    return analysis, np.sqrt(((analysis["mean"].values - states) ** 2).mean(axis=1))[times // 5 :].mean()


@pytest.mark.parametrize(("members", "sites"), [(5, 12), (9, 4)])
def test_the_square_root_adds_q_exactly_in_the_span_of_the_ensemble(members, sites):
    E, std = RNG(0).standard_normal((members, sites)) + 3, 0.7
    mean, P = E.mean(axis=0), np.cov(E.T)
    A = E - mean
    span = np.linalg.pinv(A) @ A
    square_root_core(E, std, NOTHING)
    np.testing.assert_allclose(E.mean(axis=0), mean, atol=1e-12)
    np.testing.assert_allclose(np.cov(E.T), P + std**2 * span, atol=1e-12)


def test_the_square_root_moves_members_as_little_as_a_symmetric_one_does():
    E, std = RNG(0).standard_normal((5, 12)), 0.7
    A = E - E.mean(axis=0)
    square_root_core(E, std, NOTHING)
    T = (E - E.mean(axis=0)) @ np.linalg.pinv(A)
    np.testing.assert_allclose(T, T.T, atol=1e-12)


def test_the_square_root_of_no_ensemble_is_harmless():
    E = np.ones((4, 3))
    square_root_core(E, 0.5, NOTHING)
    np.testing.assert_array_equal(E, 1)
    E[1, 1] = np.nan
    square_root_core(E, 0.5, NOTHING)
    assert np.isnan(E).any()


def test_sampled_noise_adds_q_on_average():
    E = np.zeros((20_000, 3))
    add_noise(E, 0.7, RNG(0).standard_normal(E.shape))
    np.testing.assert_allclose(np.cov(E.T), 0.49 * np.eye(3), atol=0.02)


def test_a_filter_with_the_square_root_is_the_kalman_filter_of_a_linear_model():
    model, rng = linear_model(), RNG(0)
    mean, B = np.ones(4), np.eye(4) + 0.5
    observations = observe_states(rng.standard_normal((80, 4)), 0.1, 0.8, rng, [0, 3])
    _, covariances = kalman_filter(model, observations, mean, B, model_error=0.3)
    settings = METHODS["etkf"](members=40, inflation=1.0, model_error=0.3, model_error_treatment="square_root")
    analysis = assimilate(observations, model, settings, climatology_file(mean, B), rng)
    exact = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    np.testing.assert_allclose(analysis["spread"][-10:], exact[-10:], rtol=1e-6)  # the first draw is forgotten


def test_the_square_root_is_better_than_sampling_while_the_ensemble_spans_what_grows():
    best = {}
    for treatment in ("sampled", "square_root"):
        settings = {"members": 30, "rotation": True, "model_error": 0.2, "model_error_treatment": treatment}
        best[treatment] = min(run(METHODS["etkf"](inflation=i, **settings), 0.2)[1] for i in (1.02, 1.1, 1.2))
    assert best["square_root"] < 0.95 * best["sampled"]


@pytest.mark.parametrize("std", [0.2, 0.5])
def test_the_estimate_is_the_noise_of_the_truth_and_as_good_as_knowing_it(std):
    settings = {"members": 40, "inflation": 1.0, "rotation": True, "model_error_treatment": "square_root"}
    analysis, rmse = run(METHODS["etkf"](model_error="estimated", **settings), std)
    _, known = run(METHODS["etkf"](model_error=std, **settings), std)
    assert analysis["model_error_std"][300:].mean() == pytest.approx(std, rel=0.15)
    assert rmse < 1.03 * known


def test_the_estimate_does_not_depend_on_where_it_starts():
    model, _ = lorenz96_truth(1)
    settings = METHODS["etkf"](
        members=60, inflation=1.0, model_error="estimated", model_error_treatment="square_root", rotation=True
    )
    ends = [
        run(settings, 0.3, Stating(model, residual), times=800)[0]["model_error_std"] for residual in (0.02, 0.3, 2.0)
    ]
    np.testing.assert_allclose([end[0] for end in ends], [0.02, 0.3, 2.0], rtol=1e-6)
    for end in ends:
        assert end[-300:].mean() == pytest.approx(0.3, rel=0.15)


class Stating:
    """A model that states its one-step error, as an emulator does; without a compiled step if so asked."""

    def __init__(self, model, residual_std, compiled=True):
        self.size, self.time_step, self.step = model.size, model.time_step, model.step
        self.residual_std, self.compiled = residual_std, model.compiled if compiled else None


def test_the_error_of_a_learned_model_is_larger_than_what_it_states_for_one_step_and_better_known():
    # errors of a learned model last from step to step, so that they add up to more than those of independent steps
    true_model, states = lorenz96_truth(1500)
    learned = open_emulator(train(learning_set(states), RidgeSettings(radius=2, degree=2), RNG(0)))
    observations = observe_states(states, true_model.time_step, 1.0, RNG(1))
    errors = {}
    for error in ("residual", "estimated"):
        settings = METHODS["etkf"](
            members=60, inflation=1.0, model_error=error, model_error_treatment="square_root", rotation=True
        )
        analysis = assimilate(observations, learned, settings, CLIMATE, RNG(2))
        errors[error] = np.sqrt(((analysis["mean"] - states)[500:] ** 2).mean())
    estimates = analysis["model_error_std"]
    assert estimates[0] == pytest.approx(learned.residual_std, rel=1e-6)
    assert 1.2 < estimates[500:].mean() / learned.residual_std < 2.4
    assert errors["estimated"] < 0.95 * errors["residual"]


def learning_set(states):
    """The truth as an analysis to learn from."""
    dataset = xr.Dataset(
        {"mean": (("time", "site"), states), "spread": (("time", "site"), np.full_like(states, 0.1))},
        coords={"time": 0.05 * np.arange(len(states))},
        attrs={"interval": 0.05, "status": "ok"},
    )
    return with_periods(dataset, np.repeat([1, 2, 3], len(states) // 3).astype(np.int8))


@pytest.mark.parametrize("method", ["enkf", "etkf", "denkf", "esrf", "enkf-n", "letkf", "eakf"])
def test_every_filter_takes_either_treatment_and_estimates_it(method):
    model, states = noisy_truth(0.3, 30, 0)
    observations = observe_states(states, model.time_step, 1.0, RNG(1))
    for treatment in ("sampled", "square_root"):
        settings = METHODS[method](members=8, model_error="estimated", model_error_treatment=treatment)
        std = assimilate(observations, model, settings, CLIMATE, RNG(2))["model_error_std"]
        assert std.dims == ("time",)
        assert (std > 0).all()
        assert len(np.unique(std)) > 20


def test_an_estimated_model_error_has_no_factor():
    with pytest.raises(ValidationError, match="no other scale"):
        METHODS["etkf"](model_error="estimated", model_error_scale=2.0)
    with pytest.raises(ValidationError, match="model_error"):
        METHODS["particle"](model_error="estimated")
