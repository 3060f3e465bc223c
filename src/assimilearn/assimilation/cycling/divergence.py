"""When a run is lost: no state any more, a forecast that is worse than none, or one that is far surer than right.

A filter may lose the truth and still stay on the attractor: every value is finite, and the error is that of two
independent states, 1.4 times that of climatology. Or it holds on to a trajectory of its own, with an error below that
of climatology but many times its spread, and gives the observations no weight. Both are seen in the innovations d,
without a truth: their mean square is the error variance of the forecast plus that of the observations. So over a window
of times, with sums over all observations,

    error = sum(d^2 - r),    claimed = sum(S - r),    climatological = sum(d_c^2 - r)

r and S the variances of the observations and of the innovations that the method expects, d_c the innovations of
climatology. A window is lost if sum(d^2) exceeds 1.1^2 sum(d_c^2), which climatology does not reach by chance; or if
the error is more than 3 times what is claimed (9 in variance) and more than 0.3 times that of climatology, so that an
assumed observation error that is too small does not count. A run is lost if more than half of its windows are.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from assimilearn.assimilation.cycling.biases import with_biases
from assimilearn.assimilation.cycling.record import FAR, Record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings

WINDOW, SHORTEST = 100, 10  # analysis times; a run of less than 400 is cut into four, as far as these are not shorter
WORSE = 1.1  # times the climatological root mean square innovation
OVERCONFIDENT = 3.0  # times the spread
WRONG = 0.3  # of the climatological standard deviation: smaller errors may be those of a wrong observation error
MOST = 0.5  # of the windows


def guarded(
    run: Callable[..., Record], problem: Problem, settings: AnalysisSettings, rng: np.random.Generator
) -> Record:
    """The record of a method.

    Numbers may overflow on the way, without a warning: what is not finite is looked for at every time, and ends the
    run. At the first time, which is no forecast, it is looked for here.
    """
    with np.errstate(all="ignore"):
        record = run(with_biases(problem, settings), settings, rng)
    if record.diverged is not None and record.mean.size > 0 and not is_state(record, record.mean[0]):
        give_up(record, 0)
    return record


def is_state(record: Record, mean: np.ndarray) -> bool:
    """Whether ``mean (site,)`` is within the bounds of states."""
    return bool(((record.lowest <= mean) & (mean <= record.highest)).all())


def without_impossible(problem: Problem) -> tuple[Problem, int]:
    """The problem without the values that no state of the climatology explains, and how many these are.

    For methods without memory, in which a single one of them must not end a run, nor stand as an analysis: those more
    than 50 standard deviations from what the climatology expects of the observation.
    """
    far = impossible(problem, slice(None))
    return replace(problem, valid=np.where(far, 0, problem.valid).astype(np.int8)), int(far.sum())


def impossible(problem: Problem, here: slice) -> np.ndarray:
    """Which values of the times ``here`` no state of the climatology explains, (time, observation), bool."""
    expected, sites = problem.expected, problem.sites[here]
    with np.errstate(over="ignore"):
        departure = np.abs(problem.value[here] - expected.mean[sites])
        allowed = FAR * np.sqrt(expected.variance[sites] + problem.variance[here])
    return (problem.valid[here] != 0) & ~(departure <= allowed)


def give_up(record: Record, k: int, reason: str = "") -> None:
    """Mark the run as diverged at time index ``k``, by default with the mean as the reason.

    Nothing of that time stands as a result.
    """
    stage = "analysis" if is_state(record, record.forecast_mean[k]) else "forecast"
    record.diverged = k
    far = f"more than {FAR:g} climatological standard deviations from the climatological mean"
    record.reason = reason or f"the {stage} mean is not finite, or {far}"
    for series in (record.mean, record.spread, record.forecast_mean, record.forecast_spread):
        series[k:] = np.nan
    for series in (record.innovation, record.innovation_std, record.adapted):
        series[k:] = np.nan
    record.used[k:] = 0


def innovation_sums(innovation: np.ndarray, innovation_std: np.ndarray, problem: Problem, here: slice) -> np.ndarray:
    """Sums over the observations of each of the times ``here``, as far as they have an innovation.

    Returns
    -------
    ndarray (4, time)
        Of squared innovations, of those of climatology, of the variances that the method expects of them, and of the
        error variances of the observations.
    """
    seen = (problem.valid[here] != 0) & ~np.isnan(innovation)
    climatological = problem.value[here] - problem.expected.mean[problem.sites[here]]
    with np.errstate(over="ignore", invalid="ignore"):
        roots = (np.where(seen, a, 0.0).astype(float) for a in (innovation, climatological, innovation_std))
        squares = [np.einsum("to,to->t", a, a) for a in roots]
        return np.array([*squares, np.where(seen, problem.variance[here], 0.0).sum(axis=1)])


def lost_windows(record: Record, problem: Problem) -> np.ndarray:
    """Which windows of times but the first, left to spin-up, are lost; (window,), bool."""
    return lost(innovation_sums(record.innovation, record.innovation_std, problem, slice(None)))


def lost(sums: np.ndarray) -> np.ndarray:
    """The same from ``sums (4, time)`` of :func:`innovation_sums`."""
    length = min(WINDOW, max(SHORTEST, sums.shape[1] // 4))
    count = sums.shape[1] // length
    with np.errstate(over="ignore", invalid="ignore"):
        found, climatological, expected, r = sums[:, : count * length].reshape(4, count, length).sum(axis=2)
        worse = found > WORSE**2 * climatological
        error = found - r
        overconfident = (error > OVERCONFIDENT**2 * (expected - r)) & (error > WRONG**2 * (climatological - r))
    return (worse | overconfident)[1:]


def health(windows: np.ndarray) -> dict[str, str | float]:
    """Attributes of a run that has not diverged: ``lost_fraction``, ``status`` "ok" or "lost", and then ``reason``."""
    fraction = float(windows.mean()) if windows.size else 0.0
    if fraction <= MOST:
        return {"lost_fraction": fraction, "status": "ok"}
    reason = (
        f"in {fraction:.0%} of the windows of time the innovations are worse than those of climatology, "
        f"or the error that they tell is more than {OVERCONFIDENT:g} times the spread"
    )
    return {"lost_fraction": fraction, "status": "lost", "reason": reason}


def blame(problem: Problem, k: int) -> str:
    """A word on values of time k that no state of the climatology explains; empty if there are none."""
    count = int(impossible(problem, slice(k, k + 1)).sum())
    if not count:
        return ""
    return f"; {count} of the values of this time are more than {FAR:g} standard deviations from the climatology"


def outcome(record: Record, problem: Problem, windows: np.ndarray) -> dict[str, Any]:
    """Attributes that say how the run went; ``windows`` are those of :func:`lost_windows`."""
    attributes: dict[str, Any] = {
        "time_step": problem.model.time_step,
        "interval": float(np.median(np.diff(problem.times))) if problem.times.size > 1 else float("nan"),
        **health(windows),
    }
    if record.diverged is not None:
        attributes |= {
            "status": "diverged",
            "diverged_at": float(problem.times[record.diverged]),
            "reason": record.reason + blame(problem, record.diverged),
        }
    if record.ignored:
        attributes["ignored_values"] = record.ignored
    return attributes
