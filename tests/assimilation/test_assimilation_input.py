"""Input that cannot be used is refused in one sentence before anything is computed."""

from dataclasses import make_dataclass

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from twins import LinearModel, climatology_file, linear_model, observe_states

from assimilearn.assimilation import METHODS, AnyAnalysis, assimilate
from assimilearn.errors import AssimilearnError


@pytest.fixture
def observations():
    return observe_states(np.zeros((5, 4)), 0.1, 0.5, np.random.default_rng(0))


CLIMATE = climatology_file(np.zeros(4), np.eye(4))


def run(observations, settings=None, climate=CLIMATE, model=None):
    settings = settings or METHODS["etkf"]()
    return assimilate(observations, model or linear_model(), settings, climate, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("error_std", 0.0, "error_std is not a positive finite number: 1 times, first at time index 2"),
        ("error_std", -1.0, "error_std is not a positive"),
        ("error_std", np.nan, "error_std is not a positive"),
        ("value", np.nan, "value is not finite"),
        ("site_index", 4, "site_index is not one of the sites 0 to 3"),
        ("site_index", -1, "site_index is not one of"),
        ("site_index", 0, "site_index occurs twice"),
    ],
)
def test_a_bad_entry_is_named_with_its_time(observations, name, value, message):
    observations[name][2, 1] = value
    with pytest.raises(AssimilearnError, match=message):
        run(observations)


def test_a_bad_entry_that_is_not_valid_is_ignored(observations):
    observations["value"][2, 3] = np.nan
    observations["error_std"][2, 3] = np.nan
    observations["valid"][2, 3] = 0
    assert np.isfinite(run(observations)["mean"]).all()


def test_no_valid_observation_at_all(observations):
    observations["valid"][:] = 0
    with pytest.raises(AssimilearnError, match="not a single valid"):
        run(observations)


def test_a_missing_variable(observations):
    with pytest.raises(AssimilearnError, match="no variable error_std"):
        run(observations.drop_vars("error_std"))


def test_times_that_the_model_step_does_not_divide(observations):
    with pytest.raises(AssimilearnError, match=r"not a multiple of the model's time step 0\.1 MTU"):
        run(observations.assign_coords(time=[0.1, 0.2, 0.35, 0.4, 0.5]))


def test_times_that_do_not_increase(observations):
    with pytest.raises(AssimilearnError, match="finite and increase"):
        run(observations.assign_coords(time=[0.1, 0.2, 0.2, 0.4, 0.5]))


def test_a_climatology_file_of_another_size(observations):
    with pytest.raises(AssimilearnError, match="the climatology file has 5 sites, the forecast model 4"):
        run(observations, climate=climatology_file(np.zeros(5), np.eye(5)))


def test_a_climatology_file_with_nan(observations):
    with pytest.raises(AssimilearnError, match="covariance of the climatology file is not finite"):
        run(observations, climate=climatology_file(np.zeros(4), np.full((4, 4), np.nan)))


def test_the_residual_of_a_model_that_states_none(observations):
    with pytest.raises(AssimilearnError, match='"residual" needs a trained emulator'):
        run(observations, METHODS["etkf"](model_error="residual"))


def test_the_residual_of_an_emulator_is_the_noise_that_its_number_gives(observations):
    Emulator = make_dataclass("Emulator", [("residual_std", float, 0.4)], bases=(LinearModel,), frozen=True)
    emulator = Emulator(linear_model().M)
    stated = run(observations, METHODS["etkf"](model_error="residual", model_error_scale=0.5), model=emulator)
    given = run(observations, METHODS["etkf"](model_error=0.2), model=emulator)
    np.testing.assert_array_equal(stated["mean"], given["mean"])


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "etkf", "members": 1},
        {"method": "etkf", "inflation": 0.9},
        {"method": "enkf", "model_error": -0.1},
        {"method": "3dvar", "background_scale": 0},
        {"method": "blue", "background_check": 0},
        {"method": "etkf", "localisation": 3},
        {"method": "etkf", "keep_members": "some"},
        {"method": "kalman"},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError) as error:
        TypeAdapter(AnyAnalysis).validate_python(settings)
    assert error.value.error_count() == 1 or "model_error" in settings


def test_every_method_is_known_by_its_name():
    for name, cls in METHODS.items():
        more = {"assimilator": "step"} if "assimilator" in cls.needs else {}
        assert TypeAdapter(AnyAnalysis).validate_python({"method": name, **more}) == cls(**more)
