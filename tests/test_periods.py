"""Periods are contiguous, in order, kept apart by gaps, and travel with the data."""

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError

from assimilearn.periods import FLAGS, GAP, TEST, TRAIN, VALIDATION, Periods, period_flags, select_period, with_periods

PERIODS = Periods(spinup=3, train=5, gap=2, validation=4, test=6)


def series(periods: Periods = PERIODS) -> xr.Dataset:
    bare = xr.Dataset({"x": ("time", np.arange(periods.total))})
    return with_periods(bare, period_flags(periods))


def test_flags_follow_the_order_of_the_study():
    expected = [GAP] * 3 + [TRAIN] * 5 + [GAP] * 2 + [VALIDATION] * 4 + [GAP] * 2 + [TEST] * 6
    np.testing.assert_array_equal(period_flags(PERIODS), expected)
    assert PERIODS.total == len(expected)


@pytest.mark.parametrize(("name", "first", "last"), [("train", 3, 7), ("validation", 10, 13), ("test", 16, 21)])
def test_a_period_is_contiguous(name, first, last):
    np.testing.assert_array_equal(select_period(series(), name)["x"], np.arange(first, last + 1))


def test_no_time_of_training_is_nearer_to_another_period_than_the_gap():
    flags = period_flags(PERIODS)
    train, later = np.flatnonzero(flags == TRAIN), np.flatnonzero(flags >= VALIDATION)
    assert np.abs(train[:, None] - later).min() == PERIODS.gap + 1


def test_the_flags_explain_themselves():
    attributes = series()["period"].attrs
    meanings = attributes["flag_meanings"].split()
    assert dict(zip(meanings, attributes["flag_values"], strict=True)) == FLAGS


def test_an_unknown_or_empty_period_is_one_clear_error():
    with pytest.raises(ValueError, match="no period is called 'dev'; there are gap, train, validation, test"):
        select_period(series(), "dev")
    with pytest.raises(ValueError, match="the validation period is empty"):
        select_period(series(Periods(validation=0)), "validation")


@pytest.mark.parametrize("bad", [{"train": 0}, {"gap": -1}, {"test": 0}, {"trian": 5}])
def test_bad_lengths_are_refused(bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        Periods(**bad)
