"""Biases of observations estimated with the state."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import lorenz96_climatology, lorenz96_truth

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.errors import SettingsError
from assimilearn.models.truth import truth_dataset
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.periods import TEST

RNG = np.random.default_rng
SIZE, TIMES, BIAS = 40, 500, 0.8
CLIMATE = lorenz96_climatology()
GUESS = {"std": 1.0}
BUOYS = {"network": {"method": "every", "stride": 2}, "error_std": 0.7}
SATELLITE = {"network": {"method": "moving_random", "count": 15}, "bias": BIAS}


@pytest.fixture(scope="module")
def twin():
    """A satellite with a bias beside buoys without any."""
    model, states = lorenz96_truth(TIMES, 0)
    truth = truth_dataset(model.time_step * np.arange(TIMES), np.full(TIMES, TEST, np.int8), states, model.time_step)
    settings = ObservationSettings(instruments={"buoys": BUOYS, "satellite": SATELLITE})
    return model, states, observe(truth, settings, RNG(1))


def rmse(analysis, states):
    return np.sqrt(((analysis["mean"].values - states)[100:] ** 2).mean())


@pytest.mark.parametrize("method", ["etkf", "esrf", "enkf-n"])
def test_the_bias_of_each_instrument_is_found_and_the_analysis_is_better_for_it(twin, method):
    model, states, observations = twin
    settings = METHODS[method](members=40, rotation=True, observation_bias=GUESS)
    analysis = assimilate(observations, model, settings, CLIMATE, RNG(2))
    for name, truth in (("buoys", 0.0), ("satellite", BIAS)):
        bias, spread = analysis[f"bias_{name}"].values, analysis[f"bias_{name}_spread"].values
        assert spread[0] == pytest.approx(1.0, abs=0.4)
        assert spread[-1] < 0.1
        assert bias[200:].mean() == pytest.approx(truth, abs=0.1)
    blind = assimilate(observations, model, METHODS[method](members=40, rotation=True), CLIMATE, RNG(2))
    assert rmse(analysis, states) < 0.8 * rmse(blind, states)


def test_the_cycle_gives_the_same_compiled_and_interpreted(twin):
    model, _, observations = twin

    class Plain:
        compiled = None

        def __init__(self):
            self.size, self.time_step, self.step = model.size, model.time_step, model.step

    settings = METHODS["etkf"](members=12, rotation=True, observation_bias=GUESS, model_error=0.1)
    few = observations.isel(time=slice(30))
    runs = [assimilate(few, m, settings, CLIMATE, RNG(2)) for m in (model, Plain())]
    for name in runs[0]:
        np.testing.assert_allclose(runs[0][name], runs[1][name], atol=1e-3, err_msg=name)


def test_what_cannot_have_an_estimated_bias_says_so(twin):
    model, states, _ = twin
    with pytest.raises(ValidationError, match="observation_bias: they have no place"):
        METHODS["letkf"](observation_bias=GUESS)
    truth = truth_dataset(model.time_step * np.arange(5), np.full(5, TEST, np.int8), states[:5], model.time_step)
    squares = observe(truth, ObservationSettings(operator={"function": "square"}), RNG(1))
    with pytest.raises(SettingsError, match="nonlinear function of the state cannot be estimated"):
        assimilate(squares, model, METHODS["etkf"](observation_bias=GUESS), CLIMATE, RNG(2))
