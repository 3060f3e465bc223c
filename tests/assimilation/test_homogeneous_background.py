"""A climatology that depends on the distance alone, against the same one as a matrix."""

import numpy as np
import pytest
import xarray as xr
from twins import climatology_file, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.background.climatology import read_background
from assimilearn.errors import SettingsError
from assimilearn.models import build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.two_layer_qg import TwoLayerQGSettings

RNG = np.random.default_rng


def both(n=12):
    """The same background in both forms; at an odd or even number of sites."""
    at = 3.0 * np.exp(-0.5 * (np.arange(n // 2 + 1) / 1.5) ** 2) * (-0.7) ** np.arange(n // 2 + 1)
    apart = np.abs(np.arange(n)[:, None] - np.arange(n))
    matrix = at[np.minimum(apart, n - apart)] + 0.5 * np.eye(n)
    at[0] += 0.5
    mean = np.full(n, 2.0)
    homogeneous = xr.Dataset({"mean": ("site", mean), "covariance_at": ("distance", at)})
    return read_background(homogeneous, n), read_background(climatology_file(mean, matrix), n)


@pytest.mark.parametrize("n", [12, 13])
def test_matrix_and_variance_of_the_homogeneous_background_are_those_of_the_full_one(n):
    homogeneous, full = both(n)
    np.testing.assert_allclose(homogeneous.covariance, full.covariance, atol=1e-14)
    np.testing.assert_allclose(homogeneous.variance, full.variance, atol=1e-14)


def test_its_draws_have_its_covariance():
    homogeneous, full = both()
    draws = homogeneous.draw(100_000, RNG(0))
    np.testing.assert_allclose(draws.mean(axis=0), full.mean, atol=0.03)
    np.testing.assert_allclose(np.cov(draws.T), full.covariance, atol=0.08)


@pytest.mark.parametrize("sites", [np.arange(12), np.array([3, 4, 11]), np.array([5])])
def test_its_increments_are_those_of_the_matrix(sites):
    homogeneous, full = both()
    departures = np.vstack([RNG(1).standard_normal((4, sites.size)), np.zeros(sites.size)])
    variance = RNG(2).uniform(0.01, 4, sites.size)
    np.testing.assert_allclose(
        homogeneous.increments(departures, variance, sites), full.increments(departures, variance, sites), atol=1e-8
    )


def test_pooled_moments_of_a_free_run_are_the_mean_over_the_diagonals_of_its_covariance():
    model, _ = lorenz96_truth(1, n=11)
    settings = {"duration": 60, "lyapunov_duration": 1, "lyapunov_count": 1}
    full = climate(model, ClimateSettings(**settings), RNG(0))
    pooled = climate(model, ClimateSettings(**settings, covariance="by_distance"), RNG(0))
    assert "covariance" not in pooled
    mean = full["mean"].values
    between_sites = np.outer(mean - mean.mean(), mean - mean.mean())
    matrix = full["covariance"].values + between_sites
    for distance, value in enumerate(pooled["covariance_at"].values):
        around = (np.arange(11) + distance) % 11
        assert value == pytest.approx(matrix[np.arange(11), around].mean(), rel=1e-10)
    np.testing.assert_allclose(pooled["mean"], mean.mean())
    xr.testing.assert_allclose(pooled[["pdf", "power_spectrum"]], full[["pdf", "power_spectrum"]])


@pytest.mark.parametrize("method", ["letkf", "3dvar", "blue"])
def test_methods_take_a_homogeneous_climatology_as_well(method):
    model, states = lorenz96_truth(60)
    full = lorenz96_climatology()
    at = full["covariance"].values[0, :21]
    homogeneous = xr.Dataset({"mean": full["mean"], "covariance_at": ("distance", at)})
    observed = observe_states(states, model.time_step, 1.0, RNG(3))
    settings = METHODS[method]()
    one, other = (assimilate(observed, model, settings, file, RNG(4)) for file in (full, homogeneous))
    if method == "letkf":  # its first ensemble is another draw
        error = [np.sqrt(((a["mean"].values - states)[30:] ** 2).mean()) for a in (one, other)]
        assert error[1] == pytest.approx(error[0], rel=0.2)
    else:
        np.testing.assert_allclose(one["mean"], other["mean"], atol=1e-5)


@pytest.fixture(scope="module")
def layers():
    """Climate of two layers on a plane, by offset, and the covariance of the same run as a matrix."""
    model = build(TwoLayerQGSettings(points=8, length=10.0, time_step=0.1))
    settings = ClimateSettings(
        duration=40, spinup=60, segment=10, covariance="by_distance", lyapunov_duration=1, lyapunov_count=1
    )
    file = climate(model, settings, RNG(0))
    states = trajectory(model, spun_up_state(model, 60, RNG(0)), 400)
    anomalies = states - file["mean"].values
    moved = [anomalies]
    for y in range(8):  # the mean over all translations of the plane
        for x in range(8):
            fields = np.roll(anomalies.reshape(-1, 2, 8, 8), (y, x), axis=(2, 3))
            moved.append(fields.reshape(anomalies.shape))
    matrix = sum(part.T @ part for part in moved[1:]) / (64 * len(states))
    return model, file, matrix


def test_covariances_by_offset_of_two_fields_on_a_plane_are_those_of_the_matrix(layers):
    model, file, matrix = layers
    background = read_background(file, model.size)
    top = matrix.max()
    np.testing.assert_allclose(background.covariance, matrix, atol=1e-9 * top)
    np.testing.assert_allclose(background.variance, np.diag(matrix), atol=1e-9 * top)
    np.testing.assert_allclose(file["std"].values ** 2, np.diag(matrix), rtol=1e-9)
    x = RNG(0).standard_normal((2, model.size))
    np.testing.assert_allclose(background.filtered(x, np.asarray), x @ matrix, atol=1e-8 * top)
    root = background.filtered(background.filtered(x, np.sqrt), np.sqrt)
    np.testing.assert_allclose(root, x @ matrix, atol=1e-6 * top)


def test_increments_of_two_fields_on_a_plane_are_those_of_the_matrix(layers):
    model, file, B = layers
    background, sites = read_background(file, model.size), np.array([0, 9, 70, 127])
    variance, departures = np.full(4, 0.1 * B.max()), RNG(1).standard_normal((3, 4))
    expected = np.linalg.solve(B[np.ix_(sites, sites)] + np.diag(variance), departures.T).T @ B[sites]
    np.testing.assert_allclose(background.increments(departures, variance, sites), expected, atol=1e-6)
    increments, after = background.analysis(departures, variance, sites)
    np.testing.assert_allclose(increments, expected, atol=1e-6)
    explained = B[sites] * np.linalg.solve(B[np.ix_(sites, sites)] + np.diag(variance), B[sites])
    np.testing.assert_allclose(after, np.diag(B) - explained.sum(axis=0), atol=1e-9 * B.max())


def test_a_matrix_of_too_many_sites_is_refused_before_it_is_made():
    n = 200_000
    file = xr.Dataset({"mean": ("site", np.zeros(n)), "covariance_at": ("distance", np.ones(n // 2 + 1))})
    with pytest.raises(SettingsError, match="200000 sites"):
        _ = read_background(file, n).covariance
