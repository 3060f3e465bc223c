"""Tapers of the localization."""

import numpy as np
import pytest

from assimilearn.assimilation.local.taper_functions import TAPERS, boxcar, gaspari_cohn, gaussian

DISTANCE = np.linspace(0, 30, 3001)


@pytest.mark.parametrize("taper", TAPERS.values(), ids=TAPERS)
def test_a_taper_falls_from_one_to_zero(taper):
    factors = taper(DISTANCE, 4.0)
    assert factors[0] == 1
    assert (np.diff(factors) <= 1e-15).all()
    assert 0 <= factors[-1] < 1e-11


@pytest.mark.parametrize("z", [0.3, 0.9, 1.4, 1.9])
def test_gaspari_cohn_is_the_autocorrelation_of_a_cone_in_three_dimensions(z):
    # eq. 4.10 comes from B(r) = 1 - r for r < 1, in units of c, convolved with itself over space
    r, cosine = (np.arange(1000)[:, None] + 0.5) / 1000, (np.arange(1000) + 0.5) / 500 - 1
    cone = np.maximum(0, 1 - np.sqrt(r**2 + z**2 - 2 * r * z * cosine))
    overlap = (r**2 * (1 - r) * cone).sum() / (2 * (r**2 * (1 - r) ** 2).sum()) * 2 / 1000
    assert gaspari_cohn(z * np.sqrt(10 / 3), 1.0) == pytest.approx(overlap, abs=1e-5)


def test_gaspari_cohn_has_the_curvature_of_its_gaussian_at_the_centre():
    assert (1 - gaspari_cohn(0.01, 4.0)) * 2 / 0.01**2 == pytest.approx(1 / 4.0**2, rel=0.01)


def test_the_box_has_the_second_moment_of_its_gaussian():
    moments = [(DISTANCE**2 * taper(DISTANCE, 4.0)).sum() / taper(DISTANCE, 4.0).sum() for taper in (boxcar, gaussian)]
    assert moments[0] == pytest.approx(moments[1], rel=0.01)
