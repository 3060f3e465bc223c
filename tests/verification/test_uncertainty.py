"""The mean of a correlated series is as uncertain as its closed form says."""

import numpy as np
import pytest

from assimilearn.verification.uncertainty import mean_and_uncertainty


def ar1(phi, size, rng, realizations=1):
    """Stationary AR(1) series (realization, time) of variance 1."""
    noise = rng.standard_normal((realizations, size)) * np.sqrt(1 - phi**2)
    series = np.empty((realizations, size))
    series[:, 0] = rng.standard_normal(realizations)
    for k in range(1, size):
        series[:, k] = phi * series[:, k - 1] + noise[:, k]
    return series


def variance_of_mean(phi, n):
    """Closed form: (1 + 2 sum_k (1 - k/n) phi^k) / n."""
    k = np.arange(1, n)
    return (1 + 2 * ((1 - k / n) * phi**k).sum()) / n


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, 0.98, -0.5])
def test_uncertainty_of_an_ar1_mean_equals_its_closed_form_and_covers_the_truth(phi):
    n = 2000
    results = [mean_and_uncertainty(series) for series in ar1(phi, n, np.random.default_rng(3), 300)]
    means, uncertainties = np.array(results).T
    assert np.median(uncertainties) == pytest.approx(np.sqrt(variance_of_mean(phi, n)), rel=0.08)
    coverage = (np.abs(means) < 1.96 * uncertainties).mean()
    assert 0.90 < coverage < 0.985


def test_a_naive_standard_error_would_miss_what_ours_covers():
    naive = [np.abs(s.mean()) < 1.96 * s.std() / np.sqrt(s.size) for s in ar1(0.9, 2000, np.random.default_rng(3), 200)]
    assert np.mean(naive) < 0.5


def test_times_without_a_value_are_left_out():
    rng = np.random.default_rng(0)
    results = []
    for series in ar1(0.9, 4000, rng, 200):
        series[rng.random(4000) < 0.5] = np.nan
        results.append(mean_and_uncertainty(series))
    means, uncertainties = np.array(results).T
    assert 0.90 < (np.abs(means) < 1.96 * uncertainties).mean() < 0.985


def test_short_series_get_the_classical_standard_error():
    assert mean_and_uncertainty(np.array([1.0, 3.0])) == pytest.approx((2.0, 1.0))
    assert mean_and_uncertainty(np.array([1.0, 2.0, 6.0])) == pytest.approx((3.0, np.sqrt(7 / 3)))


def test_one_value_has_no_uncertainty_and_none_has_no_mean():
    mean, uncertainty = mean_and_uncertainty(np.array([5.0, np.nan]))
    assert mean == 5.0 and np.isnan(uncertainty)
    assert np.isnan(mean_and_uncertainty(np.array([np.nan, np.nan]))).all()
    assert np.isnan(mean_and_uncertainty(np.array([]))).all()


def test_an_infinite_value_is_never_averaged():
    assert np.isnan(mean_and_uncertainty(np.array([1.0, np.inf, 2.0, 3.0]))).all()


def test_a_constant_is_certain():
    assert mean_and_uncertainty(np.full(100, 2.5)) == (2.5, 0.0)


def test_an_alternating_series_keeps_some_uncertainty():
    mean, uncertainty = mean_and_uncertainty(np.tile([1.0, -1.0], 50))
    assert mean == 0 and 0 < uncertainty < 0.05


def test_a_field_is_refused():
    with pytest.raises(ValueError, match="one dimension"):
        mean_and_uncertainty(np.zeros((3, 4)))
