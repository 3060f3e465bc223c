"""Windows of observations: which there are, and the arrays that the compiled fit reads."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from assimilearn.emulators.pairs import interval, window_starts
from assimilearn.periods import FLAGS


class Observed(NamedTuple):
    """Observations as the kernels read them.

    Attributes
    ----------
    value : ndarray (time, observation)
        Padded; valid entries first.
    weight : ndarray (time, observation)
        Inverse error standard deviations.
    sites : ndarray (time, observation), int64
    counts : ndarray (time,), int64
        Number of valid entries.
    """

    value: np.ndarray
    weight: np.ndarray
    sites: np.ndarray
    counts: np.ndarray


class Batch(NamedTuple):
    """Windows of one length.

    Attributes
    ----------
    starts : ndarray (window,), int64
        Index of the first time of each.
    background : ndarray (window, site)
        Background states at these times.
    """

    starts: np.ndarray
    background: np.ndarray


def observed_of(observations: xr.Dataset) -> Observed:
    """The arrays of an observations Dataset; the padding weighs nothing."""
    valid = observations["valid"].values == 1
    return Observed(
        np.where(valid, observations["value"].values, 0.0),
        np.where(valid, 1 / observations["error_std"].values, 0.0),
        observations["site_index"].values.astype(np.int64),
        valid.sum(axis=1),
    )


def batch_of(observations: xr.Dataset, states: np.ndarray, period: str, length: int, largest: int | None) -> Batch:
    """Windows of ``length`` observation times, side by side, in one period.

    Parameters
    ----------
    observations : Dataset
    states : ndarray (time, site)
        Background at all observation times.
    period : {"train", "validation"}
    length : int
        Observation times of a window, at least 2.
    largest : int, optional
        If there are more windows, so many of them are taken, spread evenly over the period.

    Returns
    -------
    Batch; windows neither overlap nor cross a gap, an irregular time or the end of the period, and see an observation.
    """
    in_period = observations["period"].values == FLAGS[period]
    possible = window_starts(in_period, observations["time"].values, interval(observations), length - 1)
    count = (observations["valid"].values == 1).sum(axis=1)
    starts = [s for s in side_by_side(possible, length) if count[s : s + length].any()]
    chosen = np.array(starts, dtype=np.int64)
    if largest is not None and chosen.size > largest:
        chosen = chosen[np.linspace(0, chosen.size - 1, largest).round().astype(np.int64)]
    return Batch(chosen, np.ascontiguousarray(states[chosen], dtype=float))


def side_by_side(possible: np.ndarray, length: int) -> list[int]:
    """Of the ``possible`` starts (rising), each that is at least ``length`` after the one taken before."""
    taken: list[int] = []
    for start in possible.tolist():
        if not taken or start >= taken[-1] + length:
            taken.append(start)
    return taken
