"""Filters in torch: the analyses of the compiled ones, and gradients that finite differences confirm."""

import numpy as np
import pytest
import torch

from assimilearn.assimilation.background.static import static_update
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.methods.enkf import enkf_update
from assimilearn.assimilation.methods.etkf import etkf_update
from assimilearn.assimilation.methods.letkf import letkf_update
from assimilearn.assimilators.filters import scores, updates
from assimilearn.assimilators.filters.cycle import Cycle, Observed, run
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.lorenz96 import tendency
from assimilearn.models.runge_kutta import rk4

SIZE = 12
I = np.arange(SIZE)  # noqa: E741
DISTANCE = np.minimum(abs(I[:, None] - I), SIZE - abs(I[:, None] - I)).astype(float)


def tensor(array):
    return torch.as_tensor(np.array(array, dtype=float))


def case(members=8, count=7, seed=0):
    rng = np.random.default_rng(seed)
    E, sites = 3 * rng.standard_normal((members, SIZE)), np.sort(rng.choice(SIZE, count, replace=False))
    return E, sites, rng.standard_normal(count), rng.uniform(0.5, 2, count), rng.standard_normal(members * count)


@pytest.mark.parametrize("count", [4, 11])
@pytest.mark.parametrize("method", ["etkf", "enkf", "letkf", "3dvar"])
def test_an_analysis_is_that_of_the_compiled_method(method, count):
    E, sites, y, variance, noise = case(members=8, count=count)
    E = E[:1] if method == "3dvar" else E
    B = 0.3 * np.exp(-DISTANCE / 2)
    kernel, parameters = {
        "etkf": (etkf_update, np.empty(0)),
        "enkf": (enkf_update, np.empty(0)),
        "letkf": (letkf_update, encoded("gaspari_cohn", 1.7, I[:, None].astype(float), np.array([float(SIZE)]))),
        "3dvar": (static_update, B.ravel()),
    }[method]
    compiled = E.copy()
    kernel(compiled, E[:, sites].copy(), y, variance, sites, parameters, noise)
    given = tensor(E), tensor(E[:, sites]), tensor(y), tensor(variance)
    found = {
        "etkf": lambda: updates.etkf(*given),
        "enkf": lambda: updates.enkf(*given, tensor(noise.reshape(8, count))),
        "letkf": lambda: updates.letkf(*given, tensor(DISTANCE[:, sites]), 1.7),
        "3dvar": lambda: updates.threedvar(given[0], tensor(B), given[2], given[3], torch.as_tensor(sites)),
    }[method]()
    np.testing.assert_allclose(found.numpy(), compiled, atol=1e-10)


def test_the_scores_are_what_their_definitions_say():
    rng = np.random.default_rng(1)
    Y, y, variance = rng.standard_normal((6, 4)), rng.standard_normal(4), rng.uniform(0.5, 2, 4)
    S = np.cov(Y.T) + np.diag(variance)
    d = y - Y.mean(axis=0)
    density = -0.5 * (d @ np.linalg.solve(S, d) + np.linalg.slogdet(2 * np.pi * S)[1])
    assert -scores.innovation_likelihood(tensor(Y), tensor(y), tensor(variance)) == pytest.approx(density)
    pairs = np.abs(Y[:, None] - Y).sum(axis=(0, 1)) / (2 * 6 * 5)
    assert scores.crps(tensor(Y), tensor(y)) == pytest.approx((np.abs(Y - y).mean(axis=0) - pairs).mean())
    apart = np.linalg.norm(Y[:, None] - Y, axis=2).sum() / (2 * 6 * 5)
    assert scores.energy_score(tensor(Y), tensor(y)) == pytest.approx(np.linalg.norm(Y - y, axis=1).mean() - apart)


CYCLES, MEMBERS = 50, 8
NAMES = ["inflation", "radius", "model_error", "error_scale", "forcing", "weight"]
START = tensor([1.05, 2.3, 0.1, 1.1, 8.0, 0.01])


@pytest.fixture(scope="module")
def record():
    """A truth of Lorenz-96, observations of two thirds of it, random numbers, and an ensemble to begin with."""
    rng, model = np.random.default_rng(2), Lorenz96(Lorenz96Settings(size=SIZE))
    x = rng.standard_normal(SIZE)
    for _ in range(500):
        x = model.step(x)
    E, observed, truth = tensor(x + rng.standard_normal((MEMBERS, SIZE))), [], []
    for _ in range(CYCLES):
        x = model.step(x)
        sites = np.sort(rng.choice(SIZE, 8, replace=False))
        y = tensor(x[sites] + rng.standard_normal(8))
        observed.append(
            Observed(y, tensor(np.ones(8)), torch.as_tensor(sites), tensor(rng.standard_normal((MEMBERS, 20))))
        )
        truth.append(tensor(x))
    return E, observed, truth


def score_of(record, method, name, values, checkpoints=False, cycles=CYCLES):
    """The mean score of 50 cycles as a function of settings, the forcing of the model, and a weight in it."""
    E, observed, truth = record
    observed = observed[:cycles]
    inflation, radius, model_error, error_scale, forcing, weight = values
    cycle = Cycle(
        step=lambda E: rk4(tendency, E, 0.05, forcing) + weight * torch.tanh(E),
        method=method,
        inflation=inflation,
        distance=tensor(DISTANCE),
        radius=radius,
        model_error=model_error,
        error_scale=error_scale,
    )
    scored = {
        "likelihood": lambda f, a, o, k: scores.innovation_likelihood(f[:, o.sites], o.y, o.variance * error_scale**2),
        "crps": lambda f, a, o, k: scores.crps(a, truth[k]),
        "rmse": lambda f, a, o, k: scores.rmse(a, truth[k]),
    }[name]
    return run(E, cycle, observed, scored, checkpoints)[0] / cycles


@pytest.mark.parametrize(("method", "name"), [("letkf", "likelihood"), ("etkf", "rmse"), ("enkf", "crps")])
def test_gradients_through_50_cycles_are_those_of_finite_differences(record, method, name):
    values = START.clone().requires_grad_(True)
    score_of(record, method, name, values).backward()
    for k, setting in enumerate(NAMES):
        if setting == "radius" and method != "letkf":
            continue
        step = 1e-6 * max(1.0, float(START[k]))
        plus, minus = START.clone(), START.clone()
        plus[k] += step
        minus[k] -= step
        with torch.no_grad():
            difference = (score_of(record, method, name, plus) - score_of(record, method, name, minus)) / (2 * step)
        assert float(values.grad[k]) == pytest.approx(float(difference), rel=1e-4, abs=1e-7), setting


def test_recomputed_activations_give_the_same_gradient(record):
    gradients = []
    for checkpoints in (False, True):
        values = START.clone().requires_grad_(True)
        score_of(record, "letkf", "likelihood", values, checkpoints, cycles=5).backward()
        gradients.append(values.grad.numpy())
    np.testing.assert_array_equal(*gradients)


def test_the_gradient_of_a_root_survives_equal_eigenvalues():
    E, sites, y, variance, _ = case(members=8, count=2)  # S S^T has rank 2: six eigenvalues are zero
    given = tensor(E).requires_grad_(True)
    updates.etkf(given, given[:, torch.as_tensor(sites)], tensor(y), tensor(variance)).pow(2).sum().backward()
    assert torch.isfinite(given.grad).all()
