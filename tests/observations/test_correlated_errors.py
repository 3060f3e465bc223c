"""Correlated errors: drawn with the correlation that they promise, told to the filters, and whitened."""

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from assimilearn.errors import FileError
from assimilearn.models.geometry import grid, ring
from assimilearn.models.truth import truth_dataset
from assimilearn.observations import ObservationSettings, observe
from assimilearn.observations.correlation import Correlation, correlation_of
from assimilearn.observations.correlation_kernels import error_covariance, whiten
from assimilearn.observations.errors import CorrelatedError, unit_errors
from assimilearn.observations.networks import AllSites, MovingRandom


def correlation(length, n):
    """Of the errors of all sites of a ring."""
    return Correlation(length, ring(n).positions, ring(n).periods)


def distances(n):
    apart = np.abs(np.arange(n)[:, None] - np.arange(n))
    return np.minimum(apart, n - apart)


@pytest.mark.parametrize("n", [9, 20])
def test_errors_have_the_correlation_that_they_promise_and_no_other(n):
    count = 40_000
    sites = np.broadcast_to(np.arange(n), (count, n))
    errors = unit_errors(CorrelatedError(length=3.0), sites, ring(n), np.random.default_rng(0))
    np.testing.assert_allclose(np.cov(errors.T), np.exp(-distances(n) / 3.0), atol=5 / np.sqrt(count))
    assert abs(np.mean(errors[1:] * errors[:-1])) < 5 / np.sqrt(count)


@pytest.mark.parametrize("length", [0.01, 1.0, 50.0, 1e4])
@pytest.mark.parametrize("n", [2, 9, 40])
def test_the_correlation_is_positive_definite_for_every_length(length, n):
    R = error_covariance(np.full(n, 2.0), np.arange(n), correlation(length, n))
    assert np.linalg.eigvalsh(R).min() > 0
    np.testing.assert_allclose(R, 2 * np.exp(-distances(n) / length))


def test_a_moving_network_sees_the_errors_of_its_sites():
    states = np.zeros((5000, 12))
    truth = truth_dataset(0.05 * np.arange(5000), np.ones(5000, np.int8), states, 0.05)
    settings = ObservationSettings(
        network=MovingRandom(count=4), distribution=CorrelatedError(length=4.0), error_std=2.0
    )
    found = observe(truth, settings, np.random.default_rng(1))
    sites, values = found["site_index"].values, found["value"].values
    near = distances(12)[sites[:, 0], sites[:, 1]] == 1
    assert values.std() == pytest.approx(2.0, rel=0.02)
    assert (values[near, 0] * values[near, 1]).mean() == pytest.approx(4 * np.exp(-1 / 4), rel=0.1)
    assert found.attrs["error_correlation_length"] == 4.0


def test_a_filter_can_be_told_that_errors_are_independent():
    truth = truth_dataset(0.05 * np.arange(9), np.ones(9, np.int8), np.zeros((9, 12)), 0.05)
    told, untold = (
        observe(
            truth,
            ObservationSettings(
                network=AllSites(), distribution=CorrelatedError(length=4.0), assumed_correlation=assumed
            ),
            np.random.default_rng(1),
        )
        for assumed in ("distribution", "none")
    )
    np.testing.assert_array_equal(told["value"], untold["value"])
    assert correlation_of(told, ring(12)).length == 4.0 and correlation_of(untold, ring(12)).length == 0


def test_whitened_errors_are_independent_with_their_own_variances():
    sites, variance, rho = np.array([7, 0, 1, 4]), np.array([0.5, 2.0, 1.0, 3.0]), correlation(3.0, 8)
    R = error_covariance(variance, sites, rho)
    T = np.eye(4)
    whiten(T, variance, sites, rho)  # rows are T e_i: the transpose of T
    np.testing.assert_allclose(T.T @ R @ T, np.diag(variance), atol=1e-12)


def test_errors_of_points_between_the_sites_of_a_plane_are_correlated_by_their_distance():
    plane = grid({"a": (4, 6)}, spacing=(2.0, 1.0), periodic=(False, True))
    points = np.array([[0.3, 0.1], [1.0, 5.8], [5.0, 3.0]])
    positions = np.broadcast_to(points, (40_000, 3, 2))
    errors = unit_errors(
        CorrelatedError(length=2.0), np.zeros((40_000, 3), int), plane, np.random.default_rng(0), positions
    )
    apart = plane.distance(points[:, None], points[None])
    np.testing.assert_allclose(np.cov(errors.T), np.exp(-apart / 2.0), atol=5 / np.sqrt(40_000))
    told = Correlation(2.0, points, plane.periods)
    np.testing.assert_allclose(error_covariance(np.ones(3), np.arange(3), told), np.exp(-apart / 2.0), rtol=1e-12)


@pytest.mark.parametrize("length", [0.0, -1.0, np.nan, "long"])
def test_a_length_that_cannot_be_is_refused(length):
    with pytest.raises(FileError, match="must be a positive distance"):
        correlation_of(xr.Dataset(attrs={"error_correlation_length": length}), ring(9))
    with pytest.raises(ValidationError):
        CorrelatedError(length=length)
