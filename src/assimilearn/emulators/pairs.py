"""Training pairs and windows from an analysis: the states, one interval apart, that an emulator learns from.

A window is `lead + 1` successive analyses of one period; a pair is a window of lead 1. Windows never cross from one
period to another, nor a gap or an irregular time. Targets are weighted by 1 / (analysis variance + 0.01) as in Brajard
et al. (2020), J. Comput. Sci. 44, 101171, section 3.2; here the weights are scaled to mean 1.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.periods import FLAGS, GAP, TRAIN, with_periods

VARIANCE_FLOOR = 0.01


@dataclass(frozen=True)
class Windows:
    """Windows of successive analyses.

    Attributes
    ----------
    states : ndarray (window, lead + 1, site), float64
    weights : ndarray (window, lead, site), float64
        Weight of every target in a loss; their mean is 1.
    geometry : Geometry
        Of the states.
    """

    states: np.ndarray
    weights: np.ndarray
    geometry: Geometry

    @property
    def inputs(self) -> np.ndarray:
        """The first state of every window, (window, site)."""
        return self.states[:, 0]

    @property
    def targets(self) -> np.ndarray:
        """The state one interval later, (window, site)."""
        return self.states[:, 1]

    @property
    def lead(self) -> int:
        """Number of successive steps in a window."""
        return self.states.shape[1] - 1


def windows(analysis: xr.Dataset, period: str, lead: int = 1) -> Windows:
    """All windows of ``lead`` steps in one period of an analysis, overlapping, in time order.

    Parameters
    ----------
    analysis : xarray.Dataset
        ``mean`` and ``spread`` (time, site), ``time`` in MTU, ``period(time)``. A spread that is NaN everywhere
        (methods that estimate none) gives equal weights.
    period : {"train", "validation", "test", "gap"}
    lead : int
        Number of successive steps, at least 1.

    Raises
    ------
    FileError
        If the analysis lacks a variable, has diverged, is not finite in this period, or has no window here.
    """
    check_usable(analysis)
    starts = window_starts(
        analysis["period"].values == FLAGS[period], analysis["time"].values, interval(analysis), lead
    )
    if starts.size == 0:
        raise FileError(
            f"the {period} period of the analysis has no {lead + 1} successive analyses one interval apart: "
            "lengthen it under `periods`, or shorten `lead`"
        )
    index = starts[:, None] + np.arange(lead + 1)
    mean = analysis["mean"].values.astype(float)
    check_finite(mean, analysis["time"].values, np.unique(index), "mean")
    geometry = geometry_of({**analysis.attrs, "size": mean.shape[1]})
    return Windows(mean[index], target_weights(analysis, index[:, 1:]), geometry)


def shortened(analysis: xr.Dataset, times: int) -> xr.Dataset:
    """The analysis of which the last ``times`` of the training period are left, the others a gap.

    Raises
    ------
    SettingsError
        If the training period has fewer.
    """
    flags = analysis["period"].values.copy()
    training = np.flatnonzero(flags == TRAIN)
    if times > training.size:
        raise SettingsError(f"training_times: there are {training.size} analyses to learn from, not {times}")
    flags[training[: training.size - times]] = GAP
    return with_periods(analysis, flags)


def window_starts(in_period: np.ndarray, time: np.ndarray, step: float, lead: int) -> np.ndarray:
    """Indices (window,) from which ``lead`` successive regular steps stay inside the period."""
    regular = np.abs(np.diff(time) - step) < 1e-4 * step
    usable = in_period[:-1] & in_period[1:] & regular
    if usable.size < lead:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.lib.stride_tricks.sliding_window_view(usable, lead).all(axis=1))


def target_weights(analysis: xr.Dataset, index: np.ndarray) -> np.ndarray:
    """Weights (window, lead, site) of the analyses at ``index (window, lead)``."""
    spread = analysis["spread"].values
    chosen = np.unique(index)
    if np.isnan(spread[chosen]).all():
        return np.ones((*index.shape, spread.shape[1]))
    check_finite(spread, analysis["time"].values, chosen, "spread")
    weights = 1 / (spread[index].astype(float) ** 2 + VARIANCE_FLOOR)
    return weights / weights.mean()


def interval(analysis: xr.Dataset) -> float:
    """Time between two analyses in MTU: the attribute ``interval``, or the commonest time difference."""
    if "interval" in analysis.attrs:
        return float(analysis.attrs["interval"])
    return float(np.median(np.diff(analysis["time"].values)))


def check_usable(analysis: xr.Dataset) -> None:
    """Raise FileError unless the analysis is whole and did not diverge."""
    missing = [name for name in ("mean", "spread", "time", "period") if name not in analysis.variables]
    if missing:
        raise FileError(f"the analysis lacks {', '.join(missing)}: emulators need mean, spread, time and period")
    if analysis.attrs.get("status") == "diverged":
        when, why = analysis.attrs.get("diverged_at", "?"), analysis.attrs.get("reason", "no reason recorded")
        raise FileError(f"the analysis diverged at {when} MTU ({why}): no emulator can be trained on it; mend it first")


def check_finite(values: np.ndarray, time: np.ndarray, index: np.ndarray, name: str) -> None:
    """Raise FileError if ``values (time, site)`` has NaN or infinity at one of the times ``index``."""
    bad = index[~np.isfinite(values[index]).all(axis=1)]
    if bad.size:
        raise FileError(
            f"the analysis {name} is not finite at {bad.size} of {index.size} times, first at {time[bad[0]]:g} MTU: "
            "an emulator cannot learn from it"
        )
