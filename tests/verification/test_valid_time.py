"""Valid prediction time against the closed form of an exponentially growing error."""

import numpy as np
import pytest

from assimilearn.verification.valid_time import valid_time


def test_valid_time_of_an_exponentially_growing_error_is_its_closed_form():
    leads = np.arange(0, 5, 0.01)
    initial, rate = np.array([0.01, 0.05, 0.2]), 1.69
    times = valid_time(initial[:, None] * np.exp(rate * leads), leads, 0.5)
    np.testing.assert_allclose(times.value, np.log(0.5 / initial) / rate, atol=1e-4)
    assert not times.censored.any()


def test_the_crossing_is_linear_between_leads():
    assert valid_time(np.array([0.0, 0.4, 0.8]), np.array([0.0, 1.0, 2.0]), 0.5).value == pytest.approx(1.25)


def test_an_error_that_stays_below_is_censored_at_the_last_lead():
    times = valid_time(np.array([[0.1, 0.2, 0.3], [0.1, 0.6, 0.3]]), np.array([0.0, 1.0, 2.0]), 0.5)
    assert list(times.censored) == [True, False]
    np.testing.assert_allclose(times.value, [2.0, 0.8])


def test_a_forecast_that_starts_above_the_threshold_is_never_valid():
    assert valid_time(np.array([0.7, 0.4, 0.9]), np.array([0.0, 1.0, 2.0]), 0.5).value == 0


def test_a_forecast_that_blows_up_is_valid_until_its_last_finite_lead():
    times = valid_time(np.array([0.1, 0.2, np.nan, np.nan]), np.arange(4.0), 0.5)
    assert times.value == 1.0 and not times.censored


def test_a_forecast_that_never_began_has_no_valid_time():
    assert np.isnan(valid_time(np.full(3, np.nan), np.arange(3.0), 0.5).value)
