"""What holds for all emulators: they are Models, they are reproducible, and their files give them back bit by bit."""

import json
import warnings

import numpy as np
import pytest
from pydantic import TypeAdapter
from training_sets import lorenz96_analysis

from assimilearn import store
from assimilearn.emulators import AnyEmulator, open_emulator, train
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.integrate import advance
from assimilearn.models.protocol import Model
from assimilearn.registry import registry

SMALL = {
    "persistence": {},
    "climatology": {},
    "ridge": {"radius": 2},
    "polynomial": {},
    "lim": {},
    "sparse": {},
    "analogs": {"entries": 500, "neighbours": 10},
    "tree": {"max_depth": 5},
    "boosting": {"n_estimators": 5},
    "forest": {"n_estimators": 4, "max_depth": 6},
    "mlp": {"hidden": [8], "radius": 2, "epochs": 2},
    "cnn": {"epochs": 1},
}
LOCAL = [name for name in SMALL if name not in ("climatology", "lim")]
RANDOM = ["analogs", "forest", "mlp", "cnn"]


def settings_of(method, **changes):
    return TypeAdapter(AnyEmulator).validate_python({"method": method, **SMALL[method], **changes})


@pytest.fixture(scope="module")
def analysis():
    return lorenz96_analysis()


@pytest.fixture(scope="module")
def files(analysis):
    return {method: train(analysis, settings_of(method), np.random.default_rng(0)) for method in SMALL}


@pytest.fixture
def states():
    return 2 + 3 * np.random.default_rng(5).standard_normal((4, 3, 12))


def test_every_method_is_tried_here():
    assert {*SMALL, "random-features", "reservoir", "windows", "sklearn", "hybrid"} == set(registry().parts("emulator"))


@pytest.mark.parametrize("method", SMALL)
def test_an_emulator_is_a_model_of_one_assimilation_interval(files, method):
    emulator = open_emulator(files[method])
    assert isinstance(emulator, Model)
    assert (emulator.size, emulator.time_step) == (12, 0.05)


@pytest.mark.parametrize("method", SMALL)
def test_any_leading_axes_give_the_same_bits_and_leave_the_input_alone(files, method, states):
    emulator, before = open_emulator(files[method]), states.copy()
    stepped = emulator.step(states)
    assert stepped.shape == states.shape and np.array_equal(states, before)
    assert np.array_equal(stepped[1], emulator.step(states[1]))
    assert np.array_equal(stepped[1, 2], emulator.step(states[1, 2]))
    assert np.array_equal(stepped, emulator.step(np.asfortranarray(states)))


@pytest.mark.parametrize("method", SMALL)
def test_the_compiled_step_is_the_step(files, method, states):
    emulator = open_emulator(files[method])
    assert np.array_equal(advance(emulator, states, 2), emulator.step(emulator.step(states)))


@pytest.mark.parametrize("method", SMALL)
def test_a_file_gives_back_the_same_emulator_bit_by_bit(files, method, states, tmp_path):
    store.write(files[method], tmp_path / "emulator.nc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reopened = open_emulator(store.read(tmp_path / "emulator.nc"))
    original = open_emulator(files[method])
    assert np.array_equal(reopened.step(states), original.step(states))
    assert reopened.residual_std == original.residual_std
    assert reopened.settings == original.settings


@pytest.mark.parametrize("method", SMALL)
def test_every_variable_says_what_it_is(files, method):
    for name, variable in files[method].variables.items():
        assert variable.attrs["units"] and variable.attrs["long_name"], name


@pytest.mark.parametrize("method", SMALL)
def test_the_residual_is_the_one_step_error_on_the_validation_period(files, method, analysis):
    emulator = open_emulator(files[method])
    held_out = analysis["mean"].values[320:420]
    expected = np.sqrt(np.mean((emulator.step(held_out[:-1]) - held_out[1:]) ** 2))
    assert emulator.residual_std == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", LOCAL)
def test_a_local_emulator_commutes_with_shifts_along_the_ring(files, method, states):
    emulator = open_emulator(files[method])
    for shift in (1, 5):
        shifted = emulator.step(np.roll(states, shift, axis=-1))
        assert np.allclose(shifted, np.roll(emulator.step(states), shift, axis=-1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", LOCAL)
def test_a_local_emulator_runs_on_a_larger_ring(files, method, states):
    emulator = open_emulator(files[method])
    twice = emulator.on_ring(24).step(np.concatenate([states, states], axis=-1))
    once = emulator.step(states)
    assert np.allclose(twice, np.concatenate([once, once], axis=-1), rtol=0, atol=1e-5)


def test_the_climatology_of_every_site_is_bound_to_its_ring(files):
    with pytest.raises(SettingsError, match="bound to 12 sites"):
        open_emulator(files["climatology"]).on_ring(24)


@pytest.mark.parametrize("method", SMALL)
def test_the_same_seed_gives_the_same_bytes(files, method, analysis, tmp_path):
    store.write(files[method], tmp_path / "a.nc")
    store.write(train(analysis, settings_of(method), np.random.default_rng(0)), tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


@pytest.mark.parametrize("method", RANDOM)
def test_another_seed_gives_another_emulator(files, method, analysis, states):
    other = open_emulator(train(analysis, settings_of(method), np.random.default_rng(1)))
    assert not np.array_equal(other.step(states), open_emulator(files[method]).step(states))


@pytest.mark.parametrize("method", ["ridge", "lim", "sparse", "analogs", "boosting", "forest", "mlp", "cnn"])
def test_nothing_outside_training_reaches_the_weights(files, method, analysis):
    changed = analysis.copy(deep=True)
    changed["mean"][300:] += 100.0
    settings = settings_of(method)
    if "epochs" in type(settings).model_fields:
        settings = settings.model_copy(update={"epochs": 1})
        first = train(analysis, settings, np.random.default_rng(0))
    else:
        first = files[method]
    second = train(changed, settings, np.random.default_rng(0))
    for name in first:
        if name.startswith("weight_"):
            assert np.array_equal(first[name], second[name]), name


@pytest.mark.parametrize("method", ["ridge", "analogs", "forest", "mlp", "cnn"])
def test_not_a_number_stays_visible(files, method):
    state = np.full(12, 2.0)
    state[4] = np.nan
    assert np.isnan(open_emulator(files[method]).step(state)[4])


def test_tuned_values_reach_the_fit_and_are_recorded(analysis):
    plain = train(analysis, settings_of("ridge"), np.random.default_rng(0))
    tuned = train(analysis, settings_of("ridge"), np.random.default_rng(0), tuned={"alpha": 1e6, "degree": 1})
    direct = train(analysis, settings_of("ridge", alpha=1e6, degree=1), np.random.default_rng(0))
    assert tuned.sizes["monomial"] == 6 < plain.sizes["monomial"]
    assert np.array_equal(tuned["weight_coefficient"], direct["weight_coefficient"])
    assert json.loads(tuned.attrs["tuned"]) == {"alpha": 1e6, "degree": 1}
    assert json.loads(tuned.attrs["settings"])["alpha"] == 1e6


def test_unknown_and_bad_tuned_values_are_all_named(analysis):
    with pytest.raises(SettingsError, match="alhpa: ridge has no such setting; did you mean alpha"):
        train(analysis, settings_of("ridge"), np.random.default_rng(0), tuned={"alhpa": 1})
    with pytest.raises(SettingsError, match=r"radius: .* 0, not -2\nalpha: .* 0, not -1"):
        train(analysis, settings_of("ridge"), np.random.default_rng(0), tuned={"alpha": -1, "radius": -2})


@pytest.mark.parametrize("method", ["ridge", "forest", "mlp"])
def test_a_stencil_wider_than_the_ring_is_refused(analysis, method):
    with pytest.raises(
        SettingsError, match=r"radius: 6 sites .* than the ring of 12|radius 6 is wider than the 12 points"
    ):
        train(analysis, settings_of(method, radius=6), np.random.default_rng(0))


def test_states_of_another_size_are_refused(files):
    with pytest.raises(ValueError, match="the last axis must be the 12 sites"):
        open_emulator(files["ridge"]).step(np.zeros((3, 13)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d.assign_attrs(layout=2), "layout 2; this one reads up to 1"),
        (lambda d: d.drop_vars("weight_coefficient"), "lacks weight_coefficient"),
        (lambda d: d.assign_attrs(settings='{"method": "oracle"}'), "settings in the emulator file cannot be used"),
        (lambda d: d.drop_attrs(), "no emulator file"),
        (lambda d: d.assign_attrs(status="failed", reason="NaN"), "training of this ridge emulator failed: NaN"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(files, spoil, message):
    with pytest.raises(FileError, match=message):
        open_emulator(spoil(files["ridge"]))
