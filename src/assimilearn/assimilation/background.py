"""The climatology as a background: what is known of the state before any observation."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numba import njit

from assimilearn.errors import FileError, SettingsError
from assimilearn.models.protocol import CompiledStep

ROUND_OFF = 1e-9  # relative size of a variance that changes nothing


@dataclass(frozen=True)
class Background:
    """Climatological moments of a model's free run.

    Attributes
    ----------
    mean : ndarray (site,)
    covariance : ndarray (site, site)
    frequency, spectrum : ndarray (frequency,)
        One-sided power spectral density in time; empty if the model file has none.
    """

    mean: np.ndarray
    covariance: np.ndarray
    frequency: np.ndarray
    spectrum: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """Variance of every site, (site,)."""
        return np.diag(self.covariance).copy()

    def draw(self, members: int, rng: np.random.Generator) -> np.ndarray:
        """Independent draws (member, site) from the normal law with these moments."""
        jitter = ROUND_OFF * self.variance.mean() * np.eye(self.mean.size)  # B of a short run may be singular
        root = np.linalg.cholesky(self.covariance + jitter)
        return self.mean + rng.standard_normal((members, self.mean.size)) @ root.T

    def autocorrelation(self, time_step: float) -> np.ndarray:
        """Autocorrelation in time at lags 0, 1, 2 ... steps of ``time_step`` MTU (lag,).

        The cosine transform of the power spectrum (Wiener-Khinchin), up to half the length that the spectrum resolves.

        Raises
        ------
        FileError
            If there is no spectrum.
        """
        if self.spectrum.size < 2:
            raise FileError("the model file lacks power_spectrum(frequency), which gives the autocorrelation in time")
        spectrum = np.nan_to_num(self.spectrum)
        lag = np.arange(0, 0.5 / (self.frequency[1] - self.frequency[0]), time_step)
        covariance = np.trapezoid(spectrum * np.cos(2 * np.pi * np.outer(lag, self.frequency)), self.frequency)
        return covariance / covariance[0]


def read_background(model_file: xr.Dataset, size: int) -> Background:
    """The background that a model file holds.

    Raises
    ------
    FileError
        If ``mean`` or ``covariance`` is missing or not finite.
    SettingsError
        If its number of sites is not ``size``, that of the forecast model.
    """
    for name in ("mean", "covariance"):
        if name not in model_file:
            raise FileError(f"the model file lacks the variable {name}: it must be the climatology of a model")
        if not np.isfinite(model_file[name].values).all():
            raise FileError(f"{name} of the model file is not finite everywhere")
    mean = model_file["mean"].values.astype(float)
    if mean.size != size:
        raise SettingsError(f"the model file has {mean.size} sites, the forecast model {size}: they must agree")
    covariance = np.ascontiguousarray(model_file["covariance"].values, dtype=float)
    none = np.empty(0)
    if "power_spectrum" not in model_file:
        return Background(mean, covariance, none, none)
    return Background(mean, covariance, model_file["frequency"].values, model_file["power_spectrum"].values)


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
