"""Tangent and adjoint of classical emulators, and of those of users: autodiff of the same step."""

import numpy as np
import pytest
import torch
from training_sets import lorenz96_analysis

from assimilearn import plugins
from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.lim import LimSettings
from assimilearn.emulators.classical.polynomial import PolynomialSettings
from assimilearn.emulators.classical.random_features import RandomFeatureSettings
from assimilearn.emulators.classical.reservoir import ReservoirSettings
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.emulators.classical.sparse import SparseSettings
from assimilearn.emulators.networks.recurrent import LstmSettings
from assimilearn.models.protocol import Differentiable, with_memory
from assimilearn.registry import registry

DAMPED = """
import numpy as np
from assimilearn.plugins import emulator

@emulator("damped")
class Damped:
    def __init__(self, geometry, *, power: float = 2.0):
        self.power = power
    def fit(self, states, targets):
        self.scale_ = np.abs(states).max()
    def predict(self, states):
        return states - 0.1 * (states / self.scale_) ** self.power
    def differentiable(self, states):
        return states - 0.1 * (states / self.scale_) ** self.power
"""
CASES = (
    RidgeSettings(radius=2),
    RidgeSettings(radius=None, degree=2),
    SparseSettings(substeps=2),
    PolynomialSettings(),
    LimSettings(stochastic=True),
    RandomFeatureSettings(features=20, radius=2),
    RandomFeatureSettings(features=20, skip=False),
    ReservoirSettings(units=8, washout=10),
    LstmSettings(width=2, epochs=1),
)


@pytest.fixture(scope="module")
def analysis():
    return lorenz96_analysis(size=12)


def check(emulator, analysis):
    assert isinstance(emulator, Differentiable)
    state = with_memory(emulator, analysis["mean"].values[400].astype(float))
    x, rng = torch.as_tensor(state), np.random.default_rng(0)
    exact = 1e-5 if emulator.settings.trained_in_epochs else 1e-11  # filters run networks in single precision
    assert emulator.differentiable(x).detach().numpy() == pytest.approx(emulator.step(state), abs=exact)
    dx, dy = torch.as_tensor(rng.standard_normal((2, state.size)))
    _, tangent = torch.func.jvp(emulator.differentiable, (x,), (dx,))
    (adjoint,) = torch.func.vjp(emulator.differentiable, x)[1](dy)
    assert float(tangent @ dy) == pytest.approx(float(dx @ adjoint), rel=1e-10)
    ends = [emulator.differentiable(x + sign * 1e-6 * dx) for sign in (1, -1)]
    assert tangent.detach().numpy() == pytest.approx(((ends[0] - ends[1]) / 2e-6).detach().numpy(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("settings", CASES, ids=lambda s: f"{s.method}-{s.stencil_radius}")
def test_the_tangent_is_the_derivative_and_the_adjoint_passes_the_dot_product_test(settings, analysis):
    check(open_emulator(train(analysis, settings, np.random.default_rng(0))), analysis)


def test_an_emulator_of_a_user_with_a_step_of_tensors_has_both(analysis, tmp_path):
    (tmp_path / "damped.py").write_text(DAMPED)
    plugins.load([str(tmp_path / "damped.py")])
    try:
        settings = registry().find("damped", "emulator").settings()
        check(open_emulator(train(analysis, settings, np.random.default_rng(0))), analysis)
    finally:
        plugins.load([])


def test_the_error_of_a_memory_is_that_of_forecasts_that_carry_it(analysis):
    """A reservoir that begins anew at each analysis would be worse by far."""
    file = train(analysis, ReservoirSettings(units=100, washout=30, alpha=1e-2), np.random.default_rng(0))
    emulator, truth = open_emulator(file), analysis["mean"].values[320:420].astype(float)
    state, errors = with_memory(emulator, truth[0]), []
    for k in range(99):
        state = emulator.step(np.concatenate([truth[k], state[12:]]))
        errors.append(state[:12] - truth[k + 1])
    assert file.attrs["residual_std"] == pytest.approx(np.sqrt(np.mean(np.square(errors[30:]))), rel=1e-9)
    anew = emulator.step(with_memory(emulator, truth[:-1]))[:, :12] - truth[1:]
    assert file.attrs["residual_std"] < 0.98 * np.sqrt(np.mean(anew**2))
