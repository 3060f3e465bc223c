"""No single bad value hangs a method, is taken for sound in silence, or ends a method without memory."""

import signal

import numpy as np
import pytest
from twins import lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling.weighted import Unreachable
from assimilearn.assimilation.methods.particle import ParticleSettings, update
from assimilearn.models.climate import ClimateSettings, climate

SITES, TIMES, BAD = 8, 40, 16
WITHOUT_MEMORY = {"climatology", "interpolation", "blue"}
ALONE = sorted(set(METHODS) - {"enoi", "learned"})  # which need states of a free run, or a trained step
SETTINGS = {"particle": {"members": 60}, "ienks": {"members": 12}, "lienks": {"members": 8}, "enkf": {"members": 15}}


@pytest.fixture(scope="module")
def case():
    model, truth = lorenz96_truth(TIMES, n=SITES)
    reference = climate(model, ClimateSettings(duration=100, lyapunov_duration=1), np.random.default_rng(9))
    return model, truth, observe_states(truth, 0.05, 1.0, np.random.default_rng(1)), reference


@pytest.fixture(autouse=True)
def bounded():
    """A loop without an end fails."""

    def late(*_):
        raise TimeoutError("a run takes minutes")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def run(case, method, observations):
    model, _, _, reference = case
    settings = METHODS[method](**SETTINGS.get(method, {}))
    return assimilate(observations, model, settings, reference, np.random.default_rng(0))


def late_error(case, analysis):
    return float(np.sqrt(((analysis["mean"] - case[1]) ** 2).mean("site"))[BAD + 8 :].mean())


@pytest.mark.parametrize("method", ALONE)
def test_one_impossible_value_ends_a_run_with_a_reason_or_does_no_harm(case, method):
    clean = late_error(case, run(case, method, case[2]))
    for value, time in ((1e20, BAD), (-1.797e308, BAD), (1.797e308, 0), (-1e20, 0)):
        observations = case[2].copy(deep=True)
        observations["value"][time, 3] = value
        analysis = run(case, method, observations)
        if method in WITHOUT_MEMORY:
            assert analysis.attrs["status"] == "ok" and analysis.attrs["ignored_values"] == 1
            assert late_error(case, analysis) == pytest.approx(clean, rel=1e-6)
            assert np.abs(analysis["mean"]).max() < 50
        elif analysis.attrs["status"] == "ok":
            assert late_error(case, analysis) < clean + 0.5
        else:
            assert analysis.attrs["status"] in ("lost", "diverged") and analysis.attrs["reason"]
            assert np.isnan(analysis["mean"][time:]).all() or analysis.attrs["status"] == "lost"


@pytest.mark.parametrize("method", ALONE)
def test_an_impossible_error_ends_a_run_with_a_reason_or_does_no_harm(case, method):
    for error_std, entry in ((1e-170, BAD), (1e150, BAD), (1e-170, slice(None)), (1e-3, slice(None))):
        observations = case[2].copy(deep=True)
        observations["error_std"][entry, 3 if entry == BAD else slice(None)] = error_std
        analysis = run(case, method, observations)
        if analysis.attrs["status"] == "ok":
            assert late_error(case, analysis) < (4.5 if method == "climatology" else 2.5)
        else:
            assert method not in WITHOUT_MEMORY and analysis.attrs["reason"]


def test_the_reason_names_values_that_cannot_be_right(case):
    observations = case[2].copy(deep=True)
    observations["value"][BAD, 3] = 1e20
    analysis = run(case, "etkf", observations)
    assert analysis.attrs["reason"].endswith(
        "1 of the values of this time are more than 50 standard deviations from the climatology"
    )


@pytest.mark.parametrize(("departure", "words"), [(1e200, "likelihood zero"), (1e4, "100 stages")])
def test_a_likelihood_that_no_member_has_or_that_takes_no_end_of_stages_is_given_up(departure, words):
    rng = np.random.default_rng(0)
    members = rng.standard_normal((30, 2))
    arguments = np.full(30, 1 / 30), np.array([departure, 0.0]), np.ones(2), lambda E: E
    with pytest.raises(Unreachable, match=words):
        update(members, *arguments, rng, ParticleSettings(members=30, smallest_share=0.9), 2)
