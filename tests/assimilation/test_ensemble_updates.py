"""Single updates against the Kalman formulas with the ensemble's own covariance."""

import numpy as np
import pytest

from assimilearn.assimilation.algebra.rotations import rotate, rotation_noise
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.local.taper_functions import gaspari_cohn
from assimilearn.assimilation.methods.denkf import denkf_update
from assimilearn.assimilation.methods.eakf import eakf_update
from assimilearn.assimilation.methods.enkf import enkf_update
from assimilearn.assimilation.methods.enkf_n import enkf_n_update
from assimilearn.assimilation.methods.esrf import esrf_update
from assimilearn.assimilation.methods.etkf import etkf_update
from assimilearn.assimilation.methods.letkf import letkf_update
from assimilearn.assimilation.methods.rhf import rhf_update


def ring(radius, taper="gaspari_cohn"):
    """The parameters of local updates on the ring of 8 sites."""
    return encoded(taper, radius, np.arange(8.0)[:, None], np.array([8.0]))


UPDATES = {
    "etkf": (etkf_update, ()),
    "enkf": (enkf_update, ()),
    "denkf": (denkf_update, ()),
    "esrf": (esrf_update, ()),
    "enkf-n": (enkf_n_update, (1.0,)),
    "eakf": (eakf_update, ring(1.0)),
    "letkf": (letkf_update, ring(1.0)),
    "rhf": (rhf_update, (0.0, -np.inf, np.inf, 1.0, *ring(1.0))),
    "rhf, probit": (rhf_update, (1.0, -np.inf, np.inf, 1.0, *ring(1.0))),
}
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


def updated(update, E, y, variance, sites, parameters=(), noise=()):
    E = E.copy()
    update(
        E,
        E[:, sites].copy(),
        y,
        variance,
        sites.astype(np.int64),
        np.array(parameters, dtype=float),
        np.array(noise, dtype=float),
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


@pytest.mark.parametrize(("update", "parameters"), UPDATES.values(), ids=UPDATES)
def test_an_update_turns_with_the_ring(update, parameters):
    sites, N, turn = NETWORKS["three sites"], 6, 3
    E, y, variance, rng = case(N, sites)
    noise = rng.standard_normal(N * sites.size)
    straight = updated(update, E, y, variance, sites, parameters, noise)
    turned = updated(update, np.roll(E, turn, axis=1), y, variance, (sites + turn) % 8, parameters, noise)
    np.testing.assert_allclose(turned, np.roll(straight, turn, axis=1), atol=1e-11)


@pytest.mark.parametrize(("update", "parameters"), UPDATES.values(), ids=UPDATES)
def test_worthless_observations_change_nothing(update, parameters):
    sites = NETWORKS["every site"]
    E, y, variance, _ = case(6, sites)
    if update is enkf_n_update:
        parameters = (1e12,)  # certain of its covariance: without a word from the observations the mode is not quite 1
    analysis = updated(update, E, y, 1e14 * variance, sites, parameters, np.zeros(6 * sites.size))
    np.testing.assert_allclose(analysis, E, atol=1e-5)


@pytest.mark.parametrize("sites", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("N", [2, 5, 12])
def test_square_root_forms_agree_on_mean_and_covariance(N, sites):
    E, y, variance, _ = case(N, sites)
    one, other = (updated(update, E, y, variance, sites) for update in (etkf_update, esrf_update))
    np.testing.assert_allclose(one.mean(axis=0), other.mean(axis=0), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(np.cov(one.T), np.cov(other.T), rtol=1e-9, atol=1e-10)


def test_serial_and_transform_filter_agree_member_by_member_on_one_observation():
    E, y, variance, _ = case(6, np.array([3]))
    one, other = (updated(update, E, y, variance, np.array([3])) for update in (etkf_update, esrf_update))
    np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("sites", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("N", [3, 12])
def test_denkf_moves_the_anomalies_by_half_the_gain(N, sites):
    E, y, variance, _ = case(N, sites)
    mean, _, K = kalman(E, y, variance, sites)
    anomalies = E - E.mean(axis=0)
    analysis = updated(denkf_update, E, y, variance, sites)
    np.testing.assert_allclose(analysis, mean + anomalies - anomalies[:, sites] @ K.T / 2, atol=1e-10)


@pytest.mark.parametrize("sites", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize(("N", "certainty"), [(3, 1.0), (12, 1.0), (12, 2.0)])
def test_enkf_n_is_the_etkf_of_the_ensemble_inflated_by_the_minimizer_of_its_cost(N, certainty, sites):
    from scipy.optimize import minimize_scalar

    E, y, variance, _ = case(N, sites)
    mean = E.mean(axis=0)
    y = mean[sites] + 5 * np.sqrt(E.var(axis=0)[sites] + variance)  # far off: the ensemble should be inflated
    S = (E - mean)[:, sites] / np.sqrt((N - 1) * variance)
    d = (y - mean[sites]) / np.sqrt(variance)
    q = np.linalg.inv(np.eye(N) + S @ S.T).trace() / N
    m = np.sqrt(((N + 1) * (N - 1) / N**2) ** q)

    def J(u):
        inner = d @ np.linalg.solve(np.eye(sites.size) + np.exp(u) * S.T @ S, d) / (N - 1)
        return inner + certainty * ((N + 1) / N / m * np.exp(-u) + N / (N - 1) * m * u)

    factor = np.exp(minimize_scalar(J, bracket=(-0.5, 0.5), tol=1e-12).x / 2)
    inflated = updated(etkf_update, mean + factor * (E - mean), y, variance, sites)
    analysis = updated(enkf_n_update, E, y, variance, sites, (certainty,))
    np.testing.assert_allclose(analysis, inflated, atol=1e-5)  # a scalar search is exact to the root of round-off
    assert factor > 1


@pytest.mark.parametrize("sites", NETWORKS.values(), ids=NETWORKS)
def test_the_local_filter_without_a_taper_is_the_global_one(sites):
    E, y, variance, _ = case(6, sites)
    local = updated(eakf_update, E, y, variance, sites, ring(9.0, "boxcar"))
    np.testing.assert_allclose(local, updated(esrf_update, E, y, variance, sites), atol=1e-12)


def test_a_local_observation_moves_each_site_by_the_tapered_regression_on_the_observed_one():
    E, y, variance, _ = case(6, np.array([1]))
    factor = gaspari_cohn(np.minimum((np.arange(8) - 1) % 8, (1 - np.arange(8)) % 8), 0.7)
    exact = updated(esrf_update, E, y, variance, np.array([1]))
    local = updated(eakf_update, E, y, variance, np.array([1]), ring(0.7))
    np.testing.assert_allclose(local - E, factor * (exact - E), atol=1e-12)


@pytest.mark.parametrize("sites", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("N", [2, 5, 12])
def test_letkf_without_a_taper_is_the_etkf_member_by_member(N, sites):
    E, y, variance, _ = case(N, sites)
    local = updated(letkf_update, E, y, variance, sites, ring(9.0, "boxcar"))
    np.testing.assert_allclose(local, updated(etkf_update, E, y, variance, sites), atol=1e-9)


@pytest.mark.parametrize("sites", NETWORKS.values(), ids=NETWORKS)
def test_letkf_is_at_each_site_an_etkf_whose_errors_grow_with_distance(sites):
    E, y, variance, _ = case(6, sites)
    taper = gaspari_cohn(np.arange(5), 0.7)
    analysis = updated(letkf_update, E, y, variance, sites, ring(0.7))
    for i in range(8):
        distance = np.minimum((sites - i) % 8, (i - sites) % 8)
        near = distance < 3
        if not near.any():
            np.testing.assert_allclose(analysis[:, i], E[:, i], atol=1e-12)
            continue
        local = updated(etkf_update, E, y[near], variance[near] / taper[distance[near]], sites[near])
        np.testing.assert_allclose(analysis[:, i], local[:, i], atol=1e-9)
