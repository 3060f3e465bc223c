"""Truth with model noise."""

import numpy as np
import pytest

from assimilearn.models.truth import TruthSettings, simulate


class Decay:
    size, time_step, compiled = 4, 0.1, None

    def step(self, states):
        return 0.8 * states


def run(noise_std, seed=0):
    times, flags = 0.1 * np.arange(20_000), np.ones(20_000, np.int8)
    settings = TruthSettings(spinup=5, noise_std=noise_std)
    return simulate(Decay(), settings, times, flags, np.random.default_rng(seed))["state"].values


def test_noise_after_each_step_gives_a_linear_model_its_stationary_variance():
    states = run(0.5)
    assert states.var() == pytest.approx(0.5**2 / (1 - 0.8**2), rel=0.05)
    residual = states[1:] - 0.8 * states[:-1]
    assert residual.std() == pytest.approx(0.5, rel=0.02)
    np.testing.assert_allclose(np.corrcoef(residual.T) - np.eye(4), 0, atol=0.03)


def test_equal_seeds_give_equal_truths_and_without_noise_the_model_is_alone():
    np.testing.assert_array_equal(run(0.5), run(0.5))
    np.testing.assert_allclose(run(0.0)[1:], 0.8 * run(0.0)[:-1])
