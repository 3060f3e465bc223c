"""Observation times: equally spaced, or intervals that take turns."""

import numpy as np
import pytest
from pydantic import ValidationError

from assimilearn.models.truth import truth_dataset
from assimilearn.observations import ObservationSettings, observe
from assimilearn.observations.times import are_observed, intervals, observation_steps


def test_intervals_take_turns():
    np.testing.assert_array_equal(intervals([1, 3], 5), [1, 3, 1, 3, 1])
    np.testing.assert_array_equal(observation_steps([1, 3], 6), [0, 1, 4, 5, 8, 9])
    np.testing.assert_array_equal(observation_steps(2, 4), [0, 2, 4, 6])


@pytest.mark.parametrize("every", [1, 4, [3], [1, 3], [2, 2, 5]])
def test_a_step_is_observed_if_and_only_if_it_is_an_observation_time(every):
    steps = np.arange(200)
    np.testing.assert_array_equal(
        np.flatnonzero(are_observed(steps, every)), [s for s in observation_steps(every, 200) if s < 200]
    )


def test_a_truth_is_observed_at_irregular_times_and_the_file_claims_no_interval():
    truth = truth_dataset(0.05 * np.arange(13), np.ones(13, np.int8), np.zeros((13, 4)), 0.05)
    found = observe(truth, ObservationSettings(network={"method": "all"}, every=[1, 3]), np.random.default_rng(0))
    np.testing.assert_allclose(found["time"], 0.05 * np.array([0, 1, 4, 5, 8, 9, 12]))
    assert "interval" not in found.attrs


@pytest.mark.parametrize("every", [[], [0], [1, -1], 0, "often"])
def test_intervals_that_cannot_be_are_refused(every):
    with pytest.raises(ValidationError, match="every"):
        ObservationSettings(every=every)
