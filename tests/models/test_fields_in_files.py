"""Models of the user's own with fields: their steps, starts and derivatives, and how files give fields back."""

from pathlib import Path

import numpy as np
import pytest

import assimilearn
from assimilearn import store
from assimilearn.models import Lorenz96, Lorenz96Settings, build
from assimilearn.models.fields import geometry_in
from assimilearn.models.integrate import spun_up_state
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.plugins import load
from assimilearn.registry import registry, use

FLOW = Path(__file__).parents[1] / "plugins" / "ginzburg_landau.py"
TORCH = """
import torch
from assimilearn.plugins import model

def start(rng):
    return {"u": 1 + 0.1 * rng.standard_normal(5)}

@model("relaxation", fields={"u": (5,)}, time_step=0.1, start=start)
def relaxation(fields, *, rate: float = 0.5):
    u = fields["u"]
    return {"u": u + 0.1 * (torch.roll(u, 1, dims=-1) * u - rate * u)}
"""


@pytest.fixture(autouse=True)
def _parts_of_the_package_afterwards():
    before = registry()
    yield
    use(before)


def flow():
    return build(load([str(FLOW)])["model", "ginzburg-landau"].settings(method="ginzburg-landau"))


def truth(model, times=6):
    return simulate(model, TruthSettings(spinup=5), np.arange(times) * model.time_step, np.ones(times), rng())


def rng():
    return np.random.default_rng(0)


def test_the_ginzburg_landau_flow_is_chaotic_and_starts_where_it_says():
    model = flow()
    assert model.geometry.names == ["real", "imaginary"] and model.size == 512 and model.geometry.homogeneous
    assert np.abs(model.start(rng())).std() < 0.3
    state = spun_up_state(model, 60.0, rng())
    assert 0.3 < state.std() < 1.0
    assert lyapunov_exponents(model, 60.0, rng(), 2, start=state)[0] > 0.1


def test_a_truth_of_fields_comes_back_from_its_file_on_its_grid(tmp_path):
    dataset = truth(flow())
    store.write(dataset, tmp_path / "truth.nc")
    back = store.read(tmp_path / "truth.nc")
    assert geometry_in(back) == flow().geometry
    assert {"field", "x", "y"} <= set(back.coords) and back["field"].dims == ("site",)
    named = assimilearn.fields(back)
    assert named["real"].dims == ("time", "y", "x") and named["imaginary"].shape == (6, 16, 16)
    assert np.array_equal(named["imaginary"].values.reshape(6, -1), dataset["state"].values[:, 256:])
    assert float(named["x"][1]) == 2.0
    assert float(back["x"][1]) == 2.0 and float(back["y"][1]) == 0.0


def test_the_plain_ring_says_nothing_of_its_geometry_and_still_has_a_field():
    dataset = truth(Lorenz96(Lorenz96Settings()))
    assert set(dataset.coords) == {"time", "site", "period"} and set(dataset.attrs) == {"size", "time_step"}
    named = assimilearn.fields(dataset)
    assert named["x"].dims == ("time", "x_position") and np.array_equal(named["x"].values, dataset["state"].values)


def test_a_step_in_torch_is_differentiable(tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "own.py").write_text(TORCH)
    model = build(load(["own.py"], tmp_path)["model", "relaxation"].settings(method="relaxation"))
    x, h = model.start(rng()), 1e-6
    assert model.of_tensors and np.array_equal(model.step(x), model.step(np.stack([x, x]))[1])
    found = torch.autograd.functional.jacobian(model.differentiable, torch.tensor(x)).numpy()
    differences = (model.step(x + h * np.eye(5)) - model.step(x - h * np.eye(5))) / (2 * h)
    np.testing.assert_allclose(found, differences.T, atol=1e-8)
