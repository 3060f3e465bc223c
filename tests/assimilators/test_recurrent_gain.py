"""A recurrent network that predicts a local gain: trained through the cycle, exported, and run in it."""

import numpy as np
import pytest
from learning_twins import learning_twin, rmse_of

from assimilearn import registry
from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.problem import pose
from assimilearn.assimilators.recurrent_gain import RecurrentGainSettings, module, opened
from assimilearn.assimilators.train import train_assimilator
from assimilearn.errors import FileError, SettingsError
from assimilearn.plugins import load

FAST = {"iterations": 60, "batch_size": 16, "width": 8, "learning_rate": 0.01, "warm_up": 10}
SMALL = {"depth": 2, "reach": 2, "memory_channels": 2, **FAST, "width": 12}
LEARNED = METHODS["learned"](assimilator="own")


def trained(twin, truth=None, seed=0, **settings):
    chosen = RecurrentGainSettings(**{**SMALL, "learns_from": "observations" if truth is None else "truth", **settings})
    rng = np.random.default_rng(seed)
    return train_assimilator(twin.observations, twin.model, chosen, twin.climatology, rng, truth)


@pytest.fixture(scope="module")
def by_observations():
    return trained(learning_twin())


def analysed(twin, file):
    step, rng = opened(file), np.random.default_rng(0)
    return assimilate(twin.observations, twin.model, LEARNED, twin.climatology, rng, step)


def test_observations_alone_teach_an_analysis_better_than_3dvar(by_observations):
    twin = learning_twin()
    given = twin.observations, twin.model
    classical = [
        assimilate(*given, METHODS["3dvar"](background_scale=b), twin.climatology, np.random.default_rng(0))
        for b in (0.02, 0.05, 0.1)
    ]
    learned = analysed(twin, by_observations)
    assert learned.attrs["status"] == "ok"
    assert rmse_of(learned, twin.truth) < min(rmse_of(analysis, twin.truth) for analysis in classical)


def test_the_stated_spread_is_the_error_of_validation_within_a_fifth_though_no_truth_was_seen(by_observations):
    twin = learning_twin()
    learned = analysed(twin, by_observations)
    chosen = learned["period"].values == 2
    for mean, spread in (("mean", "spread"), ("forecast_mean", "forecast_spread")):
        error = np.sqrt(((learned[mean].values - twin.truth["state"].values)[chosen] ** 2).mean())
        assert learned[spread].values[chosen].mean() == pytest.approx(error, rel=0.2)


def test_what_was_trained_on_one_ring_runs_on_another(by_observations):
    larger = learning_twin(size=24, count=16)
    assert rmse_of(analysed(larger, by_observations), larger.truth) < 0.7


def test_training_repeats_to_the_bit():
    files = [trained(learning_twin(), iterations=3) for _ in range(2)]
    assert files[0].identical(files[1])


def test_the_graph_is_the_module_and_none_without_memory_is_needed():
    import torch

    from assimilearn.assimilators.exported import Graph, exported

    geometry = pose(learning_twin().observations, learning_twin().model, learning_twin().climatology).geometry
    rng = np.random.default_rng(0)
    for memory in (0, 3):
        network = module(geometry, RecurrentGainSettings(memory_channels=memory, width=8))
        graph = Graph(exported(network, (1, 12)))
        given = [rng.standard_normal((1, 1, 12)).astype(np.float32) for _ in range(4)]
        before = rng.standard_normal((1, memory, 12)).astype(np.float32)
        with torch.no_grad():
            expected = network(*map(torch.as_tensor, [*given, before]))
        for found, wanted in zip(graph(given, before), expected, strict=True):
            np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


def test_recomputed_activations_give_the_same_training():
    kept, recomputed = (trained(learning_twin(), iterations=2, checkpoints=c)["loss"] for c in (False, True))
    np.testing.assert_allclose(kept, recomputed, rtol=1e-6)


def test_the_truth_is_refused_where_it_is_not_asked_for_and_missed_where_it_is():
    twin = learning_twin()
    asks, alone = RecurrentGainSettings(), RecurrentGainSettings(learns_from="observations")
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match="give it too"):
        train_assimilator(twin.observations, twin.model, asks, twin.climatology, rng)
    with pytest.raises(SettingsError, match="no truth may be given"):
        train_assimilator(twin.observations, twin.model, alone, twin.climatology, rng, twin.truth)


def test_a_file_without_its_graph_is_refused(by_observations):
    with pytest.raises(FileError, match="weight_graph"):
        opened(by_observations.drop_vars("weight_graph"))


@pytest.mark.slow
def test_an_unrolled_solver_learns_from_observations_alone():
    from assimilearn.assimilators import unrolled_solver

    twin, rng = learning_twin(), np.random.default_rng(0)
    settings = unrolled_solver.UnrolledSolverSettings(**FAST, learns_from="observations")
    file = train_assimilator(twin.observations, twin.model, settings, twin.climatology, rng)
    learned = assimilate(twin.observations, twin.model, LEARNED, twin.climatology, rng, unrolled_solver.opened(file))
    assert rmse_of(learned, twin.truth) < 0.8


def test_a_network_of_the_user_is_an_assimilator(tmp_path):
    before = registry.registry()
    (tmp_path / "own.py").write_text("""
import torch
from assimilearn.plugins import assimilator

@assimilator("own-gain")
class ConstantGain(torch.nn.Module):
    memory = 0
    def __init__(self, geometry, *, first: float = 0.1):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(first))
    def forward(self, state, innovation, observed, error, memory):
        return self.gain * innovation * error, memory
""")
    try:
        load(["own.py"], tmp_path)
        part = registry.part_of("assimilator", "own-gain")
        settings = part.settings(learns_from="observations", iterations=20, learning_rate=0.03, warm_up=0)
        twin = learning_twin()
        rng = np.random.default_rng(0)
        file = train_assimilator(twin.observations, twin.model, settings, twin.climatology, rng)
        learned = assimilate(
            twin.observations, twin.model, LEARNED, twin.climatology, rng, part.implementation.opened(file)
        )
        assert rmse_of(learned, twin.truth) < 1.5
    finally:
        registry.use(before)
