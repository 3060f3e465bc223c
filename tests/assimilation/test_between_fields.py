"""Localization between fields: a factor on the taper, for pairs of fields."""

import numpy as np
import pytest
from pydantic import ValidationError

from assimilearn.assimilation import METHODS
from assimilearn.assimilation.local.domain import Fields, encoded
from assimilearn.assimilation.local.taper_functions import gaspari_cohn, taper_matrix
from assimilearn.assimilation.methods.eakf import eakf_observed_update, eakf_update
from assimilearn.assimilation.methods.letkf import letkf_update
from assimilearn.assimilation.methods.rhf import rhf_update
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import grid, without_space

N, SITES, RADIUS = 6, 12, 1.5
RNG = np.random.default_rng(0)
E = RNG.standard_normal((N, 2 * SITES))
FIELD = np.repeat([0, 1], SITES)
POSITIONS, PERIODS = np.tile(np.arange(float(SITES)), 2)[:, None], np.array([float(SITES)])
SEEN = np.array([0, 3, 5, 9, 12, 16, 17, 20, 23])  # sites of both fields, all of which are observed directly
VALUE, VARIANCE = RNG.standard_normal(SEEN.size), RNG.uniform(0.5, 2, SEEN.size)


def kernel(name):
    """Update and what stands before the domain in its parameters."""
    of_rhf = [0.0, -np.inf, np.inf, 1.0]
    found = {"letkf": letkf_update, "eakf": eakf_update, "eakf-observed": eakf_observed_update, "rhf": rhf_update}
    return found[name], of_rhf if name == "rhf" else []


def updated(name, factors=None, only=slice(None), variance=VARIANCE):
    """Members after the update, of all sites or of those of one field, which then sees its own observations alone."""
    update, header = kernel(name)
    chosen = np.arange(2 * SITES)[only]
    there = np.isin(SEEN, chosen)
    rows = np.searchsorted(chosen, SEEN[there])
    fields = () if factors is None else (16, Fields(factors, FIELD, FIELD[SEEN] if name == "eakf-observed" else FIELD))
    places = POSITIONS[SEEN] if name == "eakf-observed" else None
    around = encoded("gaspari_cohn", RADIUS, POSITIONS[chosen], PERIODS, places, *(fields or (16,)))
    moved, Y = E[:, chosen].copy(), E[:, SEEN[there]].copy()
    numbers = np.flatnonzero(there) if name == "eakf-observed" else rows
    update(moved, Y, VALUE[there], variance[there], numbers, np.concatenate([header, around]), np.empty(0))
    return moved


@pytest.mark.parametrize("name", ["letkf", "eakf", "eakf-observed", "rhf"])
def test_fields_with_the_factor_0_are_analysed_as_if_alone_and_with_1_as_one(name):
    apart = updated(name, np.eye(2))
    alone = [updated(name, only=slice(0, SITES)), updated(name, only=slice(SITES, None))]
    np.testing.assert_allclose(apart, np.hstack(alone), atol=1e-10)
    np.testing.assert_allclose(updated(name, np.ones((2, 2))), updated(name), atol=1e-12)
    assert np.abs(apart - updated(name)).max() > 0.05


def test_a_factor_divides_the_weight_of_the_observations_of_the_other_field():
    half = updated("letkf", np.array([[1, 0.5], [0.5, 1]]))
    for field in (0, 1):
        doubled = updated("letkf", variance=np.where(FIELD[SEEN] == field, VARIANCE, 2 * VARIANCE))
        np.testing.assert_allclose(half[:, field == FIELD], doubled[:, field == FIELD], atol=1e-10)


GEOMETRY = grid({"u": (4, 5), "h": (4, 5), "q": (4, 5)}, 1.0, (True, False))


def test_settings_give_one_factor_or_some_pairs():
    letkf = METHODS["letkf"]
    assert letkf().field_factors(GEOMETRY).size == 0
    np.testing.assert_array_equal(letkf(between_fields=0.2).field_factors(GEOMETRY), 0.2 + 0.8 * np.eye(3))
    pairs = letkf(between_fields={"u": {"q": 0.5}, "h": {"q": 0.0}}).field_factors(GEOMETRY)
    np.testing.assert_array_equal(pairs, [[1, 1, 0.5], [1, 1, 0], [0.5, 0, 1]])
    with pytest.raises(SettingsError, match="no field 'v'; there are u, h, q"):
        letkf(between_fields={"u": {"v": 0.5}}).field_factors(GEOMETRY)
    with pytest.raises(SettingsError, match="two different factors"):
        letkf(between_fields={"u": {"q": 0.5}, "q": {"u": 0.4}}).field_factors(GEOMETRY)
    with pytest.raises(ValidationError):
        letkf(between_fields=1.5)


def test_the_tapering_of_a_covariance_is_by_the_distances_of_the_geometry():
    C = taper_matrix(GEOMETRY, "gaspari_cohn", 1.0, METHODS["hybrid"](between_fields=0.5).field_factors(GEOMETRY))
    assert C[0, 0] == 1 and C[0, 20] == 0.5
    one, other = 0, 3 * 5 + 1  # rows 0 and 3 are neighbours round the period, columns 0 and 1 beside each other
    assert C[one, other] == pytest.approx(float(gaspari_cohn(np.sqrt(2), 1.0)))
    with pytest.raises(SettingsError, match="no space"):
        taper_matrix(without_space(["x", "y"]), "boxcar", 1.0, np.empty((0, 0)))


def test_a_cubic_surface_is_refused_off_the_ring():
    with pytest.raises(SettingsError, match="one field on a ring"):
        METHODS["interpolation"](order="cubic").refuse_unlike(GEOMETRY)
    METHODS["interpolation"]().refuse_unlike(GEOMETRY)
