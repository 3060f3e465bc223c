"""Assimilation methods of users: a function of an ensemble and its observations, run like any filter."""

import re

import numpy as np
import pytest
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn import plugins
from assimilearn.assimilation import METHODS, assimilate
from assimilearn.errors import PluginError
from assimilearn.models.geometry import ring
from assimilearn.periods import VALIDATION, with_periods
from assimilearn.registry import registry, use
from assimilearn.tuning.analyses import TuneAnalysisSettings, tune_analysis

HEAD = "import numpy as np\nfrom assimilearn.plugins import method\n"
ETKF = """
@method("my-etkf")
def analyse(ensemble, observed, value, variance, *, strength: float = 1.0):
    members, mean = len(ensemble), ensemble.mean(axis=0)
    A, Y = ensemble - mean, (observed - observed.mean(axis=0)) / np.sqrt(variance)
    d = (value - observed.mean(axis=0)) / np.sqrt(variance)
    values, vectors = np.linalg.eigh((members - 1) * np.eye(members) + strength * Y @ Y.T)
    weights = vectors @ ((vectors.T @ (Y @ d)) / values)
    root = (vectors * np.sqrt((members - 1) / values)) @ vectors.T
    return mean + weights @ A + root @ A
"""
PERTURBED = """
@method("my-enkf", draws=10)
def analyse(ensemble, observed, value, variance, noise):
    A, Y = ensemble - ensemble.mean(axis=0), observed - observed.mean(axis=0)
    C = Y.T @ Y / (len(A) - 1) + np.diag(variance)
    perturbed = value + np.sqrt(variance) * noise - observed
    return ensemble + perturbed @ np.linalg.solve(C, Y.T @ A) / (len(A) - 1)
"""


@pytest.fixture(autouse=True)
def registry_of_the_package():
    before = registry()
    yield
    use(before)


@pytest.fixture(scope="module")
def twin():
    model, truth = lorenz96_truth(60)
    rng = np.random.default_rng(1)
    sites = np.array([rng.choice(40, 10, replace=False) for _ in truth])
    return model, truth, observe_states(truth, 0.05, 0.5, rng, sites), lorenz96_climatology()


def loaded(tmp_path, text):
    (tmp_path / "my_parts.py").write_text(HEAD + text)
    return plugins.load(["my_parts.py"], tmp_path)


def run(twin, method, **settings):
    model, _, observations, climate = twin
    options = {"members": 20, "inflation": 1.02} | settings
    return assimilate(observations, model, METHODS[method](**options), climate, np.random.default_rng(0))


def rmse(twin, analysis):
    return float(np.sqrt(np.mean((analysis["mean"].values - twin[1])[30:] ** 2)))


def test_a_filter_of_a_user_gives_what_the_built_in_one_gives(twin, tmp_path):
    loaded(tmp_path, ETKF)
    own, built_in = run(twin, "my-etkf"), run(twin, "etkf")
    np.testing.assert_allclose(own["mean"], built_in["mean"], atol=2e-4)
    np.testing.assert_allclose(own["innovation_std"], built_in["innovation_std"], atol=2e-4)


def test_its_settings_and_those_of_every_filter_count(twin, tmp_path):
    loaded(tmp_path, ETKF)
    base = run(twin, "my-etkf")["mean"]
    for change in ({"strength": 0.5}, {"inflation": 1.2}, {"model_error": 0.1}):
        assert not np.allclose(run(twin, "my-etkf", **change)["mean"], base)
    model, _, observations, climate = twin
    validated = with_periods(observations, np.full(observations.sizes["time"], VALIDATION))
    search, settings = TuneAnalysisSettings(grid={"strength": [0.1, 1.0]}), METHODS["my-etkf"]()
    tuned = tune_analysis(validated, model, settings, search, climate, np.random.default_rng(0))
    assert tuned["setting_strength"].values.tolist() == [0.1, 1.0]


def test_random_numbers_are_drawn_outside_and_the_same_in_every_run(twin, tmp_path):
    loaded(tmp_path, PERTURBED)
    own = run(twin, "my-enkf")
    np.testing.assert_array_equal(own["mean"], run(twin, "my-enkf")["mean"])
    assert rmse(twin, own) < 1.5 * rmse(twin, run(twin, "enkf"))


WRONG = {
    "another shape": ("return ensemble[1:]", "returns an ensemble of the shape (9, 40), given (10, 40)"),
    "an error": ("return ensemble @ value[:1]", "fails: ValueError: "),
    "changes its input": ("ensemble += 1", "changes what it is given: compute new arrays"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_a_wrong_analysis_is_told_in_one_sentence_with_file_and_line(tmp_path, case):
    part = loaded(tmp_path, f'@method("mine")\ndef analyse(ensemble, value):\n    {case[0]}\n')["method", "mine"]
    with pytest.raises(PluginError, match=r"^my_parts\.py, line [35]: the method 'mine' " + re.escape(case[1])):
        part.implementation.try_out(part.settings(members=10), ring(40))


@pytest.mark.parametrize(
    ("decorator", "arguments", "message"),
    [
        ('"mine"', "ensemble, truth", "asks for 'truth'; there are ensemble, observed, value, "),
        ('"mine", draw=3', "ensemble", "has the keyword 'draw'; there is draws"),
        ('"mine", draws=-1', "ensemble", "needs a whole number of draws, 0 or more"),
        ('"mine"', "ensemble, *, members: int = 3", "cannot have a setting 'members': every method has one"),
    ],
)
def test_a_method_that_asks_for_too_much_is_refused(tmp_path, decorator, arguments, message):
    with pytest.raises(PluginError, match=r"^my_parts\.py, line 3: the method 'mine' " + re.escape(message)):
        loaded(tmp_path, f"@method({decorator})\ndef analyse({arguments}):\n    return ensemble\n")
