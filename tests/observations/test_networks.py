"""Networks observe exactly the sites that their name says."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import grid, ring, section, without_space
from assimilearn.observations.networks import (
    ABSENT,
    AllSites,
    Checkerboard,
    EverySite,
    FixedRandom,
    Half,
    MovingEvery,
    MovingRandom,
    Network,
    observed_places,
)

NETWORKS = [
    AllSites(),
    EverySite(stride=3, offset=1),
    FixedRandom(count=7),
    MovingRandom(count=7),
    MovingEvery(count=7),
    Checkerboard(),
    Half(),
]


def sites(network, size=40, times=50, seed=0) -> np.ndarray:
    return observed_places(network, ring(size), 0.05 * np.arange(times), np.random.default_rng(seed)).sites


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.method)
@pytest.mark.parametrize("size", [9, 40])
def test_sites_exist_and_occur_once_in_rising_order(network, size):
    found = sites(network, size)
    assert found.dtype == np.int32 and found.shape[0] == 50
    for row in found:
        present = row[row != ABSENT]
        assert present.size > 0 and (np.diff(present) > 0).all()
        assert present.min() >= 0 and present.max() < size


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.method)
def test_a_longer_record_begins_with_the_shorter_one(network):
    np.testing.assert_array_equal(sites(network, times=80)[:30], sites(network, times=30))


def test_all_every_and_half_by_hand():
    np.testing.assert_array_equal(sites(AllSites(), 5, 2), [[0, 1, 2, 3, 4]] * 2)
    np.testing.assert_array_equal(sites(EverySite(stride=4, offset=1), 10, 2), [[1, 5, 9]] * 2)
    np.testing.assert_array_equal(sites(Half(), 9, 2), [[0, 1, 2, 3]] * 2)


def test_the_network_of_the_double_gyre_is_the_published_one():
    """floor(16641 k / 300) and one integer from 0 to 54, anew at each time."""
    found = observed_places(
        MovingEvery(count=300), grid({"psi": (129, 129)}), np.arange(2000.0), np.random.default_rng(0)
    )
    offset = found.sites - np.floor(np.arange(300) * 16641 / 300)
    assert (offset == offset[:, :1]).all()
    assert set(offset[:, 0]) == set(range(55))


def test_the_checkerboard_alternates_and_pads_an_odd_ring():
    np.testing.assert_array_equal(sites(Checkerboard(), 6, 3), [[0, 2, 4], [1, 3, 5], [0, 2, 4]])
    np.testing.assert_array_equal(sites(Checkerboard(), 5, 2), [[0, 2, 4], [1, 3, ABSENT]])


def test_a_fixed_network_stays_and_a_moving_one_moves():
    fixed, moving = sites(FixedRandom(count=20)), sites(MovingRandom(count=20))
    assert (fixed == fixed[0]).all() and not (moving == moving[0]).all(axis=1)[1:].any()
    assert (sites(FixedRandom(count=20), seed=1) != fixed).any()


def test_a_moving_network_sees_every_site_equally_often():
    """Each site is seen with probability 20/40 at each of 4000 times: 4 standard deviations are 127."""
    seen = np.bincount(sites(MovingRandom(count=20), times=4000).ravel(), minlength=40)
    assert np.abs(seen - 2000).max() < 4 * np.sqrt(4000 * 0.25)


def test_as_many_sites_as_exist_are_all_of_them():
    np.testing.assert_array_equal(sites(MovingRandom(count=8), size=8, times=1), [np.arange(8)])


@pytest.mark.parametrize("network", [FixedRandom(count=41), MovingRandom(count=41)], ids=lambda n: n.method)
def test_more_sites_than_exist_are_refused(network):
    with pytest.raises(SettingsError, match="observes 41 sites; the state has only 40"):
        sites(network)


def test_an_offset_beyond_the_ring_is_refused():
    with pytest.raises(SettingsError, match="starts at site 40; the state has sites 0 to 39"):
        sites(EverySite(offset=40))


@pytest.mark.parametrize(
    "bad",
    [{"method": "everywhere"}, {"method": "every", "stride": 0}, {"method": "all", "count": 3}, {"count": 3}],
)
def test_bad_networks_are_refused(bad):
    with pytest.raises(ValidationError):
        TypeAdapter(Network).validate_python(bad)


PLANE = grid({"height": (4, 6), "flow": (4, 6)}, periodic=(False, True))


def on(geometry, network, times=3, seed=0):
    return observed_places(network, geometry, 0.05 * np.arange(times), np.random.default_rng(seed))


def test_networks_of_a_plane_by_hand():
    every = on(PLANE, EverySite(stride=3, offset=1, fields=["flow"])).sites
    np.testing.assert_array_equal(every, [[24 + 7, 24 + 10]] * 3)
    half = on(PLANE, Half(fields=["height"])).sites
    np.testing.assert_array_equal(half[0], [0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20])
    board = on(PLANE, Checkerboard(fields=["height"])).sites
    np.testing.assert_array_equal(board[0], [0, 2, 4, 7, 9, 11, 12, 14, 16, 19, 21, 23])
    np.testing.assert_array_equal(np.sort(np.concatenate([board[0], board[1]])), np.arange(24))


def test_networks_of_a_model_without_space_count_its_variables():
    np.testing.assert_array_equal(on(without_space("xyz"), EverySite()).sites[0], [0, 2])
    np.testing.assert_array_equal(on(without_space("xyz"), AllSites(fields=["y"])).sites[0], [1])


@pytest.mark.parametrize("network", [FixedRandom(count=9, places="anywhere"), MovingRandom(count=9, places="anywhere")])
def test_points_anywhere_stand_nearest_to_the_site_that_is_told(network):
    places = on(PLANE, network)
    for k in range(3):
        distance = PLANE.distance(places.coordinates[k][:, None], PLANE.positions[None, :24])
        np.testing.assert_array_equal(places.sites[k] % 24, distance.argmin(axis=1))
    longer = on(PLANE, network, times=5)
    np.testing.assert_array_equal(longer.coordinates[:3], places.coordinates)


def test_points_on_the_sphere_are_even_by_area():
    latitude = on(section({"t": (9, 8)}, (-90.0, 90.0)), MovingRandom(count=2000, places="anywhere")).coordinates[
        ..., 0
    ]
    inside = (np.abs(latitude) < 30).mean()  # half of the area
    assert abs(inside - 0.5) < 4 * np.sqrt(0.25 / latitude.size)


def test_points_between_sites_need_space():
    with pytest.raises(SettingsError, match="no space"):
        on(without_space("xyz"), MovingRandom(count=2, places="anywhere"))


def test_an_unknown_field_is_refused():
    with pytest.raises(SettingsError, match="the field 'depth'; there are height, flow"):
        on(PLANE, AllSites(fields=["depth"]))
