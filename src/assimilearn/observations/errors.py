"""Distributions of the observation error. ``error_std`` is the standard deviation of each, never a variance."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.settings import Settings

ROUND_OFF = 1e-12  # added to the diagonal of a correlation matrix, which two equal points would make singular


class GaussianError(Settings):
    """Normal errors."""

    method: Literal["gaussian"] = "gaussian"


class LaplaceError(Settings):
    """Double-exponential errors: heavier tails at the same standard deviation."""

    method: Literal["laplace"] = "laplace"


class OutlierError(Settings):
    """Normal errors of which some are gross; ``error_std`` is that of the others."""

    method: Literal["outliers"] = "outliers"
    probability: float = Field(0.01, ge=0, le=1, description="probability that a value is an outlier")
    factor: float = Field(10.0, gt=1, description="standard deviation of an outlier, as a multiple of error_std")


class CorrelatedError(Settings):
    """Normal errors, correlated between the sites of one time by exp(-distance / length)."""

    method: Literal["correlated"] = "correlated"
    length: float = Field(2.0, gt=0, description="distance in sites at which the correlation has fallen to 1/e")


ErrorDistribution = Annotated[
    GaussianError | LaplaceError | OutlierError | CorrelatedError, Field(discriminator="method")
]


class ErrorVariation(Settings):
    """How the standard deviation of the errors differs from site to site, and changes in time.

    It is ``error_std`` times a log-normal factor of the site times a cycle, exp(s g) (1 + a sin(2 pi t / period)), g
    standard normal: heteroscedastic errors, as of instruments of unlike quality, or by day and night.
    """

    by_site: float = Field(
        0.0, ge=0, description="standard deviation s of the logarithm of the factor that each site has for good"
    )
    amplitude: float = Field(0.0, ge=0, lt=1, description="relative amplitude a of the cycle in time")
    period: float = Field(1.0, gt=0, description="of that cycle, in MTU")
    told: bool = Field(
        True, description="whether the file tells the filters of it, or gives all observations the same error_std"
    )


def relative_std(
    variation: ErrorVariation, sites: np.ndarray, times: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Standard deviation of the errors of ``sites (time, observation)`` at ``times (time,)`` over ``error_std``.

    ``size`` is the number of sites that there are.
    """
    factor = np.exp(variation.by_site * rng.standard_normal(size))[sites]
    cycle = 1 + variation.amplitude * np.sin(2 * np.pi * times / variation.period)
    relative: np.ndarray = factor * cycle[:, None]
    return relative


def unit_errors(
    distribution: ErrorDistribution,
    sites: np.ndarray,
    geometry: Geometry,
    rng: np.random.Generator,
    positions: np.ndarray | None = None,
) -> np.ndarray:
    """Errors of mean 0 for ``sites (time, observation)``, in their shape, to be multiplied by ``error_std``.

    They are independent in time, and between places unless the distribution says otherwise. The errors of a longer
    record begin with those of a shorter one. ``positions (time, observation, dimension)`` are those of points between
    sites.
    """
    shape = sites.shape
    match distribution:
        case GaussianError():
            return rng.standard_normal(shape)
        case LaplaceError():
            return rng.laplace(scale=np.sqrt(0.5), size=shape)  # its variance is 2 scale^2
        case OutlierError():
            normal, choice = rng.spawn(2)
            gross = choice.random(shape) < distribution.probability
            return normal.standard_normal(shape) * np.where(gross, distribution.factor, 1.0)
        case CorrelatedError():
            geometry.need_space("the distribution `correlated` of observation errors")
            if geometry.is_ring and positions is None:
                length = distribution.length / (geometry.axes[0].length / geometry.size)
                fields = correlated_fields(length, len(sites), geometry.size, rng)
                return np.take_along_axis(fields, sites, axis=1)
            places = geometry.positions[sites] if positions is None else positions
            return correlated_points(distribution.length, places, geometry, rng)


def correlated_fields(length: float, count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Normal fields (field, site) with unit variance and a correlation of exp(-distance / length) on the ring.

    The covariance is circulant, so that its square root is a product in Fourier space.
    """
    distance = np.minimum(np.arange(size), size - np.arange(size))
    power = np.maximum(np.fft.rfft(np.exp(-distance / length)).real, 0.0)  # round-off below 0 for very long lengths
    noise = rng.standard_normal((count, size))
    return np.fft.irfft(np.sqrt(power) * np.fft.rfft(noise, axis=1), size, axis=1)


def correlated_points(length: float, positions: np.ndarray, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    """Normal numbers (time, point), correlated by exp(-distance / length) between the points of one time.

    By a Cholesky factor for each time, of ``positions (time, point, dimension)``: p^3 / 3 flops.
    """
    noise = rng.standard_normal(positions.shape[:2])
    for row, points in zip(noise, positions, strict=True):
        C = np.exp(-geometry.distance(points[:, None], points[None]) / length)
        try:
            row[:] = np.linalg.cholesky(C + ROUND_OFF * np.eye(len(C))) @ row
        except np.linalg.LinAlgError as error:
            reason = f"a length of {length:g} is too long for this domain: the errors would not have a covariance"
            raise SettingsError(f"observations.distribution: {reason}") from error
    return noise
