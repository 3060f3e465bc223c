"""A background whose covariance is that of states of a free run, localized: no matrix of all sites is formed.

With anomalies A (state, site) of K states and the taper C of Gaspari & Cohn (1999),

    B = C o A^T A / (K - 1),

which has more rank than A. Only covariances of observed sites with the sites in their reach are ever computed, tile
after tile of near sites. Evensen (2003), Ocean Dyn. 53, 343-367, section 5; Oke, Allen, Miller, Egbert & Kosro (2002),
J. Geophys. Res. 107, 3098.
Cost of an analysis: K m n flops for m observations in reach of a site, and p^3 / 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from assimilearn.assimilation.background.climatology import WithoutMatrix
from assimilearn.assimilation.local.taper_functions import gaspari_cohn
from assimilearn.assimilation.local.tiles import BEGIN, BOX, END, TILE, tree_of
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry

SITES = 256  # of a tile
PAIRS = 10_000  # whose covariances are formed at once


@dataclass(frozen=True)
class StaticEnsemble(WithoutMatrix):
    """The background that a sample of states gives.

    Attributes
    ----------
    mean : ndarray (site,)
    states : ndarray (state, site)
    geometry : Geometry
    localization_radius : float
        Standard deviation of the Gaussian that the taper follows, in the units of the positions.
    """

    mean: np.ndarray
    states: np.ndarray
    geometry: Geometry
    localization_radius: float
    frequency: np.ndarray
    spectrum: np.ndarray

    @cached_property
    def anomalies(self) -> np.ndarray:
        """Anomalies over the root of K - 1, (site, state), float32: their products are covariances."""
        A = self.states - self.states.mean(axis=0, dtype=float)
        return np.ascontiguousarray((A / np.sqrt(len(A) - 1)).T, dtype=np.float32)

    @cached_property
    def _variance(self) -> np.ndarray:
        return np.einsum("ik,ik->i", self.anomalies, self.anomalies, dtype=float)

    @property
    def variance(self) -> np.ndarray:
        """Variance of every site, (site,)."""
        return self._variance

    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        """Different states of the sample, (member, site).

        Raises
        ------
        SettingsError
            If there are fewer.
        """
        if members > len(self.states):
            raise SettingsError(
                f"an ensemble of {members} cannot be drawn from the {len(self.states)} states of the climatology: "
                "raise `climate.states`"
            )
        return self.states[rng.choice(len(self.states), members, replace=False)].astype(float)

    def between(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Localized covariances of the sites ``one`` with the sites ``other``."""
        found = (self.anomalies[one] @ self.anomalies[other].T).astype(float)
        positions = self.geometry.positions
        localize(found, positions[one], positions[other], self.geometry.periods, self.half_width)
        return found

    def paired(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Localized covariances of pairs of sites, (pair,)."""
        found = np.empty(one.size)
        for first in range(0, one.size, PAIRS):
            here = slice(first, first + PAIRS)
            found[here] = np.einsum("ik,ik->i", self.anomalies[one[here]], self.anomalies[other[here]])
        return found * gaspari_cohn(self.geometry.between(one, other), self.localization_radius)

    @property
    def half_width(self) -> float:
        """c of the taper, which is 0 from 2 c on."""
        return float(self.localization_radius * np.sqrt(10 / 3))

    @cached_property
    def tiles(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Sites of every tile, and the lowest and highest coordinates among them."""
        order, nodes = tree_of(self.geometry.inside(self.geometry.positions), SITES)
        axes = self.geometry.positions.shape[1]
        leaves = nodes[nodes[:, TILE] > 0]
        return [
            (order[int(leaf[BEGIN]) : int(leaf[END])], leaf[BOX : BOX + axes], leaf[BOX + axes :]) for leaf in leaves
        ]

    def blocks(self, sites: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Tiles, and the observations in their reach."""
        places, periods = self.geometry.inside(self.geometry.positions[sites]), self.geometry.periods
        for here, low, high in self.tiles:
            gap = np.maximum(np.maximum(low - places, places - high), 0.0)
            around = [np.maximum(np.maximum(low - p, p - high), 0.0) for p in (places - periods, places + periods)]
            gap = np.where(periods > 0, np.minimum(gap, np.minimum(*around)), gap)
            near = np.flatnonzero((gap**2).sum(axis=1) < (2 * self.half_width) ** 2)
            if near.size > 0:
                yield here, near


@njit(cache=True, error_model="numpy")
def localize(found, one, other, periods, c):
    """Multiply covariances (row, column) by the taper of the distance of positions (row, axis) and (column, axis)."""
    for i in range(found.shape[0]):
        for j in range(found.shape[1]):
            square = 0.0
            for axis in range(periods.size):
                gap = abs(one[i, axis] - other[j, axis])
                if periods[axis] > 0:
                    gap = gap % periods[axis]
                    gap = min(gap, periods[axis] - gap)
                square += gap * gap
            z = np.sqrt(square) / c
            if z >= 2:
                found[i, j] = 0.0
            elif z > 1:
                found[i, j] *= 4 - 2 / (3 * z) + z * (-5 + z * (5 / 3 + z * (5 / 8 + z * (-1 / 2 + z / 12))))
            else:
                found[i, j] *= 1 + z * z * (-5 / 3 + z * (5 / 8 + z * (1 / 2 - z / 4)))
