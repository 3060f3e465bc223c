"""Errors that are correlated between the sites observed at one time, and how they are made independent.

The correlation falls exponentially with the distance d on the ring, exp(-d / length): a covariance on a ring for every
length. With R = S C S, S the diagonal of standard deviations and C = L L^T, the transformed observations T y, T =
S L^-1 S^-1, have independent errors with the same standard deviations S. A filter that meets T y and T h(x) in place of
y and h(x) needs to know no more.
"""

import numpy as np
import xarray as xr

from assimilearn.errors import FileError

ATTRIBUTE = "error_correlation_length"


def correlation(length: float, size: int) -> np.ndarray:
    """Correlation at distances 0, 1, 2 ... of a ring of ``size`` sites."""
    return np.exp(-np.arange(size // 2 + 1) / length)


def correlation_of(observations: xr.Dataset, size: int) -> np.ndarray:
    """The correlation by distance that a file of observations states; empty for independent errors.

    Raises
    ------
    FileError
        If the attribute ``error_correlation_length`` is not a positive number of sites.
    """
    length = observations.attrs.get(ATTRIBUTE)
    if length is None:
        return np.empty(0)
    if not (isinstance(length, int | float | np.number) and np.isfinite(length) and length > 0):
        raise FileError(f"the attribute {ATTRIBUTE} of the observations must be a positive number of sites: {length!r}")
    return correlation(float(length), size)
