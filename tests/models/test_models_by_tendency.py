"""Models that are a tendency: what is known of them on paper, and their common integrator."""

import os
import subprocess
import sys

import numpy as np
import pytest

from assimilearn.models import Model, build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.local_quadratic import LocalQuadraticSettings
from assimilearn.models.lorenz63 import Lorenz63Settings
from assimilearn.models.lorenz84 import Lorenz84Settings
from assimilearn.models.lorenz96 import Lorenz96Settings
from assimilearn.models.lorenz96_cubic import Lorenz96CubicSettings, tendency
from assimilearn.models.lorenz96_two_scale import Lorenz96TwoScaleSettings
from assimilearn.models.lorenz2005 import Lorenz2005ThreeSettings, Lorenz2005TwoSettings
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.models.protocol import Differentiable
from assimilearn.models.runge_kutta import rk4
from assimilearn.verification.scorecards import identity_rows

SETTINGS = [
    Lorenz63Settings(),
    Lorenz84Settings(),
    Lorenz96Settings(size=7),
    Lorenz96CubicSettings(size=7),
    LocalQuadraticSettings(size=7, m2=0.3, m1_m1=-0.05, c_p2=0.1, p1_p2=0.05, m2_c=0.02),
    Lorenz96TwoScaleSettings(slow=4, fast=3),
    Lorenz2005TwoSettings(size=13, averaging=3),
    Lorenz2005ThreeSettings(size=16, averaging=4, smoothing=3),
]


def states(model, count=4):
    return spun_up_state(model, 5.0, np.random.default_rng(0)) + np.random.default_rng(1).standard_normal(
        (count, model.size)
    )


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.method)
def test_compiled_numpy_and_torch_steps_agree(settings):
    torch = pytest.importorskip("torch")
    model = build(settings)
    x = states(model)
    stepped, rows = model.step(x), x.copy()
    kernel, parameters = model.compiled
    kernel(rows, parameters)
    np.testing.assert_allclose(rows, stepped, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.differentiable(torch.tensor(x)).numpy(), stepped, rtol=0, atol=1e-12)
    assert isinstance(model, Model) and isinstance(model, Differentiable)
    assert model.geometry.size == model.size == x.shape[1]


def test_with_the_default_coefficients_the_local_quadratic_ring_is_lorenz96():
    model, same = build(LocalQuadraticSettings(size=9, time_step=0.05)), build(Lorenz96Settings(size=9))
    x = states(same)
    np.testing.assert_allclose(model.step(x), same.step(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.method)
def test_torch_derivatives_of_a_step_equal_central_differences(settings):
    torch = pytest.importorskip("torch")
    model, h = build(settings), 1e-5
    x = states(model, 1)[0]
    found = torch.autograd.functional.jacobian(model.differentiable, torch.tensor(x)).numpy()
    differences = (model.step(x + h * np.eye(x.size)) - model.step(x - h * np.eye(x.size))) / (2 * h)
    np.testing.assert_allclose(found, differences.T, rtol=0, atol=1e-7)


def test_rk4_converges_at_order_four():
    """dx/dt = -x t' with a clock as second entry: x(1) = exp(-1/2)."""

    def clocked(x):
        return np.stack([-x[0] * x[1], np.ones_like(x[1])])

    def error(steps):
        x = np.array([1.0, 0.0])
        for _ in range(steps):
            x = rk4(clocked, x, 1 / steps)
        return abs(x[0] - np.exp(-0.5))

    orders = [np.log2(error(k) / error(2 * k)) for k in (32, 64)]
    np.testing.assert_allclose(orders, 4.0, atol=0.2)


def test_the_cubic_term_is_the_published_one_site_by_site():
    x, n = np.random.default_rng(0).standard_normal(9), 9
    F, friction, nu = 8.5, 1.01, 0.025

    def of(i):
        return x[i % n]

    expected = [
        (of(i + 1) - of(i - 2)) * of(i - 1)
        + nu * (of(i - 2) * of(i) * (of(i + 1) - of(i - 3)) - of(i - 1) * of(i + 1) * (of(i + 2) - of(i - 2)))
        - friction * of(i)
        + F
        for i in range(n)
    ]
    np.testing.assert_allclose(tendency(x, F, friction, nu), expected, rtol=0, atol=1e-12)


def test_the_climate_of_the_cubic_model_is_the_published_one():
    model = build(Lorenz96CubicSettings())
    run = trajectory(model, spun_up_state(model, 20.0, np.random.default_rng(0)), 20000)
    assert run.mean() == pytest.approx(2.12, abs=0.02)
    assert run.std() == pytest.approx(3.54, abs=0.02)


def test_lyapunov_exponents_of_lorenz63_are_the_published_ones():
    found = lyapunov_exponents(build(Lorenz63Settings()), 300.0, np.random.default_rng(0))
    np.testing.assert_allclose(found, [0.906, 0.0, -14.572], atol=0.06)


def test_identities_hold_and_fail_where_the_file_is_of_another_model():
    model = build(Lorenz63Settings())
    settings = ClimateSettings(duration=500, lyapunov_duration=50)
    file = climate(model, settings, np.random.default_rng(0))
    rows = {row.name: row for row in identity_rows("l63", file)}
    assert set(rows) == {"l63/square_identity", "l63/lyapunov_sum"} and all(row.passed for row in rows.values())
    other = file.assign_attrs(settings=Lorenz63Settings(beta=2.0).canonical())
    assert not any(row.passed for row in identity_rows("l63", other))


USE = "import numpy as np; from assimilearn.models.lorenz63 import rk4_step as s; s(np.ones((2, 3)), np.ones(4) / 99);"


def test_a_step_made_of_the_common_integrator_is_loaded_from_disk_by_the_next_process(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}

    def hits():
        code = f"{USE} print(sum(s.stats.cache_hits.values()), sum(s.stats.cache_misses.values()))"
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()

    assert hits() == ["0", "1"]
    assert hits() == ["1", "0"]
