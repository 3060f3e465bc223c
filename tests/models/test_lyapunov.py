"""Lyapunov exponents: exact for linear models, published for Lorenz-96."""

from dataclasses import dataclass

import numpy as np
import pytest

from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.lyapunov import kaplan_yorke_dimension, kolmogorov_sinai_entropy, lyapunov_exponents

MODEL = Lorenz96(Lorenz96Settings())


@dataclass(frozen=True)
class Linear:
    """x -> A x, an uncompiled model."""

    matrix: np.ndarray
    time_step: float = 0.1
    compiled: None = None

    @property
    def size(self) -> int:
        return len(self.matrix)

    def step(self, states):
        return states @ self.matrix.T


def test_exponents_of_a_linear_map_are_the_logs_of_its_eigenvalues():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4, 4))
    eigenvalues = np.array([0.95, 0.8, 0.6, 0.3])
    model = Linear(vectors @ np.diag(eigenvalues) @ np.linalg.inv(vectors))
    found = lyapunov_exponents(model, 20.0, rng)
    np.testing.assert_allclose(found, np.log(eigenvalues) / 0.1, rtol=1e-6)


def test_the_sum_of_all_exponents_is_the_divergence_of_the_flow():
    """The trace of the Lorenz-96 Jacobian is -n everywhere; RK4 and finite perturbations keep it to 1e-3."""
    assert lyapunov_exponents(MODEL, 20.0, np.random.default_rng(1)).sum() == pytest.approx(-40.0, abs=0.04)


def test_the_leading_exponent_is_near_the_published_one():
    """1.69 per MTU; its standard error over 200 MTU, from 20 other seeds, is 0.04."""
    found = lyapunov_exponents(MODEL, 200.0, np.random.default_rng(2), count=3, spinup=10.0)
    assert found.shape == (3,)
    assert found[0] == pytest.approx(1.69, abs=0.12)
    assert (np.diff(found) < 0).all()


@pytest.mark.slow
def test_the_spectrum_of_lorenz96_is_the_published_one():
    """Bocquet & Brajard (ECMWF course 2023): 1.6907, 13 positive, one near 0, entropy 10.18, dimension 27.05."""
    found = lyapunov_exponents(MODEL, 5000.0, np.random.default_rng(3))
    assert found[0] == pytest.approx(1.6907, abs=0.03)
    assert found.sum() == pytest.approx(-40.0, abs=0.02)
    assert np.count_nonzero(found > 0.01) == 13 and abs(found[13]) < 0.005
    assert kolmogorov_sinai_entropy(found) == pytest.approx(10.18, abs=0.1)
    assert kaplan_yorke_dimension(found) == pytest.approx(27.05, abs=0.1)


def test_in_single_precision_the_sum_of_all_exponents_is_still_the_divergence_of_the_flow():
    """Emulators are networks in single precision: what is rounded off must not pass for instability."""

    @dataclass(frozen=True)
    class Rounded:
        size: int = MODEL.size
        time_step: float = MODEL.time_step
        compiled: None = None

        def step(self, states: np.ndarray) -> np.ndarray:
            return MODEL.step(states.astype(np.float32).astype(float)).astype(np.float32).astype(float)

    assert lyapunov_exponents(Rounded(), 20.0, np.random.default_rng(1)).sum() == pytest.approx(-40.0, abs=0.1)


def test_kaplan_yorke_dimension_interpolates_between_exponents():
    """Lorenz (1963): 0.906, 0, -14.57 give 2 + 0.906 / 14.57 = 2.062."""
    assert kaplan_yorke_dimension(np.array([0.906, 0.0, -14.57])) == pytest.approx(2 + 0.906 / 14.57)
    assert kaplan_yorke_dimension(np.array([-1.0, -2.0])) == 0.0


def test_the_dimension_needs_enough_exponents():
    with pytest.raises(ValueError, match="pass more of them"):
        kaplan_yorke_dimension(np.array([1.0, 0.5, -0.1]))


def test_entropy_sums_the_positive_exponents():
    assert kolmogorov_sinai_entropy(np.array([1.5, 0.5, 0.0, -3.0])) == 2.0


def test_the_exponents_of_a_trajectory_that_blows_up_are_not_numbers():
    wild = Linear(np.diag([1e200, 1.0]))
    with np.errstate(over="ignore", invalid="ignore"):
        exponents = lyapunov_exponents(wild, 1.0, np.random.default_rng(0), spinup=0.0, start=np.ones(2))
    assert np.isnan(exponents).all()
