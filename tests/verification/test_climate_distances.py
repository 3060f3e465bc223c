"""Distances between climates: zero for equal ones, closed forms for shifted and scaled ones."""

import numpy as np
import pytest
import xarray as xr

from assimilearn.verification.climate import (
    climate_distances,
    hellinger,
    log_spectral_distance,
    spectral_errors,
    wasserstein,
)

VALUE = np.linspace(-15, 15, 3001)
FREQUENCY = np.linspace(0, 10, 501)


def normal(mean, std):
    return np.exp(-(((VALUE - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))


def climate(mean=2.0, std=1.5, spectrum=None):
    return xr.Dataset(
        {
            "mean": ("site", np.full(4, mean)),
            "std": ("site", np.full(4, std)),
            "pdf": ("value", normal(mean, std)),
            "power_spectrum": ("frequency", np.exp(-FREQUENCY) if spectrum is None else spectrum),
        },
        coords={"value": VALUE, "frequency": FREQUENCY},
    )


def test_equal_climates_are_at_distance_zero():
    assert all(value == pytest.approx(0, abs=1e-6) for value in climate_distances(climate(), climate()).values())


def test_a_shifted_and_scaled_normal_climate_has_the_closed_forms():
    distances = climate_distances(climate(3.0, 1.5), climate(2.0, 1.5))
    assert distances["mean_error"] == pytest.approx(1 / 1.5)
    assert distances["pdf_distance"] == pytest.approx(1 / 1.5, rel=1e-4)
    assert climate_distances(climate(2.0, 1.2), climate(2.0, 1.5))["std_error"] == pytest.approx(-0.2)
    assert hellinger(normal(0, 1), normal(1, 1), VALUE) == pytest.approx(np.sqrt(1 - np.exp(-1 / 8)), rel=1e-4)


def test_wasserstein_distance_is_that_of_scipy():
    from scipy.stats import wasserstein_distance

    p, q = np.random.default_rng(0).random((2, 40))
    value = np.linspace(-3, 3, 40)
    assert wasserstein(p, q, value) == pytest.approx(wasserstein_distance(value, value, p, q))


def test_a_spectrum_ten_times_too_strong_is_ten_decibels_off_and_a_dead_one_sixty():
    reference = np.exp(-FREQUENCY)
    assert log_spectral_distance(10 * reference, reference, FREQUENCY) == pytest.approx(10)
    assert log_spectral_distance(0 * reference, reference, FREQUENCY) == pytest.approx(60)


def test_only_the_energetic_band_counts():
    reference = np.exp(-FREQUENCY)
    wrong_above = np.where(FREQUENCY > 6, 100 * reference, reference)
    assert log_spectral_distance(wrong_above, reference, FREQUENCY) == 0
    beyond_nyquist = np.where(FREQUENCY > 2, np.nan, reference)
    assert log_spectral_distance(beyond_nyquist, reference, FREQUENCY) == 0
    with pytest.raises(ValueError, match="no frequency in common"):
        log_spectral_distance(np.full(501, np.nan), reference, FREQUENCY)


def test_spectral_errors_count_up_to_the_frequency_below_which_95_percent_of_the_power_lies():
    reference = np.exp(-FREQUENCY)  # the power below f is 1 - exp(-f)
    edge = -np.log(0.05)
    weaker = np.where(edge + 0.1 < FREQUENCY, 0.1, 0.8) * reference
    assert spectral_errors(weaker, reference, FREQUENCY) == pytest.approx((0.2, 0.2))
    peak = np.where(np.abs(FREQUENCY - 1) < 1e-9, 1.5, 1.0) * reference
    typical, largest = spectral_errors(peak, reference, FREQUENCY)
    assert largest == pytest.approx(0.5)
    assert typical == pytest.approx(0.5 / np.sqrt(np.count_nonzero((FREQUENCY > 0) & (edge >= FREQUENCY))), rel=0.02)
