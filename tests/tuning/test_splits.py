"""Blocked folds: contiguous, disjoint, with gaps, and blind to the test period."""

import numpy as np
import pytest

from assimilearn.errors import SettingsError
from assimilearn.periods import GAP, TEST, TRAIN, VALIDATION, Periods, period_flags
from assimilearn.tuning.splits import fold_flags

FLAGS = period_flags(Periods(spinup=7, train=103, gap=5, validation=20, test=1))[:-6]


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("gap", [0, 4])
def test_held_out_blocks_are_contiguous_and_cover_the_training_period_once(folds, gap):
    held_out = [np.flatnonzero(flags == TEST) for flags in fold_flags(FLAGS, folds, gap)]
    assert all(np.all(np.diff(block) == 1) for block in held_out)
    assert np.array_equal(np.concatenate(held_out), np.flatnonzero(FLAGS == TRAIN))


@pytest.mark.parametrize("gap", [0, 1, 6])
def test_no_training_time_is_within_the_gap_of_the_held_out_block(gap):
    for flags in fold_flags(FLAGS, 4, gap):
        distance = np.abs(np.flatnonzero(flags == TRAIN)[:, None] - np.flatnonzero(flags == TEST)).min()
        assert distance == gap + 1


def test_nothing_but_the_training_period_is_changed():
    for flags in fold_flags(FLAGS, 3, 10):
        outside = FLAGS != TRAIN
        assert np.array_equal(flags[outside], FLAGS[outside])
        assert set(flags[~outside]) <= {TRAIN, TEST, GAP}
        assert np.count_nonzero(flags == VALIDATION) == 20


def test_a_test_period_that_was_not_dropped_is_refused():
    with pytest.raises(ValueError, match="drop the test period"):
        fold_flags(np.append(FLAGS, np.int8(TEST)), 3, 1)


def test_a_gap_that_eats_all_training_is_refused():
    with pytest.raises(SettingsError, match="gap: 60 analysis times"):
        fold_flags(FLAGS, 2, 60)


def test_more_folds_than_times_are_refused():
    with pytest.raises(SettingsError, match="folds: 200 blocks cannot be cut from 103"):
        fold_flags(FLAGS, 200, 0)
