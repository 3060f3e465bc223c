"""Cubic interpolation of the observations in time and space together.

Clough & Tocher's piecewise cubic on the triangles between observations, in the plane of model steps and sites, as in
the first step of Brajard et al. (2020), J. Comput. Sci. 44, 101171; here the sites go round the ring. It passes through
the observations, errors and all, and overshoots between them: a baseline that is worse than straight lines in time.
Cost: n times log(times); times are worked on in blocks, so memory does not grow with their number.
"""

import numpy as np
from scipy.interpolate import CloughTocher2DInterpolator
from scipy.spatial import QhullError

BLOCK, MARGIN = 1000, 20  # times worked on at once, and those on either side of them that are used too
REACH = 12  # sites repeated beyond both ends of the ring


def cubic(clock: np.ndarray, value: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Interpolate the observations.

    Parameters
    ----------
    clock : ndarray (time,)
        Times in model steps, rising.
    value : ndarray (time, site)
        Observations; NaN where there is none.
    mean : ndarray (site,)
        What is put where the observations do not surround a point, as before the first of them.

    Returns
    -------
    ndarray (time, site)
    """
    result = np.empty_like(value)
    for first in range(0, clock.size, BLOCK):
        wide = slice(max(first - MARGIN, 0), first + BLOCK + MARGIN)
        here = slice(first, first + BLOCK)
        result[here] = surface(clock[wide], value[wide], clock[here], mean)
    return result


def surface(clock: np.ndarray, value: np.ndarray, wanted: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The interpolating surface of some times at the steps ``wanted``, (wanted, site)."""
    n = mean.size
    reach = min(REACH, n)
    around = np.arange(-reach, n + reach)
    ring = value[:, around % n]
    time, column = np.nonzero(~np.isnan(ring))
    points = np.stack([clock[time], around[column]], axis=1).astype(float)
    steps, sites = np.meshgrid(wanted, np.arange(n), indexing="ij")
    try:
        found = CloughTocher2DInterpolator(points, ring[time, column])(steps, sites)
    except (QhullError, ValueError):  # too few observations for a triangle
        found = np.full(steps.shape, np.nan)
    return np.where(np.isnan(found), mean, found)
