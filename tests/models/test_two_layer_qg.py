"""Two quasi-geostrophic layers: exact linear growth, what advection conserves, convergence, derivatives."""

import numpy as np
import pytest

from assimilearn.models import Model, build
from assimilearn.models.protocol import Differentiable, WithStart
from assimilearn.models.two_layer_qg import TwoLayerQGSettings, coupled

RNG = np.random.default_rng
SMALL = {"points": 16, "length": 15.0}
INVISCID = {"drag": 0.0, "damping": 0.0}


def grid_mean(model, waves, other):
    """Mean over the plane of the product of two fields, layer by layer, from their waves."""
    n = model.settings.points
    one, two = (np.fft.irfft2(w, (n, n)) for w in (waves, other))
    return (one * two).mean(axis=(-2, -1))


def turbulent(model, amplitude=3.0, seed=0):
    return amplitude / model.settings.start_std * model.start(RNG(seed))


@pytest.mark.parametrize("numbers", [(2, 0), (2, 1)])
def test_growth_and_phase_of_a_wave_are_those_of_phillips_dispersion_relation(numbers):
    """Equal layers with flows U and -U (Vallis 2017, eq. 9.80), seen from the lower one."""
    model = build(TwoLayerQGSettings(points=16, length=15.0, beta=0.1, **INVISCID, time_step=0.02))
    kx, ky = numbers
    unit, U = 2 * np.pi / 15.0, model.settings.shear / 2
    K2, beta = unit**2 * (kx**2 + ky**2), model.settings.beta
    root = np.sqrt(complex(1 + 4 * K2**2 * (K2**2 - 1) * U**2 / beta**2))
    exact = [U - beta / (K2 + 1) * (1 + (1 + sign * root) / (2 * K2)) for sign in (1, -1)]
    rates = -1j * unit * kx * np.array(exact)
    L, A = model.operators.linear[:, :, ky, kx], model.operators.to_psi[:, :, ky, kx]
    found, modes = np.linalg.eig(L @ A)
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(rates), atol=1e-12)

    fastest = int(found.real.argmax())
    assert found[fastest].real > 0.02
    q = np.zeros((2, 16, 9), dtype=complex)
    q[:, ky, kx] = 1e-6 * modes[:, fastest]
    x = model.states_of(q)
    for _ in range(100):
        x = model.step(x)
    grown = model.waves_of(x)[:, ky, kx] / q[:, ky, kx]
    np.testing.assert_allclose(grown, np.exp(2.0 * found[fastest]), rtol=1e-6)


def test_advection_conserves_energy_and_the_potential_enstrophy_of_each_layer():
    model = build(TwoLayerQGSettings(**SMALL, **INVISCID, beta=0.3, shear=0.0, depth_ratio=0.25))
    q = model.waves_of(turbulent(model))
    psi, change = coupled(model.operators.to_psi, q), model.tendency(q)
    depths = np.array([0.25, 1.0]) / 1.25
    energy = -depths * grid_mean(model, psi, change)
    assert abs(energy.sum()) < 1e-13 * np.sqrt(
        grid_mean(model, psi, psi).sum() * grid_mean(model, change, change).sum()
    )
    still = build(TwoLayerQGSettings(**SMALL, **INVISCID, beta=0.0, shear=0.0))
    q = still.waves_of(turbulent(still))
    enstrophy, size = grid_mean(still, q, still.tendency(q)), grid_mean(still, q, q)
    np.testing.assert_allclose(enstrophy, 0.0, atol=1e-12 * size.max())


def test_a_run_without_forcing_keeps_its_energy():
    model = build(TwoLayerQGSettings(**SMALL, **INVISCID, shear=0.0, time_step=0.02))

    def energy(x):
        q = model.waves_of(x)
        return -0.5 * grid_mean(model, coupled(model.operators.to_psi, q), q).sum()

    x = y = turbulent(model, 1.0)
    for _ in range(100):
        y = model.step(y)
    assert energy(y) == pytest.approx(energy(x), rel=1e-6)
    assert np.abs(y - x).max() > 0.5


def test_rk4_converges_at_order_four():
    runs = {}
    for halvings in (0, 1, 4):
        model = build(TwoLayerQGSettings(**SMALL, damping=0.5, time_step=0.1 / 2**halvings))
        x = turbulent(model)
        for _ in range(10 * 2**halvings):
            x = model.step(x)
        runs[halvings] = x
    error = [np.abs(runs[k] - runs[4]).max() for k in (0, 1)]
    assert np.log2(error[0] / error[1]) == pytest.approx(4, abs=0.3)


def test_numpy_and_torch_steps_agree_and_the_adjoint_passes_the_dot_product_test():
    torch = pytest.importorskip("torch")
    model = build(TwoLayerQGSettings(**SMALL))
    x = np.stack([turbulent(model, seed=k) for k in range(3)])
    np.testing.assert_allclose(model.differentiable(torch.tensor(x)).numpy(), model.step(x), rtol=0, atol=1e-12)
    v, w = (torch.tensor(RNG(k).standard_normal(model.size)) for k in (1, 2))
    forward = torch.autograd.functional.jvp(model.differentiable, torch.tensor(x[0]), v)[1]
    backward = torch.autograd.functional.vjp(model.differentiable, torch.tensor(x[0]), w)[1]
    assert float(forward @ w) == pytest.approx(float(v @ backward), rel=1e-11)
    differences = (model.step(x[0] + 1e-5 * v.numpy()) - model.step(x[0] - 1e-5 * v.numpy())) / 2e-5
    np.testing.assert_allclose(forward.numpy(), differences, rtol=0, atol=1e-7)
    assert isinstance(model, Model) and isinstance(model, Differentiable) and isinstance(model, WithStart)
    assert model.geometry.homogeneous and model.geometry.names == ["psi_upper", "psi_lower"]


def test_the_shear_keeps_it_turbulent_and_stepping_in_parts_changes_nothing(monkeypatch):
    model = build(TwoLayerQGSettings(**SMALL, time_step=0.1))
    x = np.stack([turbulent(model, 2.0, seed=k) for k in range(2)])
    for _ in range(400):
        x = model.step(x)
    assert 0.3 < x.std() < 10
    whole = model.step(x)
    monkeypatch.setattr("assimilearn.models.two_layer_qg.AT_ONCE", 1)
    np.testing.assert_array_equal(model.step(x), whole)
