"""A background whose sites are independent: the normal distribution with a mean and one variance for each site."""

from dataclasses import dataclass, field

import numpy as np

from assimilearn.assimilation.background.climatology import NO_STATES, WithoutMatrix


@dataclass(frozen=True)
class IndependentBackground(WithoutMatrix):
    """A background of diagonal covariance; it has no spectrum and no states.

    Attributes
    ----------
    mean, variances : ndarray (site,)
    """

    mean: np.ndarray
    variances: np.ndarray
    frequency: np.ndarray = field(default_factory=lambda: np.empty(0))
    spectrum: np.ndarray = field(default_factory=lambda: np.empty(0))
    states: np.ndarray = field(default_factory=lambda: NO_STATES)

    @property
    def variance(self) -> np.ndarray:
        """Variance of every site, (site,)."""
        return self.variances

    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        """Independent draws (member, site)."""
        return self.mean + np.sqrt(self.variances) * rng.standard_normal((members, self.mean.size))

    def between(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of the sites ``one`` with the sites ``other``, (one, other)."""
        return np.where(one[:, None] == other, self.variances[other], 0.0)

    def paired(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of pairs of sites, (pair,)."""
        return np.where(one == other, self.variances[one], 0.0)

    def analysis(
        self, departures: np.ndarray, variance: np.ndarray, sites: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Increments and analysis variance, site by site: precisions add up, 1/b + sum of 1/r."""
        precision = np.bincount(sites, 1 / variance, self.mean.size)
        after = self.variances / (1 + self.variances * precision)
        sums = [np.bincount(sites, row / variance, self.mean.size) for row in departures]
        return np.reshape(sums, (-1, self.mean.size)) * after, after
