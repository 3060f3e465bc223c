"""Observations around a site: those that comparing every distance finds, at a cost of the sites in reach."""

import numpy as np
import pytest

from assimilearn.assimilation.nearby import by_site, nearby, taper_around
from assimilearn.assimilation.tapers import ring_taper


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
