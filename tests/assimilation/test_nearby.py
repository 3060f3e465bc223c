"""Observations around a site: those that comparing every distance finds, at a cost of the sites in reach."""

import numpy as np
import pytest

from assimilearn.assimilation.letks import letks_update
from assimilearn.assimilation.lpf import lpf_update
from assimilearn.assimilation.nearby import by_site, most_at_a_site, nearby, taper_around
from assimilearn.assimilation.tapers import ring_taper

NO_NOISE = np.empty(0)


def network(n, p, seed=0):
    """Sites of p observations on a ring of n, in no order; some sites are seen twice, others never."""
    return np.random.default_rng(seed).integers(0, n, p)


def found_by(site, sites, taper, n):
    """{observation: taper} by :func:`nearby`; each may come once only."""
    found, weight = np.empty(sites.size, np.int64), np.empty(sites.size)
    count = nearby(site, *by_site(sites, n), taper_around(taper, n), found, weight)
    assert np.unique(found[:count]).size == count
    return dict(zip(found[:count].tolist(), weight[:count].tolist(), strict=True))


def found_by_distance(site, sites, taper, n):
    """The same, by the distance of each observation."""
    distance = np.minimum(abs(sites - site), n - abs(sites - site))
    return {o: taper[d] for o, d in enumerate(distance.tolist()) if d < taper.size}


@pytest.mark.parametrize("n", [1, 2, 9, 10])
@pytest.mark.parametrize("reach", [0, 1, 3, 4, 5, 9])
def test_the_walk_finds_what_comparing_every_distance_finds(n, reach):
    """Also where the reach is longer than half the ring."""
    sites, taper = network(n, 14), np.linspace(1.0, 0.1, reach + 1)
    for site in range(n):
        assert found_by(site, sites, taper, n) == found_by_distance(site, sites, taper, n)


def test_without_observations_nothing_is_found():
    assert found_by(3, np.empty(0, np.int64), np.ones(2), 8) == {}


def test_the_most_that_one_site_has_is_counted():
    assert most_at_a_site(by_site(np.array([4, 1, 4, 4]), 6)[1]) == 3
    assert most_at_a_site(by_site(np.empty(0, np.int64), 6)[1]) == 1


class Counted(np.ndarray):
    """An array that counts how often it is read."""

    reads = 0

    def __getitem__(self, key):
        Counted.reads += 1
        return super().__getitem__(key)


def test_the_walk_reads_the_sites_in_reach_alone_however_long_the_ring():
    reads, taper = [], ring_taper("gaspari_cohn", 3.0, 400)
    for n in (400, 10_000):
        order, first = by_site(np.arange(n), n)
        Counted.reads = 0
        nearby.py_func(
            17, order.view(Counted), first.view(Counted), taper_around(taper, n), np.empty(n, np.int64), np.empty(n)
        )
        reads.append(Counted.reads)
    assert reads == [3 * (2 * taper.size - 1)] * 2  # where those of a site begin and end, and the one it has


def ensemble(n, p, N=8):
    """Members, what they observe, observations, variances and sites."""
    rng, sites = np.random.default_rng(1), network(n, p)
    E = rng.standard_normal((N, n))
    return E, E[:, sites].copy(), rng.standard_normal(p), rng.uniform(0.5, 2.0, p), sites


@pytest.mark.parametrize("radius", [0.5, 2.0, 50.0])
def test_every_site_is_analysed_as_by_the_observations_that_a_search_of_all_finds(radius):
    """The local filter and smoother, given site by site only what the search finds, with the taper in the variance."""
    n, p = 12, 15
    E, Y, y, variance, sites = ensemble(n, p)
    taper = ring_taper("gaspari_cohn", radius, n)
    moved, smoothed = E.copy(), np.hstack([E, 2 * E])
    lpf_update(moved, Y, y, variance, sites, np.concatenate([[0.2], taper]), NO_NOISE)
    letks_update(smoothed, Y.copy(), y, variance, sites, taper, n)
    for site in range(n):
        near = found_by_distance(site, sites, taper, n)
        o, tapered = list(near), variance[list(near)] / list(near.values())
        one, past = E[:, [site]].copy(), np.stack([E[:, site], 2 * E[:, site]], axis=1)
        here = np.zeros(len(o), np.int64)
        lpf_update(one, Y[:, o].copy(), y[o], tapered, here, np.array([0.2, 1.0]), NO_NOISE)
        letks_update(past, Y[:, o].copy(), y[o], tapered, here, np.ones(1), 1)
        np.testing.assert_allclose(moved[:, site], one[:, 0], atol=1e-12)
        np.testing.assert_allclose(smoothed[:, [site, n + site]], past, atol=1e-12)
