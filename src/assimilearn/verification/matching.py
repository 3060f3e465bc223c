"""Which truth or observation belongs to which time, and which sites are observed then."""

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.periods import FLAGS, TEST

TOLERANCE = 1e-4  # MTU: far above the rounding of stored times, far below any time step


def indices_at(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Index into rising ``times (time,)`` of every entry of ``wanted (...)``, or -1 where no time is near enough."""
    times, wanted = np.asarray(times, dtype=float), np.asarray(wanted, dtype=float)
    right = np.clip(np.searchsorted(times, wanted), 1 if times.size > 1 else 0, times.size - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(times[left] - wanted) <= np.abs(times[right] - wanted), left, right)
    return np.where(np.abs(times[nearest] - wanted) <= TOLERANCE, nearest, -1)


def at_times(dataset: xr.Dataset, wanted: np.ndarray, name: str) -> xr.Dataset:
    """``dataset`` at the times ``wanted (time,)``.

    Raises
    ------
    FileError
        If ``dataset``, called ``name`` in the message, has no entry at one of the times.
    """
    index = indices_at(dataset["time"].values, wanted)
    if (index < 0).any():
        first = wanted[np.argmax(index < 0)]
        raise FileError(f"the {name} has no entry at time {first:g} MTU ({(index < 0).sum()} of {index.size} missing)")
    return dataset.isel(time=index)


def test_period(analysis: xr.Dataset) -> np.ndarray:
    """Which analysis times are of the test period, bool (time,).

    Raises
    ------
    FileError
        If there are none, or the coordinate ``period`` is missing.
    """
    if "period" not in analysis.coords:
        raise FileError(f"the analysis lacks the coordinate period ({', '.join(FLAGS)})")
    test = analysis["period"].values == TEST
    if not test.any():
        raise FileError("the test period is empty: give it a length under `periods`")
    return test


def observed_sites(observations: xr.Dataset, size: int) -> np.ndarray:
    """Which of ``size`` sites are observed at each time, bool (time, site).

    Raises
    ------
    FileError
        If an observation is of a site that the state does not have.
    """
    times, columns = np.nonzero(observations["valid"].values)
    sites = observations["site_index"].values[times, columns]
    if sites.size and (sites.min() < 0 or sites.max() >= size):
        raise FileError(f"the observations reach site {sites.max()}, but the state has {size} sites")
    observed = np.zeros((observations.sizes["time"], size), dtype=bool)
    observed[times, sites] = True
    return observed


def root_mean_square(values: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Root mean square over the last axis of the entries in ``where``; NaN where there are none or one is NaN."""
    return np.sqrt(mean_over(values**2, where))


def mean_over(values: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Mean over the last axis of the entries in ``where``; NaN where there are none or one is NaN."""
    where = np.ones(values.shape, dtype=bool) if where is None else where
    count = where.sum(axis=-1)
    total = np.where(where, values, 0.0).sum(axis=-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
