"""Laws of the observation error. ``error_std`` is a standard deviation under each of them, never a variance."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from assimilearn.settings import Settings


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


ErrorLaw = Annotated[GaussianError | LaplaceError | OutlierError | CorrelatedError, Field(discriminator="method")]


def unit_errors(law: ErrorLaw, sites: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Errors of mean 0 for ``sites (time, observation)``, in their shape, to be multiplied by ``error_std``.

    They are independent in time, and between the sites of a ring of ``size`` unless the law says otherwise. The errors
    of a longer record begin with those of a shorter one.
    """
    shape = sites.shape
    match law:
        case GaussianError():
            return rng.standard_normal(shape)
        case LaplaceError():
            return rng.laplace(scale=np.sqrt(0.5), size=shape)  # its variance is 2 scale^2
        case OutlierError():
            normal, choice = rng.spawn(2)
            gross = choice.random(shape) < law.probability
            return normal.standard_normal(shape) * np.where(gross, law.factor, 1.0)
        case CorrelatedError():
            return np.take_along_axis(correlated_fields(law.length, len(sites), size, rng), sites, axis=1)


def correlated_fields(length: float, count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Normal fields (field, site) with unit variance and a correlation of exp(-distance / length) on the ring.

    The covariance is circulant, so that its square root is a product in Fourier space.
    """
    distance = np.minimum(np.arange(size), size - np.arange(size))
    power = np.fft.rfft(np.exp(-distance / length)).real
    noise = rng.standard_normal((count, size))
    return np.fft.irfft(np.sqrt(power) * np.fft.rfft(noise, axis=1), size, axis=1)
