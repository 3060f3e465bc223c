"""Local analyses on rings, planes and scattered points, against a dense ETKF at every site."""

import numpy as np
import pytest

from assimilearn.assimilation.local.domain import encoded, opened
from assimilearn.assimilation.local.taper_functions import NEGLIGIBLE, TAPERS
from assimilearn.assimilation.local.tiles import observations_near_tiles, tree_of
from assimilearn.assimilation.methods.eakf import eakf_observed_update, eakf_update
from assimilearn.assimilation.methods.letkf import letkf_update
from assimilearn.assimilation.methods.letks import letks_update
from assimilearn.assimilation.methods.lpf import lpf_update

NO_NOISE = np.empty(0)


def plane(rows, columns):
    return np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2) * 1.0


RNG = np.random.default_rng
DOMAINS = {
    "ring": (np.arange(230.0)[:, None], np.array([230.0])),
    "torus": (plane(14, 19), np.array([14.0, 19.0])),
    "channel": (plane(14, 19), np.array([14.0, np.inf])),
    "plane": (plane(14, 19), np.zeros(2)),
    "scattered": (RNG(5).uniform(0, 20, (150, 3)), np.zeros(3)),
}


def apart(one, other, periods):
    """Distances (..., point) of positions (..., axis)."""
    gap = np.abs(one - other)
    return np.sqrt((np.where((periods > 0) & np.isfinite(periods), np.minimum(gap, periods - gap), gap) ** 2).sum(-1))


def observed(positions, N=8, p=60, seed=0):
    """Members, what they observe, observations, variances, and the places of these, which are between the sites."""
    rng = RNG(seed)
    places = positions.min(axis=0) + rng.random((p, positions.shape[1])) * np.ptp(positions, axis=0)
    return (
        *(rng.standard_normal((N, len(positions))), rng.standard_normal((N, p))),
        *(rng.standard_normal(p), rng.uniform(0.5, 2.0, p), places),
    )


def letkf(E, Y, y, variance, parameters):
    moved = E.copy()
    letkf_update(moved, Y.copy(), y, variance, np.arange(y.size), parameters, NO_NOISE)
    return moved


def dense_letkf(E, Y, y, variance, places, positions, periods, taper, radius):
    """The reference: at every site an ETKF with all observations, their error variances divided by the taper."""
    N, moved = len(E), E.copy()
    A, dY = E - E.mean(axis=0), Y - Y.mean(axis=0)
    for i, here in enumerate(positions):
        w = TAPERS[taper](apart(places, here, periods), radius)
        w = np.where(w > NEGLIGIBLE, w, 0)
        S, d = dY * np.sqrt(w / ((N - 1) * variance)), (y - Y.mean(axis=0)) * np.sqrt(w / variance)
        values, V = np.linalg.eigh(np.eye(N) + S @ S.T)
        weights = V / values @ V.T @ S @ d / np.sqrt(N - 1)
        moved[:, i] = E[:, i].mean() + weights @ A[:, i] + V / np.sqrt(values) @ V.T @ A[:, i]
    return moved


@pytest.mark.parametrize("taper", TAPERS)
@pytest.mark.parametrize("domain", DOMAINS)
def test_the_letkf_is_a_dense_etkf_at_every_site(domain, taper):
    positions, periods = DOMAINS[domain]
    *seen, places = observed(positions)
    local = letkf(*seen, encoded(taper, 2.5, positions, periods, places))
    np.testing.assert_allclose(local, dense_letkf(*seen, places, positions, periods, taper, 2.5), atol=1e-10)


@pytest.mark.parametrize("domain", DOMAINS)
def test_filter_and_smoother_see_at_every_site_the_observations_around_it_alone(domain):
    """As on a single site with the observations that count there, their error variances divided by the taper."""
    positions, periods = DOMAINS[domain]
    E, Y, y, variance, places = observed(positions)
    around = encoded("gaspari_cohn", 1.5, positions, periods, places)
    moved, smoothed, rows = E.copy(), np.hstack([E, 2 * E]), np.arange(y.size)
    lpf_update(moved, Y, y, variance, rows, np.append(0.2, around), NO_NOISE)
    letks_update(smoothed, Y.copy(), y, variance, rows, around, 2)
    for i, here in enumerate(positions):
        factor = TAPERS["gaspari_cohn"](apart(places, here, periods), 1.5)
        o = np.flatnonzero(factor > NEGLIGIBLE)
        alone = encoded("boxcar", 1.0, np.zeros((1, 1)), np.zeros(1), np.zeros((o.size, 1)))
        one, past = E[:, [i]].copy(), np.stack([E[:, i], 2 * E[:, i]], axis=1)
        seen = y[o], variance[o] / factor[o], np.arange(o.size)
        lpf_update(one, Y[:, o].copy(), *seen, np.append(0.2, alone), NO_NOISE)
        letks_update(past.reshape(len(E), 2), Y[:, o].copy(), *seen, alone, 2)
        np.testing.assert_allclose(moved[:, i], one[:, 0], atol=1e-10)
        np.testing.assert_allclose(smoothed[:, [i, len(positions) + i]], past, atol=1e-10)


def serial(E, Y, y, variance, positions, places, periods, radius):
    """The reference of the EAKF: one observation after another, on sites and on what is seen of them alike."""
    n, N = E.shape[1], len(E)
    Z, where = np.hstack([E, Y]), np.vstack([positions, places])
    for o in range(y.size):
        mean = Z.mean(axis=0)
        A = Z - mean
        h = A[:, n + o]
        total = h @ h / (N - 1) + variance[o]
        factor = TAPERS["gaspari_cohn"](apart(where, places[o], periods), radius)
        gain = np.where(factor > NEGLIGIBLE, factor, 0) * (h @ A) / ((N - 1) * total)
        Z = mean + gain * (y[o] - mean[n + o]) + A - np.outer(h, gain) / (1 + np.sqrt(variance[o] / total))
    return Z[:, :n]


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_eakf_is_the_serial_update_of_all_sites_with_a_tapered_gain(domain):
    positions, periods = DOMAINS[domain]
    E, Y, y, variance, places = observed(positions)
    moved, at_sites = E.copy(), E.copy()
    around = encoded("gaspari_cohn", 1.5, positions, periods, places, 16)
    eakf_observed_update(moved, Y.copy(), y, variance, np.arange(y.size), around, NO_NOISE)
    np.testing.assert_allclose(moved, serial(E, Y, y, variance, positions, places, periods, 1.5), atol=1e-10)
    sites = RNG(3).permutation(len(positions))[: y.size]
    eakf_update(at_sites, Y, y, variance, sites, encoded("gaspari_cohn", 1.5, positions, periods, None, 16), NO_NOISE)
    expected = serial(E, E[:, sites], y, variance, positions, positions[sites], periods, 1.5)
    np.testing.assert_allclose(at_sites, expected, atol=1e-10)


@pytest.mark.parametrize("N", [2, 3, 40])
@pytest.mark.parametrize("radius", [0.05, 1000.0])
def test_few_and_many_members_and_any_radius(N, radius):
    positions, periods = DOMAINS["torus"]
    *seen, places = observed(positions, N)
    local = letkf(*seen, encoded("gaspari_cohn", radius, positions, periods, places))
    expected = dense_letkf(*seen, places, positions, periods, "gaspari_cohn", radius)
    np.testing.assert_allclose(local, expected, atol=1e-8)


@pytest.mark.parametrize("count", [0, 1])
def test_where_no_observation_reaches_the_forecast_stays(count):
    positions, periods = DOMAINS["torus"]
    E, Y, y, variance, places = observed(positions, p=count)
    local = letkf(E, Y, y, variance, encoded("gaspari_cohn", 1.0, positions, periods, places))
    far = np.ones(len(positions), bool)
    for place in places:
        far &= apart(positions, place, periods) > 2 * np.sqrt(10 / 3)
    assert far.sum() > 200
    np.testing.assert_allclose(local[:, far], E[:, far], atol=1e-14)
    assert (np.abs(local - E)[:, ~far] > 1e-6).any() == (count > 0)


def test_to_shift_everything_on_a_torus_shifts_the_analysis():
    positions, periods = DOMAINS["torus"]
    E, Y, y, variance, places = observed(positions)
    here = letkf(E, Y, y, variance, encoded("gaspari_cohn", 2.0, positions, periods, places)).reshape(-1, 14, 19)
    moved = np.roll(E.reshape(-1, 14, 19), (5, -8), axis=(1, 2)).reshape(E.shape)
    there = letkf(moved, Y, y, variance, encoded("gaspari_cohn", 2.0, positions, periods, np.add(places, [5, -8])))
    np.testing.assert_allclose(there.reshape(-1, 14, 19), np.roll(here, (5, -8), axis=(1, 2)), atol=1e-10)


@pytest.mark.parametrize("domain", DOMAINS)
def test_tiles_share_out_all_sites_and_know_every_observation_in_reach(domain):
    positions, periods = DOMAINS[domain]
    places = observed(positions, p=200)[-1]
    space = opened(encoded("boxcar", 1.5, positions, periods, places))
    near, first, tiles = observations_near_tiles(space, np.arange(200))
    order = space.order.astype(int)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(positions)))
    assert np.diff(tiles).max() <= 96
    assert np.diff(tiles).min() > 40
    for t in range(tiles.size - 1):
        sites, listed = order[tiles[t] : tiles[t + 1]], near[first[t] : first[t + 1]]
        distance = apart(positions[sites][:, None], places, periods)
        assert set(np.flatnonzero((distance < 1.5 * np.sqrt(3)).any(axis=0))) <= set(listed)
        assert np.unique(listed).size == listed.size


def test_the_search_compares_few_observations_however_many_there_are():
    """Those that a tile is compared with are those in reach of the box around it, and not all."""
    for side in (64, 256):
        positions = plane(side, side)
        space = opened(encoded("gaspari_cohn", 1.0, positions, np.full(2, float(side))))
        near, first, _ = observations_near_tiles(space, np.arange(side**2))
        assert near.size < 5 * side**2
        assert np.diff(first).max() < 500


def test_sites_of_one_tile_are_near_each_other():
    order, nodes = tree_of(plane(64, 64))
    boxes = nodes[nodes[:, 2] > 0]
    assert len(boxes) == 43
    assert (boxes[:, 7:] - boxes[:, 5:7]).max() <= 16
    assert np.unique(order).size == 64**2
