"""A generative emulator: flow matching gives the distribution of what follows a state."""

import numpy as np
import pytest
from pydantic import ValidationError
from training_sets import analysis_of

from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.models.geometry import without_space
from assimilearn.periods import Periods

PERIODS = Periods(spinup=0, train=2000, gap=5, validation=300, test=10)


@pytest.fixture(scope="module")
def emulator():
    """x' = x / 2 + 1 or x / 2 - 1, with equal chances, and a little noise."""
    rng = np.random.default_rng(0)
    x = np.zeros((PERIODS.total, 1))
    for k in range(1, len(x)):
        x[k] = x[k - 1] / 2 + rng.choice([-1, 1]) + 0.1 * rng.standard_normal()
    analysis = analysis_of(x, PERIODS).assign_attrs(geometry=without_space(["x"]).canonical(), interval=0.05)
    settings = MlpSettings(radius=None, hidden=(48, 48), loss="flow", flow_steps=8, epochs=25)
    return open_emulator(train(analysis, settings, np.random.default_rng(1)))


@pytest.mark.parametrize("state", [-1.0, 0.0, 1.5])
def test_forecasts_sample_both_modes_of_a_mixture(emulator, state):
    noise = np.random.default_rng(2).standard_normal((4000, 1))
    after = emulator.step(np.full((4000, 1), state), noise)[:, 0] - state / 2
    upper = after[after > 0]
    assert upper.size / after.size == pytest.approx(0.5, abs=0.08)
    assert upper.mean() == pytest.approx(1, abs=0.1) and after[after < 0].mean() == pytest.approx(-1, abs=0.1)
    assert np.mean(np.abs(after) < 0.5) < 0.2  # a normal distribution of this mean and variance has 0.38 there


def test_a_flow_is_of_single_steps():
    with pytest.raises(ValidationError, match="flow gives whole increments of one step"):
        MlpSettings(loss="flow", lead=2)
