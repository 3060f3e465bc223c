"""A background on a periodic grid whose covariance depends on the fields and the offset of two sites alone.

With C_fg(o) the covariance of field f at a point and of field g at the offset o from it, B is a convolution, which the
Fourier transform makes a product with one small Hermitian matrix (field, field) for each wave. No matrix of sites is
formed, for any size: a draw costs n log n, and the analysis of the first observations a few times that for each
iteration of a conjugate-gradient solver.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from assimilearn.assimilation.background.climatology import NO_STATES, WithoutMatrix

SOLVED, ITERATIONS = 1e-9, 10_000  # relative residual at which a linear system counts as solved, and when to stop


@dataclass(frozen=True)
class HomogeneousBackground(WithoutMatrix):
    """The background that covariances by offset give.

    Attributes
    ----------
    mean : ndarray (site,)
    at_offset : ndarray (field, field, *grid)
        Covariance of the first field at a point with the second at an offset from it.
    """

    mean: np.ndarray
    at_offset: np.ndarray
    frequency: np.ndarray
    spectrum: np.ndarray
    states: np.ndarray = field(default_factory=lambda: NO_STATES)

    @property
    def shape(self) -> tuple[int, ...]:
        """Points of the grid along each axis."""
        return self.at_offset.shape[2:]

    def between(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of the sites ``one`` with the sites ``other``, (one, other)."""
        return self.paired(one[:, None], other)

    def paired(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of pairs of sites, broadcast against each other."""
        points = int(np.prod(self.shape))
        (f, here), (g, there) = (np.divmod(sites, points) for sites in (one, other))
        pairs = zip(np.unravel_index(here, self.shape), np.unravel_index(there, self.shape), self.shape, strict=True)
        return np.asarray(self.at_offset[(f, g, *((b - a) % count for a, b, count in pairs))])

    @property
    def variance(self) -> np.ndarray:
        """Variance of every site, (site,)."""
        own = np.array([self.at_offset[(f, f, *[0] * len(self.shape))] for f in range(len(self.at_offset))])
        return np.repeat(own, self.mean.size // own.size)

    @cached_property
    def eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues (*waves, field) and eigenvectors (*waves, field, field) of B.

        A short run may give some eigenvalues that are negative: then 0.
        """
        axes = tuple(range(2, self.at_offset.ndim))
        matrices = np.conj(np.fft.rfftn(self.at_offset, axes=axes))
        values, vectors = np.linalg.eigh(np.moveaxis(matrices, (0, 1), (-2, -1)))
        return np.maximum(values, 0.0), vectors

    def filtered(self, rows: np.ndarray, response: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """``rows (row, site)`` times the function ``response`` of B."""
        values, vectors = self.eigen
        fields = rows.reshape(len(rows), len(self.at_offset), *self.shape)
        axes = tuple(range(2, fields.ndim))
        waves = np.moveaxis(np.fft.rfftn(fields, axes=axes), 1, -1)[..., None]
        adjoint = np.conj(np.swapaxes(vectors, -2, -1))
        waves = vectors @ (response(values)[..., None] * (adjoint @ waves))
        found = np.fft.irfftn(np.moveaxis(waves[..., 0], -1, 1), self.shape, axes=axes)
        return np.asarray(found.reshape(rows.shape))

    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        """Independent draws (member, site) from the normal distribution with these moments."""
        return self.mean + self.filtered(rng.standard_normal((members, self.mean.size)), np.sqrt)

    def increments(self, departures: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """B H^T (H B H^T + R)^-1 d for every row, by conjugate gradients on all rows side by side.

        They are preconditioned by H (B + r I)^-1 H^T with r the mean of R: with every site observed alike that is the
        inverse itself, and one iteration is enough.
        """
        if sites.size == 0:
            return np.zeros((len(departures), self.mean.size))
        mean_variance = variance.mean()

        def everywhere(rows: np.ndarray) -> np.ndarray:
            found = np.zeros((len(rows), self.mean.size))
            found[:, sites] = rows
            return found

        def preconditioned(rows: np.ndarray) -> np.ndarray:
            return self.filtered(everywhere(rows), lambda values: 1 / (values + mean_variance))[:, sites]

        solution, residual = np.zeros_like(departures), departures.copy()
        direction = preconditioned(residual)
        decrease = (residual * direction).sum(axis=1)
        enough = SOLVED**2 * decrease
        for _ in range(ITERATIONS):
            if (decrease <= enough).all():
                break
            image = self.filtered(everywhere(direction), np.asarray)[:, sites] + variance * direction
            step = quotient(decrease, (direction * image).sum(axis=1))[:, None]
            solution += step * direction
            residual -= step * image
            next_one = preconditioned(residual)
            before, decrease = decrease, (residual * next_one).sum(axis=1)
            direction = next_one + quotient(decrease, before)[:, None] * direction
        return self.filtered(everywhere(solution), np.asarray)


def around_ring(at_distance: np.ndarray, size: int) -> np.ndarray:
    """The covariances (1, 1, offset) of one field on a ring, from those at distances 0, 1 ... size // 2."""
    k = np.arange(size)
    return np.asarray(at_distance[np.minimum(k, size - k)][None, None])


def quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient of numbers that are not negative; 0 where the divisor is."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
