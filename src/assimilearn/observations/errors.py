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


ErrorLaw = Annotated[GaussianError | LaplaceError | OutlierError, Field(discriminator="method")]


def unit_errors(law: ErrorLaw, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Independent errors of mean 0, of ``shape (time, observation)``, to be multiplied by ``error_std``.

    The errors of a longer record begin with those of a shorter one.
    """
    match law:
        case GaussianError():
            return rng.standard_normal(shape)
        case LaplaceError():
            return rng.laplace(scale=np.sqrt(0.5), size=shape)  # its variance is 2 scale^2
        case OutlierError():
            normal, choice = rng.spawn(2)
            gross = choice.random(shape) < law.probability
            return normal.standard_normal(shape) * np.where(gross, law.factor, 1.0)
