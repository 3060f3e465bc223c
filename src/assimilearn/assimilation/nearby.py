"""The observations around a site of the ring, found at a cost of the sites in reach and not of all observations.

Observations are put in the order of their sites once for every analysis (:func:`by_site`, a counting sort: n + p
operations); those around a site are then a stretch of it, which :func:`nearby` walks.
"""

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def by_site(sites, n):
    """Observations in the order of their sites, and where those of each site begin (site + 1,)."""
    first = np.zeros(n + 1, np.int64)
    for site in sites:
        first[site + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    order, free = np.empty(sites.size, np.int64), first[:n].copy()
    for o in range(sites.size):
        order[free[sites[o]]] = o
        free[sites[o]] += 1
    return order, first


@njit(cache=True, error_model="numpy")
def taper_around(taper, n):
    """The taper at offsets -m ... m, or at every site once if the reach is the whole ring of n."""
    width = min(2 * taper.size - 1, n)
    factor = np.empty(width)
    for k in range(width):
        factor[k] = taper[abs(k - width // 2)]
    return factor


@njit(cache=True, error_model="numpy")
def nearby(site, order, first, factor, found, weight):
    """Write the observations in reach of ``site``, along the ring, and their tapers; return how many there are.

    ``order`` and ``first`` are those of :func:`by_site`, ``factor`` that of :func:`taper_around`; ``found`` and
    ``weight`` have room for all observations.
    """
    n, count = first.size - 1, 0
    for k in range(factor.size):
        place = (site - factor.size // 2 + k) % n
        for o in range(first[place], first[place + 1]):
            found[count], weight[count] = order[o], factor[k]
            count += 1
    return count
