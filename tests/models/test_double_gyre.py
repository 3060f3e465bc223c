"""The double gyre: what its discretisation must conserve, how fast it converges, and its circulation."""

import numpy as np
import pytest

from assimilearn.models import Model, build
from assimilearn.models.double_gyre import DoubleGyreSettings, inside, jacobian, padded
from assimilearn.models.integrate import advance
from assimilearn.models.protocol import Differentiable, WithStart

SMALL = {"points": 17, "F": 100.0, "RKH2": 2e-7}


def noise(model, seed=0, amplitude=1.0):
    m = model.settings.points - 2
    return amplitude * np.random.default_rng(seed).standard_normal((m, m))


def states(model, count):
    rng = np.random.default_rng(3)
    return advance(model, np.stack([100 * model.start(rng) for _ in range(count)]), 40)


def test_the_compiled_numpy_and_torch_steps_agree_to_round_off():
    torch = pytest.importorskip("torch")
    model = build(DoubleGyreSettings(**SMALL))
    x = states(model, 3)
    found, rows = model.step(x), x.copy()
    kernel, parameters = model.compiled
    kernel(rows, parameters)
    np.testing.assert_allclose(rows, found, rtol=0, atol=1e-12 * np.abs(found).max())
    np.testing.assert_allclose(model.differentiable(torch.tensor(x)).numpy(), found, rtol=0, atol=1e-12)
    assert isinstance(model, Model) and isinstance(model, Differentiable) and isinstance(model, WithStart)
    assert model.geometry.size == model.size == 17**2 and not model.geometry.axes[0].periodic


def test_streamfunction_and_vorticity_are_inverse_to_each_other():
    model = build(DoubleGyreSettings(**SMALL))
    q = noise(model)
    np.testing.assert_allclose(model.vorticity(model.streamfunction(q)), q, rtol=0, atol=1e-11)


def test_arakawas_jacobian_conserves_energy_and_enstrophy_and_is_that_of_smooth_functions():
    model = build(DoubleGyreSettings(**SMALL))
    a, b = padded(noise(model, 1)), padded(noise(model, 2))
    J = jacobian(a, b, model.h)
    for weight in (inside(a), inside(b)):
        assert abs((weight * J).sum()) < 1e-12 * np.abs(weight * J).sum()

    def error(points):
        y, x = np.meshgrid(*2 * [np.linspace(0, 1, points)], indexing="ij")
        a, b = np.sin(2 * x + y), np.cos(x - 3 * y)
        exact = 2 * np.cos(2 * x + y) * 3 * np.sin(x - 3 * y) + np.cos(2 * x + y) * np.sin(x - 3 * y)
        return np.abs(jacobian(a, b, 1 / (points - 1)) - inside(exact)).max()

    assert np.log2(error(17) / error(33)) == pytest.approx(2, abs=0.1)


def test_without_wind_and_friction_energy_is_kept_and_the_enstrophy_of_the_advection():
    model = build(DoubleGyreSettings(**SMALL | {"wind": 0, "RKH2": 0, "r": 1e-2}))
    q = noise(model)
    psi, change = inside(model.streamfunction(q)), model.tendency(q)
    assert abs((psi * change).sum()) < 1e-12 * np.abs(psi * change).sum()
    still = build(DoubleGyreSettings(**SMALL | {"wind": 0, "RKH2": 0, "r": 0}))
    advection = change - still.tendency(q)
    assert abs((q * advection).sum()) < 1e-12 * np.abs(q * advection).sum()


def test_friction_takes_energy_at_the_rate_of_its_symbol():
    """A sine is an eigenfunction of every operator but the advection of planetary vorticity, which only disperses."""
    model = build(DoubleGyreSettings(**SMALL | {"wind": 0, "r": 0}))
    k, l_ = 3, 4
    psi = np.outer(model.sines[l_], model.sines[k])
    lap = model.eigenvalues[k] + model.eigenvalues[l_]
    q = (lap - model.settings.F) * psi
    rate = (psi * model.tendency(q)).sum() / (psi * q).sum()
    assert rate == pytest.approx(-model.settings.RKH2 * lap**3 / (lap - model.settings.F), rel=1e-9)


def test_rk4_converges_at_order_four():
    runs = {}
    for halvings in (0, 1, 4):
        model = build(DoubleGyreSettings(**SMALL | {"RKH2": 0}, r=1e-3, time_step=1.25 / 2**halvings))
        x = model.start(np.random.default_rng(0)) * 100
        for _ in range(8 * 2**halvings):
            x = model.step(x)
        runs[halvings] = x
    error = [np.abs(runs[k] - runs[4]).max() for k in (0, 1)]
    assert np.log2(error[0] / error[1]) == pytest.approx(4, abs=0.3)


def test_the_adjoint_passes_the_dot_product_test():
    torch = pytest.importorskip("torch")
    model = build(DoubleGyreSettings(**SMALL))
    x = torch.tensor(states(model, 1)[0])
    v, w = (torch.tensor(padded(noise(model, seed)).ravel()) for seed in (5, 6))
    forward = torch.autograd.functional.jvp(model.differentiable, x, v)[1]
    backward = torch.autograd.functional.vjp(model.differentiable, x, w)[1]
    assert float(forward @ w) == pytest.approx(float(v @ backward), rel=1e-12)
    h = 1e-4
    differences = (model.step((x + h * v).numpy()) - model.step((x - h * v).numpy())) / (2 * h)
    np.testing.assert_allclose(forward.numpy(), differences, rtol=0, atol=1e-8)


def test_the_published_basin_spins_up_to_two_gyres_of_the_known_strength():
    """2,000 time units from near rest: opposite circulations north and south, the strongest currents in the west."""
    model = build(DoubleGyreSettings())
    psi = advance(model, model.start(np.random.default_rng(0)), 1600).reshape(129, 129)
    assert 3 < psi.std() < 9  # 5.7 to 8.4 in the long run
    assert psi[:60].mean() * psi[-60:].mean() < 0
    speed = np.abs(np.diff(psi, axis=1)).mean(axis=0)
    assert speed[:16].mean() > 2 * speed[-64:].mean()
