"""Values far outside of what can be: sentinels that a file does not declare, wrong units, gross errors.

The climatology of a model, or without one the middle half of the record itself, says what can be.
"""

import logging

import numpy as np
import xarray as xr

LOG = logging.getLogger(__name__)
IMPOSSIBLE, STRANGE = 20.0, 8.0
"""Standard deviations (of climate and observation error together) from which values are refused, and told of."""
QUARTILES_TO_STD = 1.349  # width of the middle half of a normal distribution, in standard deviations


def far_values(
    value: np.ndarray,
    times: np.ndarray,
    error_std: np.ndarray | float,
    climate: xr.Dataset | None,
    sites: np.ndarray,
    what: str,
) -> list[str]:
    """Problems with values that no state of the model has; what is merely strange is logged.

    Parameters
    ----------
    value : ndarray (time, entry)
        NaN where there is none.
    times : ndarray (time,)
        In MTU.
    error_std : ndarray (time, entry) or float
    climate : Dataset or None
        Climatology file with ``mean`` and ``std`` (site,).
    sites : ndarray (time, entry), or what is broadcast to it
        Sites of the values, where there are any.
    what : how the values are called in the message
    """
    there = np.isfinite(value)
    if not there.any():
        return []
    with np.errstate(invalid="ignore", over="ignore"):
        middle, width = _of_record(value) if climate is None else _of_climate(climate, np.where(there, sites, 0))
        departure = np.abs(value - middle) / np.hypot(width, np.where(there, error_std, 1.0))
    impossible = there & (departure > IMPOSSIBLE)
    if impossible.any():
        advice = "if it stands for a missing value, declare it (`_FillValue` or `missing_value`) or write NaN"
        return [f"{_told(value, times, impossible, what, IMPOSSIBLE, climate)}: {advice}"]
    strange = there & (departure > STRANGE)
    if strange.any():
        LOG.warning("%s", _told(value, times, strange, what, STRANGE, climate))
    return []


def _of_climate(climate: xr.Dataset, sites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the climatology at ``sites``; hardly any site varies less than a tenth of all."""
    mean, std = climate["mean"].values, climate["std"].values
    at = sites.astype(np.int64)
    return mean[at], np.maximum(std, 0.1 * np.sqrt(np.mean(std**2)))[at]


def _of_record(value: np.ndarray) -> tuple[float, float]:
    """Median, and the width of the middle half as a standard deviation."""
    kept = value[np.isfinite(value)]
    for repeated in _repeated(kept):
        kept = kept[kept != repeated] if (kept != repeated).any() else kept
    low, middle, high = np.percentile(kept, [25, 50, 75])
    return float(middle), float(high - low) / QUARTILES_TO_STD


def _repeated(values: np.ndarray) -> np.ndarray:
    """Numbers that make up a twentieth of all or more: a sentinel must not set the width that it is held against."""
    numbers, counts = np.unique(values, return_counts=True)
    return numbers[counts >= max(2, values.size / 20)]


def _told(
    value: np.ndarray, times: np.ndarray, where: np.ndarray, what: str, limit: float, climate: xr.Dataset | None
) -> str:
    """How many there are, and the first of them."""
    k, o = np.argwhere(where)[0]
    count = np.count_nonzero(where)
    reference = "the record's own middle" if climate is None else "the climatology"
    many = f"{count} value{'s lie' if count > 1 else ' lies'}"
    return (
        f"{many} more than {limit:g} standard deviations from {reference}, first {what} {value[k, o]:g} at "
        f"{times[k]:g} MTU"
    )
