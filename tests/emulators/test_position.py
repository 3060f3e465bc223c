"""Where a grid point is, as an input: one function for all points of a domain that is not everywhere the same."""

import numpy as np
import pytest
from pydantic import ValidationError
from training_sets import PERIODS, analysis_of

from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.regressor import RegressorSettings
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.networks.recurrent import GruSettings
from assimilearn.errors import SettingsError

SITES = 12
LINEAR = {"estimator": "LinearRegression", "radius": 0}
NEURON = {"radius": 0, "hidden": [], "optimizer": "l-bfgs", "batch_size": None, "epochs": 5}


@pytest.fixture(scope="module")
def analysis():
    """x_i' = 0.1 x_i + sin(2 pi i / n) + noise: the forcing is a function of the place."""
    rng, states = np.random.default_rng(0), np.zeros((PERIODS.total, SITES))
    for k in range(1, len(states)):
        forcing = np.sin(2 * np.pi * np.arange(SITES) / SITES)
        states[k] = 0.1 * states[k - 1] + forcing + 0.5 * rng.standard_normal(SITES)
    return analysis_of(states)


@pytest.mark.parametrize(("settings", "given"), [(RegressorSettings, LINEAR), (MlpSettings, NEURON)])
def test_a_function_that_knows_where_it_is_learns_a_forcing_that_differs_from_place_to_place(analysis, settings, given):
    with_position, without = (
        train(analysis, settings(**given, position=position), np.random.default_rng(0)) for position in (True, False)
    )
    assert with_position.attrs["residual_std"] == pytest.approx(0.5, rel=0.05)
    assert without.attrs["residual_std"] > 1.2 * with_position.attrs["residual_std"]
    emulator = open_emulator(with_position)
    found = emulator.step(np.zeros(SITES))
    assert found == pytest.approx(np.sin(2 * np.pi * np.arange(SITES) / SITES), abs=0.1)
    with pytest.raises(SettingsError, match="bound to 12 sites"):
        emulator.on_ring(20)


def test_position_is_refused_where_it_has_no_use(analysis):
    with pytest.raises(SettingsError, match="position"):
        train(analysis, RegressorSettings(radius=None, position=True), np.random.default_rng(0))
    with pytest.raises(ValidationError, match="gru with the loss mse has no fields for it"):
        GruSettings(position=True)
