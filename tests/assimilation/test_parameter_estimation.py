"""Parameters of the model estimated with the state."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling.inflation import relax_and_inflate
from assimilearn.assimilation.cycling.parameters import changes
from assimilearn.assimilation.settings import ParameterSettings
from assimilearn.errors import SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import advance
from assimilearn.models.lorenz96_cubic import Lorenz96CubicSettings, build

RNG = np.random.default_rng
CLIMATE = lorenz96_climatology()
GUESS = {"forcing": {"mean": 7.0, "std": 1.0}}


def observed(times=400, seed=0):
    model, states = lorenz96_truth(times, seed)
    return model, states, observe_states(states, model.time_step, 1.0, RNG(seed + 100))


class Plain:
    """A model without compiled steps."""

    compiled = None

    def __init__(self, model):
        self.model, self.size, self.time_step, self.step = model, model.size, model.time_step, model.step

    def augmented(self, names):
        return Plain(self.model.augmented(names))


@pytest.mark.parametrize("method", ["etkf", "enkf", "denkf", "esrf", "enkf-n"])
def test_the_forcing_is_found_from_a_wrong_guess(method):
    model, states, observations = observed(600)
    settings = METHODS[method](members=40, rotation=True, parameters=GUESS)
    analysis = assimilate(observations, model, settings, CLIMATE, RNG(2))
    forcing, spread = analysis["parameter_forcing"].values, analysis["parameter_forcing_spread"].values
    assert forcing[0] == pytest.approx(7, abs=0.5)
    assert spread[0] == pytest.approx(1, abs=0.4)
    assert np.abs(forcing[200:].mean() - 8) < 0.1
    assert (np.abs(forcing - 8) < 3 * spread)[200:].mean() > 0.9
    assert np.sqrt(((analysis["mean"] - states)[200:] ** 2).mean()) < 0.3


def test_the_model_s_own_forcing_is_not_read():
    _, _, observations = observed(60)
    settings = METHODS["etkf"](members=20, parameters=GUESS)
    runs = [
        assimilate(observations, Lorenz96(Lorenz96Settings(forcing=F)), settings, CLIMATE, RNG(2)) for F in (5.0, 8.0)
    ]
    assert runs[0].identical(runs[1])


def test_a_state_that_carries_its_forcing_is_stepped_with_it():
    states = RNG(0).standard_normal((3, 12)) + 2
    augmented = Lorenz96(Lorenz96Settings(size=12)).augmented(["forcing"])
    F = np.array([6.0, 8.0, 10.0])
    stepped = augmented.step(np.column_stack([states, F]))
    compiled = advance(augmented, np.column_stack([states, F]), 1)
    for j in range(3):
        expected = Lorenz96(Lorenz96Settings(size=12, forcing=F[j])).step(states[j])
        np.testing.assert_allclose(stepped[j], [*expected, F[j]], rtol=1e-13)
        np.testing.assert_allclose(compiled[j], [*expected, F[j]], rtol=1e-12)


def test_the_cycle_gives_the_same_compiled_and_interpreted():
    model, _, observations = observed(40)
    settings = METHODS["etkf"](members=12, rotation=True, parameters=GUESS, model_error=0.1, keep_members="all")

    runs = [assimilate(observations, m, settings, CLIMATE, RNG(2)) for m in (model, Plain(model))]
    assert set(runs[0]) == set(runs[1])
    for name in runs[0]:
        np.testing.assert_allclose(runs[0][name], runs[1][name], atol=1e-3, err_msg=name)


def test_parameters_are_rotated_with_their_members_but_not_inflated():
    E, n = RNG(0).standard_normal((6, 5)), 4
    before = E - E.mean(axis=0)
    relax_and_inflate(E, E.copy(), np.ones(n), np.array([1.5, 0.0, 0.0]), RNG(1).standard_normal(15))
    after = E - E.mean(axis=0)
    scale = np.array([1.5, 1.5, 1.5, 1.5, 1.0])
    np.testing.assert_allclose(after.T @ after, (before * scale).T @ (before * scale), atol=1e-12)
    assert np.abs(after[:, n] - before[:, n]).max() > 0.1


def test_a_random_walk_grows_with_the_root_of_time():
    walks = {"a": ParameterSettings(mean=0, std=1, walk=0.5), "b": ParameterSettings(mean=0, std=1, walk=0.0)}
    found = changes(np.array([0.1, 0.4]), walks, 100_000, RNG(0))
    np.testing.assert_allclose(found.std(axis=1), [[0.5 * np.sqrt(0.1), 0], [0.5 * np.sqrt(0.4), 0]], rtol=0.02)


@pytest.mark.parametrize("method", ["letkf", "eakf"])
def test_localized_methods_refuse_parameters(method):
    with pytest.raises(ValidationError, match="a localized method cannot estimate them"):
        METHODS[method](parameters=GUESS)


def test_parameters_need_sampled_model_error():
    with pytest.raises(ValidationError, match='need "sampled"'):
        METHODS["etkf"](parameters=GUESS, model_error=0.1, model_error_treatment="square_root")


def test_what_the_model_does_not_have_cannot_be_estimated():
    model, _, observations = observed(5)
    settings = METHODS["etkf"](parameters={"friction": GUESS["forcing"]})
    with pytest.raises(SettingsError, match="can estimate its forcing, and no other parameter: friction"):
        assimilate(observations, model, settings, CLIMATE, RNG(0))
    linear = linear_model()
    few = observe_states(RNG(0).standard_normal((5, 4)), 0.1, 1.0, RNG(0))
    settings = METHODS["etkf"](parameters=GUESS)
    with pytest.raises(SettingsError, match="has none that could be estimated: forcing"):
        assimilate(few, linear, settings, climatology_file(np.zeros(4), np.eye(4)), RNG(0))


def test_members_of_a_model_by_its_tendency_may_have_any_of_its_parameters_for_their_own():
    cubic = build(Lorenz96CubicSettings())
    x = np.random.default_rng(0).standard_normal((3, 40))
    own = np.array([[8.0, 0.0], [8.5, 0.02], [9.0, 0.03]])
    stepped = cubic.augmented(("forcing", "nu")).step(np.hstack([x, own]))
    for k, (forcing, nu) in enumerate(own):
        alone = build(Lorenz96CubicSettings(forcing=forcing, nu=nu)).step(x[k])
        assert stepped[k] == pytest.approx([*alone, forcing, nu], rel=1e-14)
    with pytest.raises(SettingsError, match="cannot estimate size"):
        cubic.augmented(("size",))
