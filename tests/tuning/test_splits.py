"""Blocked folds: contiguous, disjoint, with gaps, and blind to the test period."""

import numpy as np
import pytest

from assimilearn.errors import SettingsError
from assimilearn.periods import GAP, TEST, TRAIN, VALIDATION, Periods, period_flags
from assimilearn.tuning.splits import (
    BlockedKFold,
    ExpandingWindow,
    RealizationsOut,
    SlidingWindow,
    decorrelation_time,
    fold_flags,
)

FLAGS = period_flags(Periods(spinup=7, train=103, gap=5, validation=20, test=1))[:-6]


@pytest.mark.parametrize("folds", [2, 5])
@pytest.mark.parametrize("gap", [0, 4])
def test_held_out_blocks_are_contiguous_and_cover_the_training_period_once(folds, gap):
    held_out = [np.flatnonzero(flags == TEST) for flags in fold_flags(FLAGS, BlockedKFold(folds, gap))]
    assert all(np.all(np.diff(block) == 1) for block in held_out)
    assert np.array_equal(np.concatenate(held_out), np.flatnonzero(FLAGS == TRAIN))


@pytest.mark.parametrize("gap", [0, 1, 6])
def test_no_training_time_is_within_the_gap_of_the_held_out_block(gap):
    for flags in fold_flags(FLAGS, BlockedKFold(4, gap)):
        distance = np.abs(np.flatnonzero(flags == TRAIN)[:, None] - np.flatnonzero(flags == TEST)).min()
        assert distance == gap + 1


def test_nothing_but_the_training_period_is_changed():
    for flags in fold_flags(FLAGS, BlockedKFold(3, 10)):
        outside = FLAGS != TRAIN
        assert np.array_equal(flags[outside], FLAGS[outside])
        assert set(flags[~outside]) <= {TRAIN, TEST, GAP}
        assert np.count_nonzero(flags == VALIDATION) == 20


def test_a_test_period_that_was_not_dropped_is_refused():
    with pytest.raises(ValueError, match="drop the test period"):
        fold_flags(np.append(FLAGS, np.int8(TEST)), BlockedKFold(3, 1))


def test_a_gap_that_eats_all_training_is_refused():
    with pytest.raises(SettingsError, match="gap: 60 analysis times"):
        fold_flags(FLAGS, BlockedKFold(2, 60))


def test_more_folds_than_times_are_refused():
    with pytest.raises(SettingsError, match="folds: 200 blocks cannot be cut from 103"):
        fold_flags(FLAGS, BlockedKFold(200))


def test_expanding_windows_train_on_all_that_came_before_and_sliding_ones_on_as_much_each():
    past = list(ExpandingWindow(3, gap=2).split(np.empty((40, 1))))
    assert [held_out[0] for _, held_out in past] == [10, 20, 30]
    assert [training.tolist() for training, _ in past] == [list(range(n)) for n in (8, 18, 28)]
    near = list(SlidingWindow(3, gap=2).split(np.empty((40, 1))))
    assert [training.tolist() for training, _ in near] == [list(range(n - 10, n - 2)) for n in (10, 20, 30)]


def test_scikit_learn_takes_the_splitters():
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, cross_val_score

    x = np.random.default_rng(0).standard_normal((60, 3))
    y = x @ [1.0, 2.0, 3.0]
    assert cross_val_score(Ridge(alpha=1e-6), x, y, cv=BlockedKFold(4, 3)) == pytest.approx(np.ones(4))
    groups = np.repeat([0, 1, 2], 20)
    search = GridSearchCV(Ridge(), {"alpha": [1e-6, 1e3]}, cv=RealizationsOut()).fit(x, y, groups=groups)
    assert search.best_params_ == {"alpha": 1e-6} and search.n_splits_ == 3


def test_a_shuffled_split_of_a_series_is_refused_with_the_reason():
    from sklearn.model_selection import KFold, TimeSeriesSplit

    with pytest.raises(SettingsError, match="neighbouring times are nearly equal"):
        fold_flags(FLAGS, KFold(3, shuffle=True, random_state=0))
    assert len(fold_flags(FLAGS, TimeSeriesSplit(3, gap=2))) == 3


def test_no_fold_touches_the_calibration_block():
    block = np.flatnonzero(FLAGS == TRAIN)[-20:]
    for flags in fold_flags(FLAGS, BlockedKFold(3, 2), calibration=20):
        assert (flags[block] == GAP).all()
    with pytest.raises(SettingsError, match="calibration: 103 of 103"):
        fold_flags(FLAGS, BlockedKFold(3), calibration=103)


def test_the_decorrelation_time_of_an_autoregressive_record_is_that_of_theory():
    """For rho_k = a^k the integral is (1 + a) / (1 - a)."""
    rng = np.random.default_rng(1)
    states = np.zeros((20000, 4))
    for k in range(1, len(states)):
        states[k] = 0.8 * states[k - 1] + rng.standard_normal(4)
    assert decorrelation_time(states) == pytest.approx(9, abs=1)
    assert decorrelation_time(rng.standard_normal((5000, 4))) <= 2
