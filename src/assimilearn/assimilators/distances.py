"""Distances between all sites, as tensors of a filter need them."""

import numpy as np

from assimilearn.models.geometry import Geometry


def distances(geometry: Geometry) -> np.ndarray:
    """Distances (site, site), the short way round on periodic axes."""
    positions = geometry.positions
    periods = np.where(np.isfinite(geometry.periods) & (geometry.periods > 0), geometry.periods, np.inf)
    apart = np.abs(positions[:, None] - positions[None])
    return np.sqrt((np.minimum(apart, periods - apart) ** 2).sum(axis=2))
