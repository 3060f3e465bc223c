"""Cubic interpolation in time and space: exact where it must be, as bad as it is known to be on Lorenz-96."""

import numpy as np
import pytest
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.background import space_time
from assimilearn.assimilation.background.space_time import cubic


def seen(states, share, rng):
    return np.where(rng.uniform(size=states.shape) < share, states, np.nan)


def smooth(times, n):
    """A field that is smooth round the ring: the mean of waves that move."""
    clock, angle = np.arange(times)[:, None], 2 * np.pi * np.arange(n) / n
    return np.sin(angle + 0.02 * clock) + 0.5 * np.cos(2 * angle - 0.05 * clock)


# Blocks of 1,000 times hold all of them, blocks of 25 have seams. Which triangles a lattice has is not unique: results
# of blocks differ, but not in how near they are.
@pytest.mark.parametrize("block", [1000, 25])
def test_it_passes_through_the_observations_and_near_a_smooth_field_between_them(block, monkeypatch):
    monkeypatch.setattr(space_time, "BLOCK", block)
    states, rng = smooth(80, 40), np.random.default_rng(0)
    value = seen(states, 0.5, rng)
    found = cubic(np.arange(80), value, np.zeros(40))
    np.testing.assert_allclose(found[~np.isnan(value)], value[~np.isnan(value)], atol=1e-9)
    error = np.abs(found - states)[3:-3]
    assert error.max() < 0.05
    ends = error[:, [0, 1, 38, 39]]  # the ring has no ends
    assert ends.mean() < 1.5 * error.mean()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_where_observations_do_not_surround_a_point_it_is_the_climatological_mean(count):
    value = np.full((5, 3), np.nan)
    value[2, :count] = 7.0
    found = cubic(np.arange(5), value, np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(found[0], [1, 2, 3])


def test_on_lorenz96_its_error_and_spread_are_far_above_those_of_straight_lines_in_time():
    model, truth = lorenz96_truth(1500)
    rng = np.random.default_rng(0)
    sites = np.array([np.sort(rng.choice(40, 20, replace=False)) for _ in range(1500)])
    observations = observe_states(truth, 0.05, 1.0, rng, sites)
    settings = METHODS["interpolation"](order="cubic")
    analysis = assimilate(observations, model, settings, lorenz96_climatology(), rng)
    error = np.sqrt(((analysis["mean"] - truth) ** 2).mean("site")).mean()
    assert float(error) == pytest.approx(2.3, rel=0.05)  # griddata of SciPy, which the paper uses, has 2.27
    observed = np.zeros((1500, 40), bool)
    np.put_along_axis(observed, sites, True, axis=1)
    np.testing.assert_allclose(analysis["spread"].values[observed], 1.0, rtol=1e-6)
    assert (analysis["spread"].values[~observed] > 3).all()
    assert np.isnan(analysis["forecast_mean"]).all()
