"""Valid prediction time: how long a forecast's error stays below a threshold."""

from typing import NamedTuple

import numpy as np


class ValidTime(NamedTuple):
    """Crossing time of each forecast, and whether it was still below the threshold at the last lead."""

    value: np.ndarray
    censored: np.ndarray


def valid_time(error: np.ndarray, leads: np.ndarray, threshold: float) -> ValidTime:
    """First time at which each error is above ``threshold``, linear between leads.

    Parameters
    ----------
    error : ndarray (..., lead)
        NaN from the lead at which a forecast blew up counts as above every threshold; NaN at the first lead (a forecast
        that never began) gives NaN.
    leads : ndarray (lead,)
        Rising; the times of ``error``.
    threshold : float

    Returns
    -------
    ValidTime of arrays (...): the time in the units of ``leads``, which is the last lead where ``censored``, so that
    a mean over such values is a lower bound.
    """
    error = np.asarray(error, dtype=float)
    above = ~(error <= threshold)
    censored = np.asarray(~above.any(axis=-1))
    after = np.where(censored, error.shape[-1] - 1, above.argmax(axis=-1))
    before = np.maximum(after - 1, 0)
    low = np.take_along_axis(error, before[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(error, after[..., None], axis=-1)[..., 0]
    rise = high - low
    fraction = np.divide(threshold - low, rise, out=np.zeros(rise.shape), where=rise > 0)
    value = np.where(censored, leads[-1], leads[before] + fraction * (leads[after] - leads[before]))
    value = np.where(above[..., 0], leads[0], value)
    return ValidTime(np.where(np.isnan(error[..., 0]), np.nan, value), censored)
