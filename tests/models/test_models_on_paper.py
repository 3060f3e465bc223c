"""What is known on paper of models besides Lorenz-63 and Lorenz-96: conservation, growth rates, order, exponents."""

import numpy as np
import pytest

from assimilearn.models import build, lorenz96
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.integrate import advance, spun_up_state, trajectory
from assimilearn.models.kuramoto_sivashinsky import KuramotoSivashinskySettings
from assimilearn.models.lorenz84 import Lorenz84Settings
from assimilearn.models.lorenz96_two_scale import Lorenz96TwoScaleSettings
from assimilearn.models.lorenz2005 import Lorenz2005ThreeSettings, Lorenz2005TwoSettings, triangle
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.verification.scorecards import identity_rows

RNG = np.random.default_rng(84)
MODELS = [
    (Lorenz84Settings(), 0.4),
    (Lorenz96TwoScaleSettings(slow=4, fast=3), 0.04),
    (Lorenz2005TwoSettings(size=30, averaging=4), 0.1),
    (Lorenz2005ThreeSettings(size=32, averaging=4, smoothing=3), 0.02),
    (KuramotoSivashinskySettings(size=64, length=44.0), 0.5),
]


@pytest.mark.parametrize(("settings", "duration"), MODELS, ids=lambda value: getattr(value, "method", ""))
def test_the_integration_converges_at_order_four(settings, duration):
    start = spun_up_state(build(settings), 20.0, np.random.default_rng(1))

    def run(steps):
        return advance(build(settings.model_copy(update={"time_step": duration / steps})), start, steps)

    reference = run(512)
    errors = [np.abs(run(steps) - reference).max() for steps in (16, 32, 64)]
    np.testing.assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 4.0, atol=0.3)


@pytest.mark.parametrize("settings", [settings for settings, _ in MODELS], ids=lambda s: s.method)
def test_tangent_and_adjoint_of_a_step_pass_the_dot_product_test(settings):
    """<w, M v> = <M^T w, v>, and M v is what a small perturbation becomes."""
    torch = pytest.importorskip("torch")
    model = build(settings)
    x, v, w = spun_up_state(model, 5.0, RNG), RNG.standard_normal(model.size), RNG.standard_normal(model.size)
    of, at = model.differentiable, torch.tensor(x)
    forward = torch.func.jvp(of, (at,), (torch.tensor(v),))[1].numpy()
    backward = torch.func.vjp(of, at)[1](torch.tensor(w))[0].numpy()
    assert w @ forward == pytest.approx(backward @ v, rel=1e-12)
    h = 1e-5
    np.testing.assert_allclose(forward, (model.step(x + h * v) - model.step(x - h * v)) / (2 * h), rtol=0, atol=1e-7)


def test_advection_of_lorenz84_conserves_the_energy():
    """Quadratic terms only: what is left of x . dx/dt is damping and forcing."""
    x = RNG.standard_normal((5, 3))
    tendency = build(Lorenz84Settings()).tendency(x, 0.25, 4.0, 8.0, 1.0)
    linear = -0.25 * x[:, 0] ** 2 - x[:, 1] ** 2 - x[:, 2] ** 2 + 0.25 * 8.0 * x[:, 0] + x[:, 1]
    np.testing.assert_allclose((x * tendency).sum(axis=1), linear, rtol=0, atol=1e-12)


def test_two_scales_exchange_energy_and_lose_none():
    """Without damping and forcing the sum of all squares stays: advection moves energy, the coupling hands it over."""
    model, x = build(Lorenz96TwoScaleSettings(slow=5, fast=4)), RNG.standard_normal((3, 25))
    damping = x * np.repeat([1.0, 10.0], [5, 20])
    undamped = model.tendency(x, *model.values) + damping - np.repeat([20.0, 0.0], [5, 20])
    np.testing.assert_allclose((x * undamped).sum(axis=1), 0.0, atol=1e-11)
    alone = build(Lorenz96TwoScaleSettings(slow=5, fast=4, coupling=0))
    slow = alone.tendency(x, *alone.values)[:, :5]
    np.testing.assert_allclose(slow, lorenz96.tendency(x[:, :5], 20.0), rtol=0, atol=1e-13)


def test_two_scale_tendency_is_the_published_equation_site_by_site():
    settings = Lorenz96TwoScaleSettings(slow=4, fast=3, forcing=10, coupling=0.7, amplitude_ratio=5, time_ratio=6)
    x = RNG.standard_normal(16)
    X, Y, drive = x[:4], x[4:], 0.7 * 6 / 5
    slow = [X[k - 1] * (X[(k + 1) % 4] - X[k - 2]) - X[k] + 10 - drive * Y[3 * k : 3 * k + 3].sum() for k in range(4)]
    fast = [6 * 5 * Y[(j + 1) % 12] * (Y[j - 1] - Y[(j + 2) % 12]) - 6 * Y[j] + drive * X[j // 3] for j in range(12)]
    model = build(settings)
    np.testing.assert_allclose(model.tendency(x, *model.values), slow + fast, rtol=0, atol=1e-12)


def bracket(X, Y, K):
    """[X, Y]_K as it is published: a double sum whose first and last terms count half for even K."""
    n, J = X.size, K // 2
    half = {j: 0.5 if K % 2 == 0 and abs(j) == J else 1.0 for j in range(-J, J + 1)}
    return np.array(
        [
            sum(
                half[i]
                * half[j]
                * (-X[(m - 2 * K - i) % n] * Y[(m - K - j) % n] + X[(m - K + j - i) % n] * Y[(m + K + j) % n])
                for i in half
                for j in half
            )
            / K**2
            for m in range(n)
        ]
    )


@pytest.mark.parametrize("K", [1, 2, 3])
def test_models_of_lorenz2005_are_the_published_sums(K):
    Z, n, I = RNG.standard_normal(15), 15, 2  # noqa: E741
    two = build(Lorenz2005TwoSettings(size=n, averaging=K, forcing=10))
    np.testing.assert_allclose(two.tendency(Z, *two.values), bracket(Z, Z, K) - Z + 10, rtol=0, atol=1e-12)
    alpha, beta = (3 * I**2 + 3) / (2 * I**3 + 4 * I), (2 * I**2 + 1) / (I**4 + 2 * I**2)
    weights = {i: (alpha - beta * abs(i)) * (0.5 if abs(i) == I else 1) for i in range(-I, I + 1)}
    X = np.array([sum(w * Z[(m + i) % n] for i, w in weights.items()) for m in range(n)])
    Y = Z - X
    expected = bracket(X, X, K) + 100 * bracket(Y, Y, 1) + 2.5 * bracket(Y, X, 1) - X - 10 * Y + 10
    three = build(Lorenz2005ThreeSettings(size=n, averaging=K, smoothing=I, forcing=10))
    np.testing.assert_allclose(three.tendency(Z, *three.values), expected, rtol=0, atol=1e-11)


def test_model_two_is_lorenz96_without_averaging_and_conserves_energy_with_it():
    Z = RNG.standard_normal((4, 24))
    one = build(Lorenz2005TwoSettings(size=24, averaging=1, forcing=8))
    np.testing.assert_allclose(one.tendency(Z, *one.values), lorenz96.tendency(Z, 8.0), rtol=0, atol=1e-12)
    smooth = build(Lorenz2005TwoSettings(size=24, averaging=6, forcing=0))
    advection = smooth.tendency(Z, *smooth.values) + Z
    np.testing.assert_allclose((Z * advection).sum(axis=1), 0.0, atol=1e-11)


def test_the_large_scales_of_model_three_are_those_of_a_parabola():
    """The filter of Lorenz (2005) leaves quadratic fields as they are."""
    i, weights = np.arange(-12, 13), np.array(triangle(12))
    np.testing.assert_allclose([weights.sum(), weights @ i, weights @ i**2], [1, 0, 0], atol=1e-12)


def growth(z):
    """What one RK4 step multiplies a mode of dx/dt = lambda x by, for z = lambda dt."""
    return 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24


def test_waves_on_the_zonal_wind_grow_at_the_exact_rate():
    """Lorenz-84 without contrast along the flow: on x = F small waves have the rates F - 1 and i b F."""
    model, h = build(Lorenz84Settings(G=0.0)), 1e-6
    rest = np.array([8.0, 0.0, 0.0])
    np.testing.assert_allclose(model.step(rest), rest, rtol=0, atol=1e-13)
    moved = (model.step(rest + np.array([0, h, 0])) - rest) / h
    factor = growth((7 + 32j) * model.time_step)
    np.testing.assert_allclose(moved, [0, factor.real, factor.imag], rtol=0, atol=1e-5)


def test_waves_on_a_uniform_field_of_model_two_grow_at_the_exact_rate():
    """lambda = -1 + F s (r^K + s r^-K - r^-2K - r^-K) for waves r^n, of which the mean over K sites leaves s."""
    K, F, n, p, h = 5, 15.0, 40, 6, 1e-6
    model = build(Lorenz2005TwoSettings(size=n, averaging=K, forcing=F))
    r = np.exp(2j * np.pi * p / n)
    s = (r ** np.arange(-(K // 2), K // 2 + 1)).sum().real / K
    rate = -1 + F * s * (r**K + s * r**-K - r ** (-2 * K) - r**-K)
    wave = np.exp(2j * np.pi * p * np.arange(n) / n)
    moved = (model.step(F + h * wave.real) - F) / h
    np.testing.assert_allclose(moved, (growth(rate * model.time_step) * wave).real, rtol=0, atol=1e-4)


def test_waves_of_kuramoto_sivashinsky_grow_at_the_exact_rate_and_its_mean_stays():
    model, h = build(KuramotoSivashinskySettings(size=64, length=50.0)), 1e-8
    x = np.arange(64) / 64 * 2 * np.pi
    for p in (0, 3, 8, 20):
        k = 2 * np.pi * p / 50.0
        moved = model.step(h * np.cos(p * x)) / h
        np.testing.assert_allclose(moved, np.exp((k**2 - k**4) * 0.5) * np.cos(p * x), rtol=0, atol=1e-6)
    run = trajectory(model, model.start(RNG), 200)
    np.testing.assert_allclose(run.mean(axis=1), 0.0, atol=1e-13)


def test_advection_of_kuramoto_sivashinsky_conserves_the_energy():
    """The integral of u^2 u_x over a period is 0; so it is at the points, for a field without the highest waves."""
    model = build(KuramotoSivashinskySettings(size=64, length=44.0))
    x = np.arange(64) / 64 * 2 * np.pi
    u = sum(a * np.cos(p * x + b) for p, (a, b) in enumerate(RNG.standard_normal((8, 2)), 1))
    advection = np.fft.irfft(model.coefficients.g * np.fft.rfft(u * u), 64)
    assert np.abs(advection).max() > 0.1
    assert abs(u @ advection) < 1e-11


def hold(settings, duration, exponents, count=None):
    """Whether the identities of a model hold in a file with exponents over so many MTU."""
    of = ClimateSettings(duration=duration, lyapunov_duration=exponents, lyapunov_count=count)
    rows = identity_rows("file", climate(build(settings), of, np.random.default_rng(0)))
    return [row.passed for row in rows] == [True] * (2 if count is None else 1)


def test_identities_of_model_two_and_of_kuramoto_sivashinsky_hold():
    assert hold(Lorenz2005TwoSettings(size=16, averaging=2), 300.0, 40.0)
    assert hold(KuramotoSivashinskySettings(), 3000.0, 0.5, 1)


@pytest.mark.slow
def test_identities_of_lorenz84_and_of_two_scales_hold():
    assert hold(Lorenz84Settings(), 2000.0, 1000.0)
    assert hold(Lorenz96TwoScaleSettings(slow=4, fast=4, forcing=10), 300.0, 20.0)


@pytest.mark.slow
def test_the_exponents_of_kuramoto_sivashinsky_are_the_published_ones():
    """Edson, Bunder, Mattner & Roberts (2019), ANZIAM J. 61, 270-285: 0.093 - 0.94 (i - 0.39) / L for long lines."""
    model = build(KuramotoSivashinskySettings(time_step=0.25))
    found = lyapunov_exponents(model, 4000.0, np.random.default_rng(0), 8, spinup=200.0)
    expected = 0.093 - 0.94 * (np.arange(1, 9) - 0.39) / (32 * np.pi)
    np.testing.assert_allclose(found, expected, atol=0.012)
