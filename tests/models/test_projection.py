"""Truth and forecast model may differ in fields and grid: what is kept of the truth is a linear map."""

import numpy as np
import pytest

from assimilearn.errors import SettingsError
from assimilearn.models import build
from assimilearn.models.geometry import grid, ring, without_space
from assimilearn.models.lorenz96_two_scale import Lorenz96TwoScaleSettings
from assimilearn.models.projection import projection
from assimilearn.models.truth import TruthSettings, simulate

FULL = build(Lorenz96TwoScaleSettings(slow=5, fast=3))


def test_the_slow_sites_of_two_scales_are_a_truth_for_the_truncated_model():
    times, flags, settings = 0.05 * np.arange(6), np.ones(6), TruthSettings(spinup=1, fields={"x": "slow"})
    onto = projection(FULL.geometry, ring(5), {"x": "slow"})
    kept = simulate(FULL, settings, times, flags, np.random.default_rng(0), onto)
    whole = simulate(FULL, settings, times, flags, np.random.default_rng(0))
    np.testing.assert_array_equal(kept["state"], whole["state"][:, :5])
    assert kept.attrs["size"] == 5 and "geometry" not in kept.attrs


def test_a_finer_grid_is_interpolated_linearly():
    fine = grid({"u": (8, 9), "v": (8, 9)}, spacing=0.5, periodic=(True, False))
    coarse = grid({"v": (4, 3)}, spacing=(1.0, 2.0), periodic=(True, False))
    states = np.random.default_rng(0).standard_normal((2, fine.size))
    found = coarse.split(projection(fine, coarse, {})(states))["v"]
    np.testing.assert_allclose(found, fine.split(states)["v"][:, ::2, ::4], rtol=0, atol=1e-14)
    plane = fine.coordinates @ [0.0, 3.0] + 1
    between = grid({"u": (5, 7)}, spacing=(0.8, 4 / 6), periodic=(True, False))
    np.testing.assert_allclose(
        projection(fine, between, {})(plane), between.coordinates @ [0.0, 3.0] + 1, rtol=0, atol=1e-13
    )


def test_rings_are_laid_upon_each_other_end_to_end():
    """Model II of Lorenz (2005) with a quarter of the sites sees every fourth site of model III."""
    states = np.random.default_rng(0).standard_normal((3, 40))
    np.testing.assert_allclose(projection(ring(40), ring(10), {})(states), states[:, ::4], rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("target", "fields", "message"),
    [
        (ring(5), {}, "the model of the truth has no field 'x'; it has slow, fast"),
        (ring(5), {"y": "slow"}, "the forecast model has no field 'y'; it has x"),
        (without_space({"x": 6}), {"x": "slow"}, "without axes that are alike"),
    ],
)
def test_fields_that_do_not_fit_are_one_clear_error(target, fields, message):
    with pytest.raises(SettingsError, match=message):
        projection(FULL.geometry, target, fields)
