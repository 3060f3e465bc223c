"""The neighbourhood of every site on the ring: what a local emulator sees."""

import numpy as np

from assimilearn.errors import SettingsError


def stencil(states: np.ndarray, radius: int) -> np.ndarray:
    """Neighbours of every site.

    Parameters
    ----------
    states : ndarray (..., site)
    radius : int
        Sites to either side, 0 or more.

    Returns
    -------
    ndarray (..., site, 2 radius + 1), from ``site - radius`` to ``site + radius`` on the ring.

    Raises
    ------
    SettingsError
        If the neighbourhood is wider than the ring.
    """
    size = states.shape[-1]
    check_radius(radius, size)
    index = (np.arange(size)[:, None] + np.arange(-radius, radius + 1)) % size
    return states[..., index]


def check_radius(radius: int, size: int) -> None:
    """Raise SettingsError if a stencil of this radius would meet itself on the ring."""
    if 2 * radius + 1 > size:
        raise SettingsError(f"radius: {radius} sites to either side are more than the ring of {size} has")
