"""The climatology as a background: what is known of the state before any observation."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numba import njit

from assimilearn.errors import FileError, SettingsError
from assimilearn.models.climate import LARGEST_MATRIX
from assimilearn.models.fields import geometry_in
from assimilearn.models.protocol import CompiledStep

ROUND_OFF = 1e-9  # relative size of a variance that changes nothing
BLOCK = 4096  # sites whose covariances with the observations are formed at once
NO_STATES = np.empty((0, 0), dtype=np.float32)


class Background(ABC):
    """Climatological moments of a model's free run.

    Attributes
    ----------
    mean : ndarray (site,)
    covariance : ndarray (site, site)
    frequency, spectrum : ndarray (frequency,)
        One-sided power spectral density in time; empty if the climatology file has none.
    states : ndarray (state, site)
        Of the free run; empty where none are kept.
    """

    is_matrix: ClassVar[bool] = False
    """Whether B is held as a matrix (site, site)."""
    mean: np.ndarray
    covariance: Any
    frequency: np.ndarray
    spectrum: np.ndarray
    states: np.ndarray

    @property
    @abstractmethod
    def variance(self) -> np.ndarray:
        """Variance of every site, (site,)."""

    @abstractmethod
    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        """Independent draws (member, site) from the normal distribution with these moments."""

    @abstractmethod
    def between(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of the sites ``one`` with the sites ``other``, (one, other)."""

    @abstractmethod
    def paired(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of each of the sites ``one`` with that of the sites ``other`` in its place, (pair,)."""

    def of_sums(self, site: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Covariances of the sums over ``site (row, corner)``, by ``weight (row, corner)``, with all sites."""
        everywhere = np.arange(self.mean.size)
        parts = (weight[:, c, None] * self.between(site[:, c], everywhere) for c in range(site.shape[1]))
        return np.asarray(sum(parts, np.zeros((len(site), self.mean.size))))

    def blocks(self, sites: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Parts of all sites, and the numbers of the observations of ``sites`` that are correlated with them."""
        for first in range(0, self.mean.size, BLOCK):
            yield np.arange(first, min(first + BLOCK, self.mean.size)), np.arange(sites.size)

    def analysis(
        self, departures: np.ndarray, variance: np.ndarray, sites: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Increments B H^T (H B H^T + R)^-1 d, and the diagonal of (I - K H) B.

        Parameters
        ----------
        departures : ndarray (row, observation)
            d, one row for each state that is corrected.
        variance, sites : ndarray (observation,)
            They give the diagonal R, and H, which picks sites.

        Returns
        -------
        increments : ndarray (row, site)
        analysis variance : ndarray (site,)

        Raises
        ------
        SettingsError
            If there are so many observations that S = H B H^T + R would take gigabytes.
        """
        increments, after = np.zeros((len(departures), self.mean.size)), self.variance.copy()
        if sites.size == 0:
            return increments, after
        if sites.size > LARGEST_MATRIX:
            raise SettingsError(
                f"this method forms a matrix of the {sites.size} observations of a time; beyond {LARGEST_MATRIX} use "
                "a local filter, such as letkf or eakf"
            )
        root = np.linalg.inv(np.linalg.cholesky(self.between(sites, sites) + np.diag(variance)))  # S^-1 = root^T root
        weights = departures @ root.T @ root
        for here, near in self.blocks(sites):
            HB = self.between(sites[near], here)
            increments[:, here] = weights[:, near] @ HB
            after[here] -= ((root[:, near] @ HB) ** 2).sum(axis=0)
        return increments, np.maximum(after, 0.0)

    def increments(self, departures: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """The increments of :meth:`analysis`."""
        return self.analysis(departures, variance, sites)[0]

    def autocorrelation(self, time_step: float) -> np.ndarray:
        """Autocorrelation in time at lags 0, 1, 2 ... steps of ``time_step`` MTU (lag,).

        The cosine transform of the power spectrum (Wiener-Khinchin), up to half the length that the spectrum resolves.

        Raises
        ------
        FileError
            If there is no spectrum.
        """
        if self.spectrum.size < 2:
            raise FileError(
                "the climatology file lacks power_spectrum(frequency), which gives the autocorrelation in time"
            )
        spectrum = np.nan_to_num(self.spectrum)
        lag = np.arange(0, 0.5 / (self.frequency[1] - self.frequency[0]), time_step)
        covariance = np.trapezoid(spectrum * np.cos(2 * np.pi * np.outer(lag, self.frequency)), self.frequency)
        return covariance / covariance[0]


@dataclass(frozen=True)
class FullBackground(Background):
    """A background with any covariance (site, site)."""

    is_matrix: ClassVar[bool] = True
    mean: np.ndarray
    covariance: np.ndarray
    frequency: np.ndarray
    spectrum: np.ndarray
    states: np.ndarray = field(default_factory=lambda: NO_STATES)

    @property
    def variance(self) -> np.ndarray:
        """Variance of every site, (site,)."""
        return np.diag(self.covariance).copy()

    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        """Independent draws (member, site) from the normal distribution with these moments."""
        jitter = ROUND_OFF * self.variance.mean() * np.eye(self.mean.size)  # B of a short run may be singular
        root = np.linalg.cholesky(self.covariance + jitter)
        return self.mean + rng.standard_normal((members, self.mean.size)) @ root.T

    def between(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of the sites ``one`` with the sites ``other``, (one, other)."""
        return self.covariance[np.ix_(one, other)]

    def paired(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Covariances of pairs of sites, (pair,)."""
        return np.asarray(self.covariance[one, other])

    def increments(self, departures: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """B H^T (H B H^T + R)^-1 d for every row."""
        S = self.covariance[np.ix_(sites, sites)] + np.diag(variance)
        return np.linalg.solve(S, departures.T).T @ self.covariance[sites]


class WithoutMatrix(Background):
    """A background whose covariance is not held as a matrix."""

    @cached_property
    def covariance(self) -> np.ndarray:
        """B, (site, site), for the methods that need it whole.

        Raises
        ------
        SettingsError
            If it would take gigabytes.
        """
        n = self.mean.size
        if n > LARGEST_MATRIX:
            raise SettingsError(
                f"this method forms the covariance of all {n} sites; beyond {LARGEST_MATRIX} sites use one that does "
                "not, such as letkf, eakf or enoi"
            )
        everywhere = np.arange(n)
        return self.between(everywhere, everywhere)


def read_background(climatology_file: xr.Dataset, size: int) -> Background:
    """The background that a climatology file holds.

    Raises
    ------
    FileError
        If ``mean``, or everything of ``covariance``, ``covariance_at``, ``covariance_at_offset`` and ``states``, is
        missing or not finite.
    SettingsError
        If its number of sites is not ``size``, that of the forecast model.
    """
    from assimilearn.assimilation.background.homogeneous import HomogeneousBackground, around_ring  # they stand on this
    from assimilearn.assimilation.background.static_ensemble import StaticEnsemble  # file

    possible = ("covariance_at", "covariance_at_offset", "covariance", "states")
    kinds = [name for name in possible if name in climatology_file] or ["covariance"]
    for name in ("mean", *kinds):
        if name not in climatology_file:
            raise FileError(f"the climatology file lacks the variable {name}: it must be the climatology of a model")
        if not np.isfinite(climatology_file[name].values).all():
            raise FileError(f"{name} of the climatology file is not finite everywhere")
    mean = climatology_file["mean"].values.astype(float)
    if mean.size != size:
        raise SettingsError(f"the climatology file has {mean.size} sites, the forecast model {size}: they must agree")
    spectrum = (np.empty(0), np.empty(0))
    if "power_spectrum" in climatology_file:
        spectrum = climatology_file["frequency"].values, climatology_file["power_spectrum"].values
    states = climatology_file["states"].values if "states" in climatology_file else NO_STATES
    match kinds[0]:
        case "states":
            radius = json.loads(climatology_file.attrs["climate_settings"])["localization_radius"]
            return StaticEnsemble(mean, states, geometry_in(climatology_file), radius, *spectrum)
        case "covariance_at":
            at = around_ring(climatology_file["covariance_at"].values.astype(float), size)
            return HomogeneousBackground(mean, at, *spectrum, states)
        case "covariance_at_offset":
            at = climatology_file["covariance_at_offset"].values.astype(float)
            shape = geometry_in(climatology_file).fields[0].shape
            return HomogeneousBackground(mean, at.reshape(*at.shape[:2], *shape), *spectrum, states)
        case _:
            covariance = np.ascontiguousarray(climatology_file["covariance"].values, dtype=float)
            return FullBackground(mean, covariance, *spectrum, states)


@dataclass(frozen=True)
class ClimatologyModel:
    """The forecast model that knows nothing but the climate: every state becomes its mean.

    Attributes
    ----------
    mean : ndarray (site,)
    time_step : float
        MTU.
    """

    mean: np.ndarray
    time_step: float

    @property
    def size(self) -> int:
        """Number of sites."""
        return self.mean.size

    @property
    def compiled(self) -> CompiledStep:
        """The step for the compiled cycle; the parameters are the mean."""
        return CompiledStep(climatology_step, self.mean)

    def step(self, states: np.ndarray) -> np.ndarray:
        """The mean, in the shape of ``states (..., site)``."""
        return np.broadcast_to(self.mean, states.shape).copy()


@njit(cache=True, error_model="numpy")
def climatology_step(E, parameters):
    """Set every row of E (member, site) to the mean, in place."""
    for j in range(E.shape[0]):
        for i in range(E.shape[1]):
            E[j, i] = parameters[i]
