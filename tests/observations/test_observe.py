"""Observations are the truth plus the error asked for, at the sites and times asked for, in one layout."""

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from assimilearn import store
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.truth import truth_dataset
from assimilearn.observations import ObservationSettings, check_observations, observe
from assimilearn.observations.errors import LaplaceError, OutlierError
from assimilearn.observations.networks import AllSites, Checkerboard, EverySite, FixedRandom, MovingRandom
from assimilearn.periods import Periods, period_flags

PERIODS = Periods(spinup=10, train=2000, gap=10, validation=50, test=100)


def truth(size=40, periods=PERIODS, start=1) -> xr.Dataset:
    times = 0.05 * np.arange(start, periods.total + start)
    states = 2.3 + 3.6 * np.random.default_rng(9).standard_normal((times.size, size))
    return truth_dataset(times, period_flags(periods), states, 0.05)


TRUTH = truth()


def observed(seed=0, of=TRUTH, **settings) -> xr.Dataset:
    return observe(of, ObservationSettings(**settings), np.random.default_rng(seed))


def errors_of(observations: xr.Dataset, of: xr.Dataset = TRUTH) -> np.ndarray:
    """value - truth at the observed sites, valid ones only."""
    states = of["state"].sel(time=observations["time"]).values
    at_sites = np.take_along_axis(states, observations["site_index"].values, axis=1)
    return (observations["value"].values - at_sites)[observations["valid"].values == 1]


def test_the_default_is_half_the_sites_redrawn_each_time_with_unit_error():
    found = observed()
    assert dict(found.sizes) == {"time": PERIODS.total, "observation": 20}
    assert (found["valid"] == 1).all() and (found["error_std"] == 1).all()
    assert errors_of(found).std() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("distribution", ["gaussian", "laplace"])
@pytest.mark.parametrize("error_std", [0.2, 3.0])
def test_error_std_is_a_standard_deviation_never_a_variance(distribution, error_std):
    found = observed(error_std=error_std, distribution={"method": distribution})
    assert errors_of(found).std() == pytest.approx(error_std, rel=0.02)
    assert (found["error_std"] == error_std).all()


def test_a_bias_shifts_every_error_alike():
    shifted, unshifted = errors_of(observed(bias=0.7)), errors_of(observed())
    np.testing.assert_allclose(shifted - unshifted, 0.7, atol=1e-12)


def test_a_filter_can_be_told_a_wrong_error():
    honest, wrong = observed(error_std=2.0), observed(error_std=2.0, assumed_error_std=0.5)
    assert (wrong["error_std"] == 0.5).all()
    np.testing.assert_array_equal(honest["value"], wrong["value"])


def test_missing_values_leave_the_others_as_they_were():
    whole, holed = observed(network=AllSites()), observed(network=AllSites(), missing=0.3)
    valid = holed["valid"].values == 1
    assert valid.sum() == pytest.approx(0.7 * valid.shape[0] * 40, rel=0.01)
    same = np.take_along_axis(whole["value"].values, holed["site_index"].values, axis=1)
    np.testing.assert_array_equal(holed["value"].values[valid], same[valid])


def test_valid_entries_come_first_and_the_padding_holds_nothing():
    found = observed(missing=0.5)
    valid = found["valid"].values
    assert (np.diff(valid.astype(int), axis=1) <= 0).all() and valid.sum(axis=1).max() == found.sizes["observation"]
    assert np.isnan(found["value"].values[valid == 0]).all() and np.isnan(found["error_std"].values[valid == 0]).all()
    assert (found["site_index"].values[valid == 0] == 0).all()


def test_the_error_level_changes_neither_the_network_nor_the_draws():
    first, second = observed(error_std=1.0), observed(error_std=2.0)
    np.testing.assert_array_equal(first["site_index"], second["site_index"])
    np.testing.assert_allclose(2 * errors_of(first), errors_of(second), atol=1e-12)


def test_the_network_does_not_change_the_errors():
    """As many sites, drawn or not: the errors are the same numbers."""
    drawn, regular = observed(network=FixedRandom(count=20)), observed(network=EverySite(stride=2))
    np.testing.assert_allclose(errors_of(drawn), errors_of(regular), atol=1e-12)


def test_the_law_changes_neither_the_network_nor_the_losses():
    gaussian, outliers = observed(missing=0.2), observed(missing=0.2, distribution=OutlierError(probability=0.1))
    for name in ("site_index", "valid"):
        np.testing.assert_array_equal(gaussian[name], outliers[name])
    laplace = observed(missing=0.2, distribution=LaplaceError())
    np.testing.assert_array_equal(gaussian["valid"], laplace["valid"])


def test_equal_generators_give_equal_observations():
    assert observed(missing=0.1).identical(observed(missing=0.1))
    assert not observed(seed=1).equals(observed(seed=2))


def test_every_few_steps_keeps_the_times_that_are_multiples():
    found = observed(every=4)
    np.testing.assert_allclose(found["time"], 0.2 * np.arange(1, PERIODS.total // 4 + 1))
    np.testing.assert_array_equal(found["period"], TRUTH["period"].sel(time=found["time"]))
    assert found.attrs == {"size": 40, "time_step": 0.05, "interval": 0.2}


def test_a_truth_that_holds_the_observation_times_alone_is_not_thinned_again():
    sparse = TRUTH.isel(time=slice(3, None, 4))
    assert observed(every=4, of=sparse).sizes["time"] == sparse.sizes["time"]


def test_an_odd_checkerboard_is_padded_and_passes_the_checks():
    odd = truth(size=9)
    found = observed(of=odd, network=Checkerboard())
    np.testing.assert_array_equal(found["valid"].sum("observation")[:3], [5, 4, 5])
    check_observations(found, 9, 0.05)
    assert errors_of(found, odd).std() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("network", [AllSites(), EverySite(), FixedRandom(count=3), MovingRandom(count=40)])
def test_what_is_observed_passes_the_checks_and_survives_the_disk(network, tmp_path):
    found = observed(network=network, missing=0.2, every=2)
    check_observations(found, 40, 0.05)
    store.write(found, tmp_path / "observations.nc")
    back = store.read(tmp_path / "observations.nc")
    assert back.equals(found)
    assert {name: back[name].dtype for name in ("site_index", "valid")} == {"site_index": np.int32, "valid": np.int8}


def test_more_sites_than_exist_are_refused():
    with pytest.raises(SettingsError, match="observes 41 sites; the state has only 40"):
        observed(network=MovingRandom(count=41))


def test_a_truth_without_an_observation_time_is_refused():
    with pytest.raises(SettingsError, match="no time of the truth is a multiple of 9999 model steps"):
        observed(every=9999)


def test_a_truth_that_does_not_say_its_step_is_refused():
    with pytest.raises(FileError, match="lacks the attribute time_step"):
        observed(of=TRUTH.drop_attrs())


@pytest.mark.parametrize(
    "bad",
    [{"error_std": 0}, {"error_std": -1}, {"assumed_error_std": 0}, {"every": 0}, {"missing": 1.0}, {"network": "all"}],
)
def test_bad_settings_are_refused(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        ObservationSettings(**bad)
