"""Networks as torch modules: trained by autograd, stored as arrays and a graph, run without torch, differentiable."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pydantic import TypeAdapter, ValidationError
from training_sets import lorenz96_analysis

from assimilearn import store
from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.background.tangent import jacobians
from assimilearn.emulators import AnyEmulator, open_emulator, train
from assimilearn.emulators.networks.exported import Graph
from assimilearn.errors import FileError, PluginError, SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings, build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.geometry import without_space
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags
from assimilearn.plugins import load

PARTS = Path(__file__).parents[1] / "plugins"
SMALL = {"method": "resnet", "width": 12, "depth": 1, "epochs": 12, "kernel": 5, "learning_rate": 0.02}


def settings_of(**given):
    return TypeAdapter(AnyEmulator).validate_python(given)


@pytest.fixture(scope="module")
def analysis():
    return lorenz96_analysis()


@pytest.fixture(scope="module")
def file(analysis):
    return train(analysis, settings_of(**SMALL), np.random.default_rng(0))


@pytest.fixture
def states(analysis):
    return analysis["mean"].values[10:16].astype(float)


def test_two_trainings_give_equal_bytes_and_the_loss_falls(analysis, file):
    xr.testing.assert_identical(file, train(analysis, settings_of(**SMALL), np.random.default_rng(0)))
    assert file["validation_loss"].values[-1] < 0.8 * file["validation_loss"].values[0]
    other = train(analysis, settings_of(**SMALL), np.random.default_rng(1))
    assert not np.array_equal(other["weight_parameters"], file["weight_parameters"])


def test_the_graph_gives_what_the_module_gives_and_members_come_out_alike_alone(file, states):
    import torch

    emulator = open_emulator(file)
    torch.testing.assert_close(
        emulator.differentiable(torch.tensor(states)), torch.tensor(emulator.step(states)), atol=1e-5, rtol=1e-5
    )
    for state, forecast in zip(states, emulator.step(states), strict=True):
        np.testing.assert_array_equal(emulator.step(state), forecast)


def test_tangent_and_adjoint_pass_the_dot_product_test_and_meet_finite_differences(file, states):
    emulator = open_emulator(file)
    M = jacobians(emulator, states[:1], "autodiff")[0]
    np.testing.assert_allclose(M, jacobians(emulator, states[:1], "differences")[0], atol=2e-3)
    import torch

    x, rng = torch.tensor(states[0]), np.random.default_rng(0)
    v, w = (torch.tensor(rng.standard_normal(x.shape)) for _ in range(2))
    forward = torch.autograd.functional.jvp(emulator.differentiable, x, v)[1]
    backward = torch.autograd.functional.vjp(emulator.differentiable, x, w)[1]
    assert float(forward @ w) == pytest.approx(float(v @ backward), rel=1e-10)


def test_a_filter_runs_the_network_without_torch(file, analysis, tmp_path):
    store.write(file, tmp_path / "emulator.nc")
    code = """
import sys
import numpy as np
from assimilearn import store
from assimilearn.emulators import open_emulator
emulator = open_emulator(store.read(sys.argv[1]))
assert np.isfinite(emulator.step(np.ones((3, emulator.size)))).all()
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "emulator.nc")], check=True)


@pytest.mark.parametrize("method", ["etkf", "4dvar", "ekf"])
def test_the_network_assimilates(file, method):
    model, rng = Lorenz96(Lorenz96Settings(size=12)), np.random.default_rng(3)
    flags = period_flags(Periods(spinup=5, train=10, gap=0, validation=5, test=20))
    truth = simulate(model, TruthSettings(), 0.05 * np.arange(flags.size), flags, rng)
    observations = observe(truth, ObservationSettings(network={"method": "all"}, error_std=0.5), rng)
    reference = climate(model, ClimateSettings(duration=100, segment=10, lyapunov_duration=1), rng)
    given = {
        "etkf": {"members": 20, "inflation": 1.1, "model_error": "residual"},
        "4dvar": {"minimizer": "l-bfgs"},
        "ekf": {"inflation": 1.5},
    }
    settings = METHODS[method](**given[method])
    found = assimilate(observations, open_emulator(file), settings, reference, rng)
    error = np.sqrt(np.mean((found["mean"].values - truth["state"].values)[10:] ** 2))
    assert np.isfinite(found["mean"]).all() and error < 0.7


@pytest.mark.parametrize(("change", "what"), [
    ({"weight_graph": np.zeros(50, np.uint8)}, "the graph of the network cannot be read"),
    ({"weight_std": np.array([0.0])}, "not above 0"),
    ({"weight_std": np.array([1.0, 1.0])}, "shape"),
])  # fmt: skip
def test_a_changed_file_is_refused(file, change, what):
    broken = file.copy(deep=True)
    for name, value in change.items():
        dims = broken[name].dims if value.shape == broken[name].shape else [f"{name}_{d}" for d in broken[name].dims]
        broken[name] = (dims, value)
    with pytest.raises(FileError, match=what):
        open_emulator(broken)


def test_a_graph_of_the_whole_state_is_bound_to_its_size_and_one_of_neighbours_is_not(analysis, file):
    whole = train(analysis, settings_of(method="mlp", radius=None, epochs=1), np.random.default_rng(0))
    Graph(file["weight_graph"].values, 13)
    with pytest.raises(FileError, match="does not map states of 13 sites"):
        Graph(whole["weight_graph"].values, 13)


def test_without_a_grid_there_is_nothing_to_convolve(analysis):
    with pytest.raises(SettingsError, match="one axis or two"):
        settings_of(**SMALL).refuse_unlike(without_space("xyz"))
    with pytest.raises(SettingsError, match="must be odd"):
        train(analysis, settings_of(**SMALL | {"kernel": 4}), np.random.default_rng(0))
    with pytest.raises(SettingsError, match="a kernel of 13 points is wider than an axis of 12"):
        train(analysis, settings_of(**SMALL | {"kernel": 13}), np.random.default_rng(0))


# ---- plug-ins and hybrids -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pond():
    """A plane of two fields: the true model, its truth as an analysis, and a wrong model."""
    registry = load(["my_parts.py"], PARTS)
    cls = registry["model", "pond"].settings
    model, wrong = build(cls(damping=0.2)), build(cls(damping=0.2, forcing=7.0))
    flags = period_flags(Periods(spinup=1, train=120, gap=0, validation=20, test=20))
    truth = simulate(model, TruthSettings(spinup=5), 0.1 * np.arange(flags.size), flags, np.random.default_rng(0))
    analysis = truth.rename(state="mean").assign(spread=truth["state"] * np.nan).assign_attrs(status="ok")
    yield model, wrong, analysis
    load([])


def one_step(emulator, analysis):
    """One-step rms error over the test period."""
    states = analysis["mean"].values[-20:]
    return np.sqrt(np.mean((emulator.step(states[:-1]) - states[1:]) ** 2))


def test_a_module_of_the_users_own_learns_a_plane_of_two_fields(pond):
    _, _, analysis = pond
    settings = settings_of(method="unet", width=8, epochs=10, batch_size=16)
    emulator = open_emulator(train(analysis, settings, np.random.default_rng(0)))
    persistence = np.sqrt(np.mean(np.diff(analysis["mean"].values[-20:], axis=0) ** 2))
    assert one_step(emulator, analysis) < 0.8 * persistence


def test_a_hybrid_corrects_what_its_model_gets_wrong(pond):
    model, wrong, analysis = pond
    correction = {"method": "sklearn", "estimator": "Ridge", "radius": 1}
    settings = settings_of(method="hybrid", model="wrong", correction=correction)
    file = train(analysis, settings, np.random.default_rng(0), model=wrong)
    error = one_step(open_emulator(file), analysis)
    assert error < 0.2 * one_step(wrong, analysis)
    xr.testing.assert_identical(file, train(analysis, settings, np.random.default_rng(0), model=wrong))
    perfect = train(analysis, settings, np.random.default_rng(0), model=model)
    np.testing.assert_allclose(one_step(open_emulator(perfect), analysis), 0, atol=1e-6)


def test_a_hybrid_with_a_network_has_derivatives_where_its_physics_has(analysis, states):
    model = Lorenz96(Lorenz96Settings(size=12, forcing=7.0))
    settings = settings_of(method="hybrid", model="l96", correction=SMALL)
    emulator = open_emulator(train(analysis, settings, np.random.default_rng(0), model=model))
    M = jacobians(emulator, states[:1], "autodiff")[0]
    np.testing.assert_allclose(M, jacobians(emulator, states[:1], "differences")[0], atol=2e-3)


def test_a_hybrid_without_its_model_is_refused(analysis):
    settings = settings_of(method="hybrid", model="l96", correction=SMALL)
    with pytest.raises(SettingsError, match="corrects a physical model: give it too"):
        train(analysis, settings, np.random.default_rng(0))
    with pytest.raises(ValidationError, match="fitted to single steps"):
        settings_of(method="hybrid", model="l96", correction=SMALL | {"lead": 2})


BAD = {
    "returns the shape": "return states[:, :1]",
    "changes what it is given": "return states.mul_(2.0)",
    "fails: RuntimeError": "raise RuntimeError('no')",
}


@pytest.mark.parametrize("what", BAD)
def test_a_wrong_module_is_one_sentence_with_file_and_line(pond, tmp_path, what):
    (tmp_path / "bad.py").write_text(
        "import torch\nfrom assimilearn.plugins import network\n\n@network('bad')\nclass Bad(torch.nn.Module):\n"
        "    def __init__(self, geometry, *, width: int = 2):\n        super().__init__()\n"
        "        self.one = torch.nn.Parameter(torch.ones(1))\n"
        f"    def forward(self, states):\n        {BAD[what]}\n"
    )
    load(["bad.py"], tmp_path)
    try:
        with pytest.raises(PluginError, match=rf"bad.py, line \d+: the network 'bad' {what}"):
            train(pond[2], settings_of(method="bad"), np.random.default_rng(0))
    finally:
        load(["my_parts.py"], PARTS)
