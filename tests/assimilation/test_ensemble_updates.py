"""Single updates against the Kalman formulas with the ensemble's own covariance."""

import numpy as np
import pytest

from assimilearn.assimilation.enkf import enkf_update
from assimilearn.assimilation.etkf import etkf_update
from assimilearn.assimilation.rotations import rotate, rotation_noise

NETWORKS = {"every site": np.arange(8), "three sites": np.array([1, 4, 6]), "one site twice": np.array([2, 2, 5])}


def case(N, sites, seed=0):
    rng = np.random.default_rng(seed)
    E = 2 + rng.standard_normal((N, 8)) @ rng.standard_normal((8, 8))
    return E, rng.standard_normal(sites.size), rng.uniform(0.3, 2, sites.size), rng


def kalman(E, y, variance, sites):
    P, H = np.cov(E.T), np.eye(E.shape[1])[sites]
    K = P @ H.T @ np.linalg.inv(H @ P @ H.T + np.diag(variance))
    mean = E.mean(axis=0)
    return mean + K @ (y - H @ mean), P - K @ H @ P, K


def updated(update, E, y, variance, sites, parameters=(1.0,), noise=()):
    E = E.copy()
    update(
        E, E[:, sites].copy(), y, variance, sites.astype(np.int64), np.array(parameters), np.array(noise, dtype=float)
    )
    return E


@pytest.mark.parametrize("sites", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("N", [2, 5, 12])
def test_etkf_equals_the_kalman_filter_with_the_covariance_of_the_ensemble(N, sites):
    E, y, variance, _ = case(N, sites)
    mean, covariance, _ = kalman(E, y, variance, sites)
    analysis = updated(etkf_update, E, y, variance, sites)
    np.testing.assert_allclose(analysis.mean(axis=0), mean, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(np.cov(analysis.T), covariance, rtol=1e-9, atol=1e-10)


def test_etkf_transform_is_the_symmetric_one_whichever_matrix_is_decomposed():
    E, y, variance, _ = case(6, NETWORKS["three sites"])
    sites = NETWORKS["three sites"]
    S = (E - E.mean(axis=0))[:, sites] / np.sqrt(5 * variance)
    values, V = np.linalg.eigh(np.eye(6) + S @ S.T)
    T = V / np.sqrt(values) @ V.T
    analysis = updated(etkf_update, E, y, variance, sites)
    np.testing.assert_allclose(analysis - analysis.mean(axis=0), T @ (E - E.mean(axis=0)), atol=1e-12)
    doubled = np.repeat(sites, 2)  # six observations of twice the variance: the same information, the other branch
    again = updated(etkf_update, E, np.repeat(y, 2), np.repeat(2 * variance, 2), doubled)
    np.testing.assert_allclose(again, analysis, atol=1e-11)


def test_inflation_multiplies_the_analysis_anomalies_and_leaves_the_mean():
    sites = NETWORKS["three sites"]
    E, y, variance, _ = case(6, sites)
    plain = updated(etkf_update, E, y, variance, sites)
    inflated = updated(etkf_update, E, y, variance, sites, parameters=(1.5,))
    np.testing.assert_allclose(inflated.mean(axis=0), plain.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(inflated - inflated.mean(axis=0), 1.5 * (plain - plain.mean(axis=0)), atol=1e-12)


def test_random_rotation_keeps_mean_and_covariance_and_moves_the_members():
    sites = NETWORKS["every site"]
    E, y, variance, rng = case(10, sites)
    plain = updated(etkf_update, E, y, variance, sites)
    rotated = updated(etkf_update, E, y, variance, sites, noise=rng.standard_normal(rotation_noise(10)))
    np.testing.assert_allclose(rotated.mean(axis=0), plain.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(np.cov(rotated.T), np.cov(plain.T), atol=1e-12)
    assert np.abs(rotated - plain).max() > 0.1


def test_rotation_is_uniform_each_entry_has_the_moments_of_a_random_orthogonal_matrix():
    N, rng = 4, np.random.default_rng(1)
    centring = np.eye(N) - 1 / N
    total, squares = np.zeros((N, N)), np.zeros((N, N))
    for _ in range(4000):
        A = centring.copy()
        rotate(A, rng.standard_normal(rotation_noise(N)))
        total += A / 4000
        squares += A**2 / 4000
    # A = U centring with U uniform on the orthogonal maps of the N - 1 dimensions: E[A_ij^2] = C_ii C_jj / (N - 1)
    np.testing.assert_allclose(total, 0, atol=0.04)
    np.testing.assert_allclose(squares, (1 - 1 / N) ** 2 / (N - 1), atol=0.02)


@pytest.mark.parametrize("sites", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("N", [3, 12])
def test_stochastic_enkf_moves_each_member_by_the_gain_on_its_own_perturbed_innovation(N, sites):
    E, y, variance, rng = case(N, sites)
    noise = rng.standard_normal((N, sites.size))
    mean, _, K = kalman(E, y, variance, sites)
    centred = np.sqrt(N / (N - 1)) * (noise - noise.mean(axis=0)) * np.sqrt(variance)
    expected = E + (y + centred - E[:, sites]) @ K.T
    analysis = updated(enkf_update, E, y, variance, sites, noise=noise.ravel())
    np.testing.assert_allclose(analysis, expected, atol=1e-10)
    np.testing.assert_allclose(analysis.mean(axis=0), mean, atol=1e-10)


def test_covariance_of_the_stochastic_enkf_converges_as_one_over_the_root_of_its_size():
    sites, errors = NETWORKS["three sites"], []
    for N in (100, 10_000):
        gaps = []
        for seed in range(8):
            E, y, variance, rng = case(N, sites, seed)
            _, covariance, _ = kalman(E, y, variance, sites)
            noise = rng.standard_normal(N * sites.size)
            analysis = updated(enkf_update, E, y, variance, sites, noise=noise)
            gaps.append(np.linalg.norm(np.cov(analysis.T) - covariance) / np.linalg.norm(covariance))
        errors.append(np.mean(gaps))
    assert errors[1] < 0.02
    assert 5 < errors[0] / errors[1] < 20  # ten, for a hundred times the members


@pytest.mark.parametrize("update", [etkf_update, enkf_update], ids=["etkf", "enkf"])
def test_an_update_turns_with_the_ring(update):
    sites, N, turn = NETWORKS["three sites"], 6, 3
    E, y, variance, rng = case(N, sites)
    noise = rng.standard_normal(N * sites.size) if update is enkf_update else rng.standard_normal(rotation_noise(N))
    straight = updated(update, E, y, variance, sites, noise=noise)
    turned = updated(update, np.roll(E, turn, axis=1), y, variance, (sites + turn) % 8, noise=noise)
    np.testing.assert_allclose(turned, np.roll(straight, turn, axis=1), atol=1e-12)


@pytest.mark.parametrize("update", [etkf_update, enkf_update], ids=["etkf", "enkf"])
def test_worthless_observations_change_nothing(update):
    sites = NETWORKS["every site"]
    E, y, variance, _ = case(6, sites)
    noise = np.zeros(6 * sites.size) if update is enkf_update else np.empty(0)
    np.testing.assert_allclose(updated(update, E, y, 1e14 * variance, sites, noise=noise), E, atol=1e-5)
