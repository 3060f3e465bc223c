"""The cycle: learning from the last analysis, assimilating with what was learned, stopping and keeping the best."""

import numpy as np
import pytest
from loop_twins import twin

from assimilearn.assimilation.methods.etkf import ETKFSettings
from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.polynomial import PolynomialSettings
from assimilearn.emulators.networks.cnn import CnnSettings
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.pairs import windows
from assimilearn.emulators.windows.fit import WindowSettings
from assimilearn.emulators.windows.learn import LearnSettings
from assimilearn.errors import FileError, SettingsError
from assimilearn.loops import Stopping, assimilate_again, best_cycle, kept, learn_again
from assimilearn.loops.stopping import scores_of

RNG = np.random.default_rng
FILTER = ETKFSettings(members=12, inflation=1.02, model_error="residual", model_error_scale=0.3)
POLYNOMIAL = PolynomialSettings()
NETWORKS = [CnnSettings(epochs=2, learning_rate=1e-3), MlpSettings(epochs=2, hidden=(8,))]


@pytest.fixture(scope="module")
def experiment():
    return twin()


@pytest.fixture(scope="module")
def two_cycles(experiment):
    """Analyses and emulators of two cycles of a loop with a polynomial."""
    observations, _, start = experiment
    analyses, emulators = [start], []
    for cycle in (1, 2):
        previous = emulators[-1] if emulators else None
        emulators.append(learn_again(analyses[-1], observations, previous, POLYNOMIAL, Stopping(), RNG(cycle)))
        analyses.append(assimilate_again(observations, emulators[-1], analyses[-1], FILTER, RNG(0)))
    return analyses[1:], emulators


def test_a_second_cycle_has_smaller_innovations_than_one_that_learned_from_interpolation(two_cycles):
    scores = scores_of(two_cycles[0][-1])
    assert len(scores) == 2
    assert scores[1] < scores[0]


def test_every_analysis_says_that_its_model_was_learned(two_cycles):
    assert [analysis.attrs["model_kind"] for analysis in two_cycles[0]] == ["emulator", "emulator"]


def test_a_diverged_cycle_stops_the_loop_and_the_best_cycle_is_kept(experiment, two_cycles):
    observations, _, _ = experiment
    analyses, emulators = two_cycles
    wild = emulators[1].copy(deep=True)
    wild["weight_coefficient"] = wild["weight_coefficient"] * 50
    bad = assimilate_again(observations, wild, analyses[1], FILTER, RNG(0))
    assert bad.attrs["status"] == "diverged"
    assert scores_of(bad)[-1] == float("inf")
    handed_on = learn_again(bad, observations, wild, POLYNOMIAL, Stopping(), RNG(3))
    assert handed_on.attrs["loop_status"] == "stopped"
    last = assimilate_again(observations, handed_on, bad, FILTER, RNG(0))
    assert last.attrs["loop_status"] == "stopped"
    assert scores_of(last) == scores_of(bad)
    best = best_cycle(last)
    assert best == 2
    result = kept(analyses[best - 1].assign_attrs(cycle=best), last)
    assert result.attrs["best_cycle"] == 2 and result.attrs["cycles_run"] == 3
    assert "cycle" not in result.attrs and result.attrs["status"] == "ok"
    np.testing.assert_array_equal(result["mean"], analyses[1]["mean"])


def test_a_stopped_loop_stays_stopped_and_costs_nothing(experiment, two_cycles):
    observations, _, _ = experiment
    analysis, emulator = (d[-1].assign_attrs(loop_status="stopped") for d in two_cycles)
    after = learn_again(analysis, observations, emulator, POLYNOMIAL, Stopping(), RNG(0))
    assert after.identical(emulator)
    assert assimilate_again(observations, after, analysis, FILTER, RNG(0)).identical(analysis)


def test_an_emulator_that_failed_stops_the_loop_at_the_cycle_before(experiment, two_cycles):
    observations, _, start = experiment
    analyses, emulators = two_cycles
    failed = emulators[1].assign_attrs(status="failed", reason="the loss is not finite")
    assert assimilate_again(observations, failed, analyses[0], FILTER, RNG(0)).attrs["loop_status"] == "stopped"
    with pytest.raises(FileError, match="first emulator of the loop failed: the loss is not finite"):
        assimilate_again(observations, failed, start, FILTER, RNG(0))


@pytest.mark.parametrize("settings", NETWORKS, ids=lambda s: s.method)
def test_a_network_that_goes_on_from_stored_weights_starts_as_the_same_function(settings, experiment):
    start = experiment[2]
    file = train(start, settings, RNG(0))
    frozen = settings.model_copy(update={"learning_rate": 1e-12, "epochs": 1})
    before, after = open_emulator(file), open_emulator(train(start, frozen, RNG(1), previous=file))
    states = windows(start, "validation").inputs
    if settings.method == "mlp":  # the running moments of a batch normalisation go on to move
        np.testing.assert_allclose(after.step(states), before.step(states), atol=1e-5)
    assert after.step(states) == pytest.approx(before.step(states), abs=0.05)


@pytest.mark.parametrize("settings", NETWORKS, ids=lambda s: s.method)
def test_a_warm_start_lowers_the_first_loss_and_counts_the_epochs_on(settings, experiment):
    start = experiment[2]
    cold = train(start, settings, RNG(0))
    warm = train(start, settings, RNG(1), previous=cold)
    assert float(warm["loss"][0]) < float(cold["loss"][0])
    assert warm["epoch"].values.tolist() == [3, 4]


def test_weights_of_another_method_or_other_layers_are_refused(experiment):
    start = experiment[2]
    mlp = train(start, NETWORKS[1], RNG(0))
    with pytest.raises(FileError, match="a cnn emulator cannot go on from the weights of a mlp"):
        train(start, NETWORKS[0], RNG(0), previous=mlp)
    with pytest.raises(FileError, match=r"the network in the file has \d+ weights, that of these settings"):
        train(start, NETWORKS[1].model_copy(update={"hidden": (9,)}), RNG(0), previous=mlp)


def test_windows_are_learned_through_the_one_function_and_need_observations(experiment):
    observations, _, start = experiment
    settings = LearnSettings(windows=WindowSettings(lengths=(4, 6), early_windows=20, validation_windows=5))
    learned = train(start, settings, RNG(0), observations=observations)
    assert learned.attrs["method"] == "polynomial" and learned.attrs["status"] == "ok"
    assert open_emulator(learned).size == 12
    with pytest.raises(SettingsError, match="windows is fitted to observations"):
        train(start, settings, RNG(0))
