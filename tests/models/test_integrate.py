"""Trajectories are the same whichever way they are computed, and the truth keeps exactly the times asked for."""

from dataclasses import dataclass

import numpy as np
import pytest

from assimilearn.clock import step_numbers
from assimilearn.errors import AssimilearnError, SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models import truth as truth_module
from assimilearn.models.integrate import LONG, advance, spun_up_state, trajectory
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.periods import Periods, period_flags

MODEL = Lorenz96(Lorenz96Settings())


@dataclass(frozen=True)
class Uncompiled:
    """Lorenz-96 through its NumPy step alone."""

    size: int = 40
    time_step: float = 0.05
    compiled: None = None

    def step(self, states):
        return MODEL.step(states)


def start(*shape: int) -> np.ndarray:
    return 2.3 + 3.6 * np.random.default_rng(0).standard_normal((*shape, 40))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_compiled_and_stepwise_trajectories_agree(shape):
    """Over 1 MTU; beyond it chaos amplifies round-off."""
    compiled, stepwise = trajectory(MODEL, start(*shape), 20), trajectory(Uncompiled(), start(*shape), 20)
    assert compiled.shape == (21, *shape, 40)
    np.testing.assert_array_equal(compiled[0], start(*shape))
    np.testing.assert_allclose(compiled, stepwise, rtol=0, atol=1e-10)


def test_a_long_trajectory_begins_with_the_short_one():
    np.testing.assert_array_equal(trajectory(MODEL, start(3), LONG)[:21], trajectory(MODEL, start(3), 20))


@pytest.mark.parametrize("model", [MODEL, Uncompiled()])
def test_advance_ends_where_the_trajectory_ends(model):
    x = start(4)
    np.testing.assert_array_equal(advance(model, x, 30), trajectory(model, x, 30)[-1])
    np.testing.assert_array_equal(x, start(4))


def test_no_step_gives_the_initial_state():
    np.testing.assert_array_equal(trajectory(MODEL, start(), 0), start()[None])
    np.testing.assert_array_equal(advance(MODEL, start(), 0), start())


def test_a_spun_up_state_depends_on_the_generator_alone():
    first, again, other = (spun_up_state(MODEL, 5.0, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1


def truth(times, seed=0, model=MODEL, spinup=10.0):
    times = np.asarray(times)
    return simulate(model, TruthSettings(spinup=spinup), times, np.ones(times.size), np.random.default_rng(seed))


def test_the_truth_is_one_trajectory_of_the_model():
    states = truth(0.05 * np.arange(1, 11))["state"].values
    np.testing.assert_allclose(states[1:], MODEL.step(states[:-1]), rtol=0, atol=1e-12)


def test_time_zero_is_the_spun_up_state():
    np.testing.assert_array_equal(truth([0.0, 0.05])["state"][0], spun_up_state(MODEL, 10.0, np.random.default_rng(0)))


@pytest.mark.parametrize("block", [1, 3, 1000])
def test_sparse_and_irregular_times_are_taken_from_the_same_run(monkeypatch, block):
    monkeypatch.setattr(truth_module, "BLOCK", block)
    every = truth(0.05 * np.arange(41))["state"].values
    chosen = np.array([2, 4, 8, 9, 30, 40])
    np.testing.assert_array_equal(truth(0.05 * chosen)["state"], every[chosen])


def test_the_truth_file_has_the_layout_of_the_contract():
    periods = Periods(spinup=2, train=5, gap=1, validation=2, test=3)
    times = 0.1 * np.arange(1, periods.total + 1)
    dataset = simulate(MODEL, TruthSettings(), times, period_flags(periods), np.random.default_rng(0))
    assert dataset["state"].dims == ("time", "site") and dataset["state"].dtype == np.float64
    np.testing.assert_array_equal(dataset["time"], times)
    np.testing.assert_array_equal(dataset["period"], period_flags(periods))
    assert dataset["period"].dtype == np.int8 and dataset["time"].attrs["units"] == "MTU"
    assert dataset.attrs["time_step"] == 0.05 and dataset.attrs["size"] == 40
    assert all({"units", "long_name"} <= set(v.attrs) for name, v in dataset.variables.items() if name != "period")


def test_a_diverging_truth_is_an_error_not_a_file():
    wild = Lorenz96(Lorenz96Settings(forcing=500.0, time_step=0.1))
    with (
        np.errstate(all="ignore"),
        pytest.raises(SettingsError, match=r"diverged: its time step of 0\.1 MTU is too long"),
    ):
        truth(0.1 * np.arange(1, 50), model=wild)


def test_times_become_whole_steps_also_from_single_precision():
    times = (0.05 * np.arange(1, 20001)).astype(np.float32)
    np.testing.assert_array_equal(step_numbers(times, 0.05), np.arange(1, 20001))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.05, 0.12], r"time 0\.12 MTU \(index 1\) is not a multiple of the model's time step 0\.05 MTU"),
        ([0.05, 0.05], r"must increase from 0: 0\.05 MTU \(index 1\) against the 0\.05 MTU before it"),
        ([0.1, 0.05], r"must increase"),
        ([-0.05, 0.05], r"-0\.05 MTU \(index 0\) against 0"),
        ([0.05, np.nan], "not finite at index 1"),
    ],
)
def test_bad_times_are_one_clear_error(times, message):
    with pytest.raises(AssimilearnError, match=message):
        truth(times)
