"""Fields on a geometry: flattening, distances, neighbours, stencils, interpolation, and their way through a file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import EARTH_RADIUS, Geometry, geometry_of, grid, ring, section, without_space

PLANE = grid({"height": (4, 6), "flow": (4, 6)}, spacing=(2.0, 1.0), periodic=(False, True))
SPHERE = section({"sst": (5, 8)}, latitude=(-60.0, 60.0))
GEOMETRIES = [ring(12), without_space(["x", "y", "z"]), PLANE, SPHERE, grid({"slow": (4,), "fast": (12,)}, spacing=3.0)]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_join_undoes_split(geometry):
    states = np.random.default_rng(0).standard_normal((3, 2, geometry.size))
    assert np.array_equal(geometry.join(geometry.split(states)), states)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_file_gives_the_geometry_back(geometry):
    assert geometry_of({"size": geometry.size, **geometry.attributes}) == geometry


def test_the_plain_ring_adds_nothing_to_a_file():
    assert ring(40).attributes == {}
    assert geometry_of({"size": 40}) == ring(40)


@pytest.mark.parametrize(("attributes", "what"), [
    ({"size": 5, "geometry": "{"}, "cannot be used"),
    ({"size": 5, "geometry": ring(4, "y").canonical()}, "4 sites"),
    ({"size": 5, "geometry": '{"fields": [{"name": "x", "shape": [-5]}]}'}, "without points"),
])  # fmt: skip
def test_a_wrong_geometry_in_a_file_is_refused(attributes, what):
    with pytest.raises(FileError, match=what):
        geometry_of(attributes)


def test_distance_goes_the_short_way_round_periodic_axes_only():
    assert ring(40).between(np.array([0]), np.array([39])) == 1
    assert ring(40).between(np.array([0]), np.array([20])) == 20
    first, last = 0, PLANE.size // 2 - 1  # (y, x) = (0, 0) and (6, 5)
    assert PLANE.between(np.array([first]), np.array([last]))[0] == pytest.approx(np.hypot(6, 1))


def test_on_the_sphere_the_chord_is_close_to_the_great_circle():
    one, other = np.array([0.0, 10.0]), np.array([0.0, 19.0])
    chord = SPHERE.distance(SPHERE.embedded(one), SPHERE.embedded(other))
    arc = np.deg2rad(9.0) * EARTH_RADIUS
    assert chord < arc
    assert chord == pytest.approx(arc, rel=2e-3)


@pytest.mark.parametrize("geometry", [g for g in GEOMETRIES if g.has_space])
def test_neighbours_are_those_within_the_radius(geometry):
    radius = 1.5 * geometry.between(np.array([0]), np.array([1]))[0]
    distance = geometry.between(np.arange(geometry.size)[:, None], np.arange(geometry.size)[None])
    for site, found in enumerate(geometry.neighbours(radius)):
        assert np.array_equal(found, np.flatnonzero(distance[site] <= radius * (1 + 1e-12)))


def test_the_stencil_of_a_ring_is_what_rolling_gives():
    x = np.arange(12.0)
    rolled = np.stack([np.roll(x, -m) for m in (-2, -1, 0, 1, 2)], axis=-1)
    assert np.array_equal(x[ring(12).stencil(2)], rolled)


def test_the_stencil_of_a_channel_ends_at_its_walls():
    stencil = PLANE.stencil(1)
    assert stencil.shape == (24, 18)
    assert (stencil[0, [0, 1, 2]] == -1).all()
    assert np.array_equal(stencil[0, [3, 4, 5]], [5, 0, 1])
    assert np.array_equal(stencil[:, 4], np.arange(24))
    assert np.array_equal(stencil[:, 13], np.arange(24, 48))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_linear_interpolation_is_exact_for_linear_fields_between_walls(seed):
    geometry = grid({"a": (5, 7)}, spacing=(0.5, 2.0), periodic=False)
    y, x = geometry.coordinates.T
    points = np.random.default_rng(seed).uniform([0, 0], [2.0, 12.0], (9, 2))
    row = geometry.interpolation(points)
    assert np.allclose(row.weights.sum(axis=1), 1)
    assert np.allclose(np.sum((3 * y - x)[row.sites] * row.weights, axis=1), 3 * points[:, 0] - points[:, 1])


def test_interpolation_wraps_and_meets_the_sites():
    geometry = grid({"a": (4,), "b": (8,)}, spacing=2.0)
    row = geometry.interpolation(np.array([[7.5], [3.0], [8.0]]), "b")
    assert np.array_equal(row.sites[0], [4 + 7, 4 + 0]) and np.allclose(row.weights[0], [0.5, 0.5])
    assert row.sites[1, 0] == 4 + 3 and row.weights[1, 0] == 1
    assert row.sites[2, 0] == 4 and row.weights[2, 0] == 1


def test_a_point_outside_a_bounded_axis_is_refused():
    with pytest.raises(SettingsError, match="y = 7 lies outside"):
        PLANE.interpolation(np.array([[7.0, 0.0]]))


def test_the_nearest_site_is_found_across_the_end_of_a_periodic_axis():
    assert ring(10).nearest(np.array([[9.6], [-0.4], [4.2]])).tolist() == [0, 0, 4]


def test_without_space_there_are_no_distances():
    with pytest.raises(SettingsError, match="no space"):
        without_space("xyz").neighbours(1.0)


def test_only_periodic_grids_are_homogeneous():
    assert ring(5).homogeneous and grid({"a": (3, 3), "b": (3, 3)}).homogeneous
    assert not PLANE.homogeneous and not without_space("xyz").homogeneous and not SPHERE.homogeneous


def test_fields_must_fit_the_domain():
    with pytest.raises(ValueError, match="the domain has 2"):
        Geometry(fields=({"name": "a", "shape": (3,)},), axes=PLANE.axes)
