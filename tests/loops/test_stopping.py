"""When a loop stops, and what it is judged by."""

import numpy as np
import pytest
import xarray as xr

from assimilearn.loops import Stopping, best_cycle
from assimilearn.loops.stopping import innovation_score, scores_of, scores_text, stopped
from assimilearn.periods import VALIDATION, Periods, period_flags, with_periods

INFINITE = float("inf")


def analysis_with(innovation, **attributes):
    """Innovations (time, observation) with periods of 4 training, 3 validation and 3 test times."""
    flags = period_flags(Periods(spinup=0, train=4, gap=0, validation=3, test=3))
    dataset = xr.Dataset({"innovation": (("time", "observation"), innovation)}, {"time": np.arange(10.0)}, attributes)
    return with_periods(dataset, flags)


@pytest.mark.parametrize(
    ("scores", "stops"),
    [
        ([], False),
        ([1.5], False),
        ([1.5, 1.4, 1.3], False),
        ([1.5, 1.4, 1.45, 1.42], False),
        ([1.5, 1.4, 1.45, 1.42, 1.41], True),  # three cycles without a better one
        ([1.5, 1.4, 1.69], True),  # more than 1.2 times the best at once
        ([1.5, 1.4, 1.67], False),
        ([1.5, INFINITE], True),
        ([INFINITE], True),
    ],
)
def test_a_loop_stops_after_three_cycles_without_gain_or_at_once_when_it_gets_much_worse(scores, stops):
    assert stopped(scores, Stopping(patience=3, worsening=1.2)) is stops


def test_the_innovation_score_is_the_rms_over_the_validation_period_without_the_padding():
    innovation = np.full((10, 2), 7.0)
    innovation[4:7] = [[3.0, np.nan], [4.0, np.nan], [0.0, 1.0]]
    analysis = analysis_with(innovation, status="ok")
    assert (analysis["period"].values[4:7] == VALIDATION).all()
    assert innovation_score(analysis) == pytest.approx(np.sqrt((9 + 16 + 0 + 1) / 4))


def test_the_innovation_score_of_a_diverged_filter_is_infinite():
    assert innovation_score(analysis_with(np.ones((10, 2)), status="diverged")) == INFINITE
    assert innovation_score(analysis_with(np.full((10, 2), np.nan), status="ok")) == INFINITE


def test_scores_survive_as_an_attribute_also_of_a_diverged_cycle():
    scores = [1.5, INFINITE, 1.25]
    assert scores_of(xr.Dataset(attrs={"innovation_scores": scores_text(scores)})) == scores


def test_the_result_of_another_loop_starts_a_loop_without_scores():
    assert scores_of(xr.Dataset(attrs={"innovation_scores": "[1.5]", "best_cycle": 1})) == []


def test_the_best_cycle_is_the_first_of_the_smallest_scores():
    assert best_cycle(xr.Dataset(attrs={"innovation_scores": "[1.5, 1.2, 1.3, 1.2, null]"})) == 2
