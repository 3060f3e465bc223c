"""Lorenz-96 obeys what can be proved of it on paper, in its NumPy, torch and compiled forms."""

import numpy as np
import pytest
from pydantic import ValidationError

from assimilearn.models import Lorenz96, Lorenz96Settings, Model
from assimilearn.models.integrate import trajectory
from assimilearn.models.lorenz96 import tendency


def model(**settings) -> Lorenz96:
    return Lorenz96(Lorenz96Settings(**settings))


def states(count: int = 5, size: int = 40, seed: int = 0) -> np.ndarray:
    return 2.3 + 3.6 * np.random.default_rng(seed).standard_normal((count, size))


@pytest.mark.parametrize("size", [4, 5, 40])
def test_the_compiled_step_equals_the_numpy_step(size):
    lorenz = model(size=size, forcing=7.5, time_step=0.03)
    E = states(size=size)
    expected = lorenz.step(E)
    step, parameters = lorenz.compiled
    step(E, parameters)
    np.testing.assert_allclose(E, expected, rtol=0, atol=1e-13)


def test_the_tendency_is_the_published_equation_site_by_site():
    x, F, n = states(1)[0], 8.0, 40
    expected = [(x[(i + 1) % n] - x[(i - 2) % n]) * x[(i - 1) % n] - x[i] + F for i in range(n)]
    np.testing.assert_allclose(tendency(x, F), expected, rtol=0, atol=1e-13)


def test_a_uniform_state_at_the_forcing_stays():
    rest = np.full(40, 8.0)
    np.testing.assert_array_equal(model().step(rest), rest)
    compiled = trajectory(model(), rest, 20)[-1]
    np.testing.assert_allclose(compiled, rest, rtol=0, atol=1e-12)


def test_a_uniform_state_relaxes_exponentially():
    """Uniform states have no advection: dx/dt = F - x, so x(t) = F + (x0 - F) exp(-t)."""
    lorenz = model(time_step=0.01)
    final = trajectory(lorenz, np.full(40, 3.0), 50)[-1]
    np.testing.assert_allclose(final, 8.0 - 5.0 * np.exp(-0.5), rtol=0, atol=1e-9)


def test_advection_conserves_energy():
    """sum x_i (x_{i+1} - x_{i-2}) x_{i-1} = 0; without damping and forcing nothing is left of x . dx/dt."""
    x = states()
    advection = tendency(x, 0.0) + x
    np.testing.assert_allclose((x * advection).sum(axis=-1), 0.0, atol=1e-10)


def test_runge_kutta_converges_at_order_four():
    start = trajectory(model(), states(1)[0], 200)[-1]
    reference = trajectory(model(time_step=0.5 / 2048), start, 2048)[-1]
    error = [np.abs(trajectory(model(time_step=0.5 / k), start, k)[-1] - reference).max() for k in (32, 64, 128)]
    orders = np.log2(np.array(error[:-1]) / error[1:])
    np.testing.assert_allclose(orders, 4.0, atol=0.2)


def test_a_step_commutes_with_a_rotation_of_the_ring():
    x = states()
    np.testing.assert_array_equal(model().step(np.roll(x, 7, axis=-1)), np.roll(model().step(x), 7, axis=-1))


def test_a_step_leaves_its_input_as_it_was():
    x = states()
    before = x.copy()
    model().step(x)
    np.testing.assert_array_equal(x, before)


def test_torch_gradients_equal_finite_differences():
    torch = pytest.importorskip("torch")
    x, weights = states(1)[0], states(1, seed=1)[0]

    def loss(at):
        return (model().step(at) * weights).sum()

    leaf = torch.tensor(x, requires_grad=True)
    (model().step(leaf) * torch.tensor(weights)).sum().backward()
    h = 1e-5
    differences = [(loss(x + h * e) - loss(x - h * e)) / (2 * h) for e in np.eye(40)]
    np.testing.assert_allclose(leaf.grad.numpy(), differences, rtol=0, atol=1e-8)


def test_torch_and_numpy_steps_agree():
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(model().step(torch.tensor(states())).numpy(), model().step(states()), atol=1e-13)


def test_a_divergence_stays_visible_in_the_compiled_step():
    E = np.full((1, 40), 1e200)
    E[0, 3] = -1e200
    step, parameters = model().compiled
    step(E, parameters)
    assert not np.isfinite(E).all()


def test_lorenz96_is_a_model():
    assert isinstance(model(), Model)
    assert model().size == 40 and model().time_step == 0.05


@pytest.mark.parametrize("bad", [{"size": 3}, {"time_step": 0.0}, {"time_step": 0.5}, {"forcing": "nan"}, {"F": 8}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        Lorenz96Settings(**bad)
