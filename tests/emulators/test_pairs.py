"""Training pairs: only successive analyses of one period, weighted by how sure they are."""

import numpy as np
import pytest
from training_sets import analysis_of, lorenz96_analysis

from assimilearn.emulators.pairs import windows
from assimilearn.errors import FileError
from assimilearn.periods import Periods

COUNT = Periods(spinup=3, train=20, gap=2, validation=10, test=5)


def numbered(periods=COUNT):
    """States that say at which time they are, so that a window shows where it came from."""
    return analysis_of(np.arange(periods.total, dtype=float)[:, None] + np.zeros(4), periods)


@pytest.mark.parametrize("lead", [1, 3])
def test_windows_are_successive_and_stay_in_their_period(lead):
    analysis = numbered()
    found = windows(analysis, "train", lead).states[:, :, 0]
    assert np.array_equal(found[:, 0], np.arange(3, 23 - lead))
    assert np.all(np.diff(found, axis=1) == 1)
    assert windows(analysis, "validation", lead).states[0, 0, 0] == 25


def test_adjoining_periods_share_no_window():
    analysis = numbered(Periods(spinup=0, train=10, gap=0, validation=10, test=1))
    assert windows(analysis, "train").states.max() == 9
    assert windows(analysis, "validation").states.min() == 10


@pytest.mark.parametrize("lead", [1, 2])
def test_windows_never_bridge_missing_or_irregular_times(lead):
    analysis = numbered().isel(time=np.delete(np.arange(COUNT.total), [8, 9]))
    time = analysis["time"].values.copy()
    time[12] += 0.01
    found = windows(analysis.assign_coords(time=("time", time)), "train", lead).states[:, :, 0]
    assert np.all(np.diff(found, axis=1) == 1)
    assert not np.any(found == 14)


def test_weights_are_inverse_analysis_variances_of_the_target_with_mean_one():
    rng = np.random.default_rng(0)
    spread = rng.uniform(0, 2, (COUNT.total, 4))
    found = windows(analysis_of(np.zeros((COUNT.total, 4)), COUNT, spread), "train")
    expected = 1 / (spread[4:23] ** 2 + 0.01)
    assert found.weights[:, 0] == pytest.approx(expected / expected.mean())


def test_an_analysis_without_spread_has_equal_weights():
    assert np.all(windows(numbered(), "train").weights == 1)


def test_a_diverged_analysis_is_refused_with_its_reason():
    analysis = numbered().assign_attrs(status="diverged", diverged_at=1.5, reason="the mean is NaN")
    with pytest.raises(FileError, match=r"diverged at 1\.5 MTU \(the mean is NaN\)"):
        windows(analysis, "train")


@pytest.mark.parametrize("name", ["mean", "spread"])
def test_one_bad_value_is_one_clear_error(name):
    analysis = lorenz96_analysis()
    analysis[name][7, 3] = np.nan
    with pytest.raises(FileError, match=rf"{name} is not finite at 1 of \d+ times, first at 0\.35 MTU"):
        windows(analysis, "train")


def test_what_is_not_used_may_be_missing():
    analysis = lorenz96_analysis()
    analysis["mean"][-1] = np.nan
    assert np.isfinite(windows(analysis, "train").states).all()


def test_a_period_too_short_for_the_lead_is_refused():
    with pytest.raises(FileError, match="validation period of the analysis has no 11 successive analyses"):
        windows(numbered(), "validation", 10)


def test_a_file_that_is_no_analysis_is_refused():
    with pytest.raises(FileError, match="lacks spread"):
        windows(numbered().drop_vars("spread"), "train")
