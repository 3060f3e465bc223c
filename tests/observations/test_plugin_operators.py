"""Observation operators of users: the same as those of the package where they are the same function."""

import numpy as np
import pytest

from assimilearn import plugins
from assimilearn.assimilation import METHODS, assimilate
from assimilearn.errors import FileError, PluginError
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.observations.rows import OWN
from assimilearn.periods import Periods, period_flags
from assimilearn.registry import registry, use

PARTS = """
import numpy as np
from numba import njit
from assimilearn.plugins import operator

@operator("own-arctan")
def own(z, *, steepness: float = 1.0):
    return np.arctan(steepness * z)

@operator("compiled-arctan")
@njit
def compiled(z, steepness: float = 1.0):
    return np.arctan(steepness * z)

@operator("mixing")
def mixing(z):
    return z - z.mean()

@operator("flat")
def flat(z):
    return z.ravel()[:1]

@operator("changing")
def changing(z):
    z[:] = 0
    return z
"""
MODEL = Lorenz96(Lorenz96Settings(size=8))


@pytest.fixture(scope="module", autouse=True)
def parts(tmp_path_factory):
    before, folder = registry(), tmp_path_factory.mktemp("parts")
    (folder / "parts.py").write_text(PARTS)
    yield plugins.load(["parts.py"], folder)
    use(before)


@pytest.fixture(scope="module")
def experiment():
    flags = period_flags(Periods(spinup=1, train=30, gap=0, validation=5, test=5))
    rng = np.random.default_rng(0)
    truth = simulate(MODEL, TruthSettings(spinup=5), MODEL.time_step * np.arange(flags.size), flags, rng)
    return truth, climate(MODEL, ClimateSettings(duration=60, segment=5, lyapunov_duration=1), rng)


def seen(truth, operator, **more):
    settings = ObservationSettings(**{"operator": operator, "error_std": 0.1, **more})
    return observe(truth, settings, np.random.default_rng(1))


ALL = {"network": {"method": "every", "stride": 2}}
BUILT_IN = {"function": "arctan"}


def analysed(experiment, operator, method, **settings):
    truth, climatology = experiment
    return assimilate(seen(truth, operator, **ALL), MODEL, method(**settings), climatology, np.random.default_rng(2))


@pytest.mark.parametrize("own", ["own-arctan", "compiled-arctan"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("etkf", {"members": 12}),
        ("4dvar", {"window": 2, "minimizer": "l-bfgs"}),
        ("hybrid", {}),
        ("particle", {"members": 50}),
    ],
)
def test_the_same_function_gives_the_same_analysis(experiment, own, name, settings):
    of_package = analysed(experiment, BUILT_IN, METHODS[name], **settings)
    of_user = analysed(experiment, {"method": own}, METHODS[name], **settings)
    np.testing.assert_allclose(of_user["mean"], of_package["mean"], atol=1e-3)
    assert of_user["mean"].values.std() > 1


def test_settings_of_the_function_are_settings_of_the_operator(experiment):
    truth, _ = experiment
    steep = seen(truth, {"method": "own-arctan", "steepness": 3.0, "weights": [0.5, 0.0, 0.5]}, error_std=1e-9, **ALL)
    x = truth["state"].values
    z = (np.roll(x, 1, axis=1) + np.roll(x, -1, axis=1))[:, ::2] / 2
    np.testing.assert_allclose(steep["value"].values, np.arctan(3 * z), atol=1e-7)


def test_two_instruments_of_one_function_with_other_settings_are_told_apart(experiment):
    truth, climatology = experiment
    instruments = {
        "gentle": {"operator": {"method": "own-arctan", "steepness": 0.1}},
        "square": {"operator": {"function": "square"}},
        "steep": {"operator": {"method": "own-arctan", "steepness": 3.0}},
    }
    found = seen(truth, {}, instruments=instruments, error_std=1e-3, **ALL)
    assert found["function"].values[0].tolist() == [OWN] * 4 + [1] * 4 + [OWN + 1] * 4
    x = truth["state"].values[:, ::2]
    exact = np.hstack([np.arctan(0.1 * x), x**2, np.arctan(3 * x)])
    np.testing.assert_allclose(found["value"].values, exact, atol=1e-2)
    analysis = assimilate(found, MODEL, METHODS["etkf"](members=20), climatology, np.random.default_rng(0))
    error = np.sqrt(((analysis["mean"].values - truth["state"].values) ** 2).mean())
    assert error < 0.3 * climatology["std"].values.mean()


def test_a_file_names_the_plugin_that_it_needs(experiment, parts):
    truth, climatology = experiment
    found = seen(truth, {"method": "own-arctan"}, **ALL)
    plugins.load([])
    try:
        with pytest.raises(FileError, match="'own-arctan' of the observations comes from a plug-in"):
            assimilate(found, MODEL, METHODS["etkf"](), climatology, np.random.default_rng(0))
    finally:
        use(parts)


@pytest.mark.parametrize(
    ("name", "message"),
    [("mixing", "mixes its numbers"), ("flat", "returns an array of the shape"), ("changing", "changes what it is")],
)
def test_functions_that_are_none_are_refused(parts, name, message):
    part = parts.find(name, "operator")
    with pytest.raises(PluginError, match=f"parts.py, line .*{message}"):
        part.implementation.try_out(part.settings())
