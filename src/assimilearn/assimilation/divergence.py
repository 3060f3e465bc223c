"""When a run is lost: no state any more, or a forecast that is worse than none."""

import numpy as np

from assimilearn.assimilation.cycle import ABSURD
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record

LOST_WINDOW = 100  # analysis times over which innovations above climatology mean that the filter is lost
LOST_FACTOR = 1.1  # on the climatological rmse: what climatology itself does not reach by chance


def give_up(record: Record, k: int) -> None:
    """Mark the run as diverged at time index ``k``; nothing of that time stands as a result."""
    stage = "analysis" if (np.abs(record.forecast_mean[k]) < ABSURD).all() else "forecast"
    record.diverged = k
    record.reason = f"the {stage} mean is not finite, or beyond {ABSURD:g} in size"
    for series in (record.mean, record.spread, record.forecast_mean, record.forecast_spread):
        series[k:] = np.nan
    for series in (record.innovation, record.innovation_std, record.adapted):
        series[k:] = np.nan
    record.used[k:] = 0


def squared_innovations(innovation: np.ndarray, problem: Problem, here: slice) -> np.ndarray:
    """Sums over the observations of each of the times ``here`` of squared innovations and of those of climatology.

    Returns
    -------
    ndarray (2, time)
    """
    value, sites, valid = problem.value[here], problem.sites[here], problem.valid[here]
    climatological = np.where(valid, value - problem.expected.mean[sites], np.nan)
    return np.nansum(np.stack([innovation.astype(float), climatological]) ** 2, axis=2)


def lost_windows(record: Record, problem: Problem) -> np.ndarray:
    """Where the forecast is worse than none: windows in which its innovations clearly exceed those of climatology.

    A filter may lose the truth and still stay on the attractor: every value is finite, and the error is that of two
    independent states, 1.4 times that of climatology.

    Returns
    -------
    ndarray (window,), bool
        For every window of ``LOST_WINDOW`` times but the first, which is left to spin-up.
    """
    return lost(squared_innovations(record.innovation, problem, slice(None)))


def lost(squares: np.ndarray) -> np.ndarray:
    """The same from ``squares (2, time)`` of :func:`squared_innovations`."""
    count = squares.shape[1] // LOST_WINDOW
    sums = squares[:, : count * LOST_WINDOW].reshape(2, count, LOST_WINDOW).sum(axis=2)
    return (sums[0] > LOST_FACTOR**2 * sums[1])[1:]
