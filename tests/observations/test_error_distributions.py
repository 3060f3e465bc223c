"""Each error distribution has the mean, the standard deviation and the tails that it promises."""

import numpy as np
import pytest
from pydantic import ValidationError

from assimilearn.models.geometry import ring
from assimilearn.models.truth import truth_dataset
from assimilearn.observations.errors import GaussianError, LaplaceError, OutlierError, correlated_fields, unit_errors
from assimilearn.observations.observe import ObservationSettings, observe

SHAPE = (20000, 20)
COUNT = SHAPE[0] * SHAPE[1]


def draw(distribution, shape=SHAPE, seed=0) -> np.ndarray:
    sites = np.broadcast_to(np.arange(shape[1]), shape)
    return unit_errors(distribution, sites, ring(shape[1]), np.random.default_rng(seed))


@pytest.mark.parametrize(("distribution", "kurtosis"), [(GaussianError(), 3.0), (LaplaceError(), 6.0)])
def test_errors_have_mean_zero_std_one_and_the_tails_of_their_distribution(distribution, kurtosis):
    errors = draw(distribution)
    assert abs(errors.mean()) < 4 / np.sqrt(COUNT)
    assert errors.std() == pytest.approx(1.0, abs=0.01)
    assert (errors**4).mean() == pytest.approx(kurtosis, rel=0.03)


def test_outliers_are_as_many_and_as_large_as_asked():
    """The variance of the mixture is 1 - p + p f^2; beyond 6 standard deviations there are only outliers."""
    p, f = 0.05, 100.0
    errors = draw(OutlierError(probability=p, factor=f))
    assert errors.var() == pytest.approx(1 - p + p * f**2, rel=0.05)
    gross = np.abs(errors) > 6
    within_6_of_100 = 0.0478  # P(|N(0, 1)| < 0.06)
    assert gross.mean() == pytest.approx(p * (1 - within_6_of_100), rel=0.03)
    assert errors[~gross].std() == pytest.approx(1.0, abs=0.02)


def test_without_outliers_the_law_is_gaussian():
    errors = draw(OutlierError(probability=0))
    assert errors.std() == pytest.approx(1.0, abs=0.01) and np.abs(errors).max() < 6


@pytest.mark.parametrize("distribution", [GaussianError(), LaplaceError(), OutlierError()])
def test_a_longer_record_begins_with_the_shorter_one(distribution):
    np.testing.assert_array_equal(draw(distribution, (80, 20))[:30], draw(distribution, (30, 20)))


@pytest.mark.parametrize("bad", [{"probability": -0.1}, {"probability": 1.5}, {"factor": 1.0}])
def test_bad_outliers_are_refused(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        OutlierError(**bad)


def test_errors_of_a_very_long_correlation_are_the_same_at_all_sites():
    for length in (1e8, 1e10, 1e18):
        fields = correlated_fields(length, 50, 40, np.random.default_rng(1))
        apart = np.sqrt(2 * 20 / length)  # standard deviation of the difference of the sites farthest from each other
        assert np.abs(fields - fields[:, :1]).max() < 6 * apart + 1e-6
        assert 0.7 < fields[:, 0].std() < 1.3


def test_errors_that_vary_by_site_and_in_time_have_the_std_that_the_file_tells():
    truth = truth_dataset(0.1 * np.arange(4000), np.ones(4000, np.int8), np.zeros((4000, 20)), 0.1)
    varying = {"by_site": 0.5, "amplitude": 0.6, "period": 8.0}
    seen = observe(
        truth, ObservationSettings(network={"method": "all"}, error_variation=varying), np.random.default_rng(0)
    )
    std, value = seen["error_std"].values, seen["value"].values
    assert (value / std).std() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(std[:80], std[80:160])
    np.testing.assert_allclose(std / std[0], np.tile((1 + 0.6 * np.sin(np.pi * seen["time"] / 4)).values[:, None], 20))
    assert np.log(std[0]).std() == pytest.approx(0.5, abs=0.15)
    settings = ObservationSettings(network={"method": "all"}, error_variation={**varying, "told": False})
    blind = observe(truth, settings, np.random.default_rng(0))
    np.testing.assert_array_equal(blind["value"], value)
    assert (blind["error_std"] == 1).all()
