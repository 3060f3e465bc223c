"""Fit a polynomial tendency to windows of observations: strong-constraint variational learning.

All windows share the coefficients; each has a start of its own, which is fitted and eliminated
(:mod:`assimilearn.emulators.window_kernel`). Gauss-Newton steps of the coefficients are damped after Levenberg (1944) and
Marquardt (1963) where the cost would rise. Windows grow: short ones are nearly linear in the coefficients and find the
neighbourhood, long ones amplify what is wrong with them and settle the digits. Cf. Bocquet et al. (2019), Nonlin.
Processes Geophys. 26, 143-162, who minimise one long weak-constraint cost by a quasi-Newton method and an adjoint.

Why windows: an emulator fitted to pairs of analyses takes the input of each pair as exact. Its errors are not; they dilute
every slope, and more so the products. Here the start of a window is unknown and the observations are the only data.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import xarray as xr
from pydantic import Field, field_validator

from assimilearn.emulators.polynomial import PolynomialSettings, table_of
from assimilearn.emulators.window_data import Batch, Observed, batch_of, observed_of
from assimilearn.emulators.window_kernel import fit_block
from assimilearn.errors import FileError
from assimilearn.settings import Settings

BLOCK = 16  # windows of one task: the sums do not depend on the number of threads
INNER = (8, 1e-4)  # Gauss-Newton steps of a start; predicted decrease of the cost per observation at which they end
SHRINKS = 20
LARGEST_DAMPING = 1e3
SIGNIFICANT = 3.0  # standard errors by which a validation score must rise to end the fit


class WindowSettings(Settings):
    """Fit of the coefficients to windows of observations."""

    lengths: tuple[int, ...] = Field(
        (6, 10, 16, 24), description="observation times of the windows, rising: one fit after the other"
    )
    early_windows: int = Field(
        400, ge=1, description="windows used with all lengths but the last, which takes them all"
    )
    validation_windows: int = Field(200, ge=0, description="windows of the validation period that may stop the fit")
    iterations: int = Field(10, ge=1, description="largest number of steps of the coefficients with one length")
    tolerance: float = Field(
        0.01,
        gt=0,
        description="a length is done when a step promises less than this decrease of the cost, a coefficient",
    )
    background: float = Field(
        3.0, gt=0, description="std of the starts about the given states, in standard deviations of the observed values"
    )
    reject: float = Field(
        4.0, gt=1, description="windows that cost more per observation than this times max(1, median) are left out"
    )

    @field_validator("lengths")
    @classmethod
    def _rising(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if not lengths or lengths[0] < 2 or any(b <= a for a, b in zip(lengths, lengths[1:], strict=False)):
            raise ValueError("lengths must rise and start from 2 or more")
        return lengths


class Step(NamedTuple):
    """One line of the history of a fit.

    Attributes
    ----------
    length : int
        Observation times of the windows.
    cost, validation_cost : float
        Mean cost per observation; NaN without validation windows. About 1 - n / observations if all is right.
    used, rejected : int
        Windows in the fit, and windows left out because they do not fit.
    damping : float
    """

    length: int
    cost: float
    validation_cost: float
    used: int
    rejected: int
    damping: float


class WindowFit(NamedTuple):
    """The result of :func:`fit_windows`.

    Attributes
    ----------
    coefficients : ndarray (monomial,)
        Per interval.
    covariance : ndarray (monomial, monomial)
        Posterior covariance of the coefficients (inverse Gauss-Newton matrix, times the cost per degree of freedom where
        that is above 1).
    history : list of Step
        The state at the beginning of each length and after each step that was taken.
    length : int
        Window length of the coefficients.
    failure : str
        Why the coefficients are unusable; empty if they are not.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    history: list[Step]
    length: int
    failure: str


class Evaluation(NamedTuple):
    """Windows fitted with given coefficients: starts (window, site), costs and numbers of observations (window,)."""

    starts: np.ndarray
    cost: np.ndarray
    number: np.ndarray
    matrix: np.ndarray
    right: np.ndarray

    def score(self, limit: float) -> np.ndarray:
        """Cost of every window, no more than ``limit`` an observation; (window,)."""
        return np.minimum(self.cost, limit * self.number)


class Fitter:
    """What stays the same during a fit: observations, settings, threads."""

    def __init__(
        self,
        observed: Observed,
        polynomial: PolynomialSettings,
        settings: WindowSettings,
        std: float,
        pool: ThreadPoolExecutor,
    ):
        self.observed, self.polynomial, self.settings, self.std, self.pool = observed, polynomial, settings, std, pool

    def evaluate(
        self, batch: Batch, starts: np.ndarray, coefficients: np.ndarray, lengths: tuple[int, ...], limit: float
    ) -> Evaluation:
        """Fit the starts of all windows, from ``starts (window, site)``, with successively longer ``lengths``."""
        M, count = coefficients.size, batch.starts.size
        model = (table_of(coefficients, self.polynomial), self.polynomial.radius, self.polynomial.substeps)
        x, cost, number = starts.copy(), np.empty(count), np.empty(count)
        firsts = range(0, count, BLOCK)
        matrices, rights = np.zeros((len(firsts), M, M)), np.zeros((len(firsts), M))

        def fit_one(b: int) -> None:
            part = slice(b * BLOCK, (b + 1) * BLOCK)
            fit_block(
                batch.starts[part],
                np.array(lengths),
                x[part],
                tuple(self.observed),
                model,
                (batch.background[part], self.std),
                INNER,
                limit,
                cost[part],
                number[part],
                matrices[b],
                rights[b],
            )

        list(self.pool.map(fit_one, range(len(firsts))))
        return Evaluation(x, cost, number, matrices.sum(axis=0), rights.sum(axis=0))

    def limit(self, evaluation: Evaluation) -> float:
        """Cost per observation above which a window is left out."""
        return self.settings.reject * max(1.0, float(np.median(evaluation.cost / evaluation.number)))


def fit_windows(
    observations: xr.Dataset,
    states: np.ndarray,
    coefficients: np.ndarray,
    polynomial: PolynomialSettings,
    settings: WindowSettings,
    workers: int = 1,
) -> WindowFit:
    """Fit the coefficients to the observations of the training period.

    Parameters
    ----------
    observations : Dataset
        ``value``, ``error_std``, ``site_index``, ``valid`` (time, observation), ``time``, ``period(time)``. Times without
        observations are part of a window like any other.
    states : ndarray (time, site)
        First guesses and weak backgrounds of the starts, at the times of the observations.
    coefficients : ndarray (monomial,)
        First guess, per interval; shrunk towards no tendency as long as it loses most of the windows.
    polynomial : PolynomialSettings
    settings : WindowSettings
    workers : int
        Threads. They do not change the result by a bit.

    Returns
    -------
    WindowFit

    Raises
    ------
    FileError
        If the training period has no window of the first length. Lengths without a training window are left out.
    """
    observed = observed_of(observations)
    std = settings.background * spread_of(observations)
    fit = WindowFit(coefficients, np.full((coefficients.size,) * 2, np.nan), [], 0, "")
    with ThreadPoolExecutor(workers) as pool:
        fitter = Fitter(observed, polynomial, settings, std, pool)
        for k, length in enumerate(settings.lengths):
            largest = settings.early_windows if length != settings.lengths[-1] else None
            batch = batch_of(observations, states, "train", length, largest)
            if batch.starts.size == 0 and k == 0:
                raise FileError(
                    f"the training period of the observations has no {length} successive regular times: lengthen it "
                    "under `periods`, or shorten `lengths`"
                )
            if batch.starts.size == 0:
                break
            held_out = batch_of(observations, states, "validation", length, settings.validation_windows)
            fit, go_on = fit_length(fitter, batch, held_out, fit, settings.lengths[: k + 1])
            if not go_on:
                break
    return fit


def spread_of(observations: xr.Dataset) -> float:
    """Standard deviation of the valid values of the training period, pooled; 1 if they are all the same."""
    training = observations["period"].values == 1
    values = observations["value"].values[training][observations["valid"].values[training] == 1]
    return float(values.std()) or 1.0


def fit_length(
    fitter: Fitter, batch: Batch, held_out: Batch, before: WindowFit, lengths: tuple[int, ...]
) -> tuple[WindowFit, bool]:
    """Fit with windows of one length; returns the fit and whether longer windows may follow.

    The fit ends for good, with the coefficients before, when the validation windows get significantly worse.
    """
    settings, length = fitter.settings, lengths[-1:]
    coefficients, now = bearable(fitter, batch, before.coefficients, lengths)
    if not np.isfinite(now.cost).any():
        failure = "" if before.length else "no window can be followed, even with next to no tendency"
        return before._replace(failure=failure), False
    limit = fitter.limit(now)
    now = fitter.evaluate(batch, now.starts, coefficients, length, limit)
    check = fitter.evaluate(held_out, held_out.background, coefficients, lengths, limit)
    history = [*before.history, line(length[0], now, check, limit, 0.0)]
    damping, done = 0.0, False
    while not done and len(history) - len(before.history) <= settings.iterations:
        step, promise = newton(now, damping)
        if promise < settings.tolerance * coefficients.size:
            break
        trial = fitter.evaluate(batch, now.starts, coefficients + step, length, limit)
        if not trial.score(limit).sum() < now.score(limit).sum():
            damping = max(10 * damping, 1e-3)
            done = damping > LARGEST_DAMPING
            continue
        trial_check = fitter.evaluate(held_out, check.starts, coefficients + step, length, limit)
        if worse(trial_check.score(limit), check.score(limit)):
            return finished(coefficients, now, history, length[0], limit), False
        coefficients, now, check = coefficients + step, trial, trial_check
        history.append(line(length[0], now, check, limit, damping))
        damping = 0.0 if damping < 1e-3 else damping / 10
        limit = fitter.limit(now)
    return finished(coefficients, now, history, length[0], limit), True


def bearable(
    fitter: Fitter, batch: Batch, coefficients: np.ndarray, lengths: tuple[int, ...]
) -> tuple[np.ndarray, Evaluation]:
    """The coefficients, halved until half of the windows can be followed at all; and the windows fitted with them."""
    for _ in range(SHRINKS):
        evaluation = fitter.evaluate(batch, batch.background, coefficients, lengths, np.inf)
        if np.isfinite(evaluation.cost).mean() >= 0.5:
            break
        coefficients = coefficients / 2
    return coefficients, evaluation


def newton(evaluation: Evaluation, damping: float) -> tuple[np.ndarray, float]:
    """Damped step of the coefficients, scaled by the diagonal, and the decrease of the cost that it promises."""
    scale = np.sqrt(np.diag(evaluation.matrix))
    scale[~(scale > 0)] = 1.0
    scaled = evaluation.matrix / np.outer(scale, scale) + damping * np.eye(scale.size)
    step = np.linalg.lstsq(scaled, evaluation.right / scale, rcond=1e-12)[0] / scale
    return step, float(step @ evaluation.right)


def worse(score: np.ndarray, before: np.ndarray) -> bool:
    """Whether the mean over validation windows rose by more than its standard error allows; window by window."""
    if score.size < 2:
        return False
    difference = score - before
    return bool(difference.mean() > SIGNIFICANT * difference.std(ddof=1) / np.sqrt(score.size))


def line(length: int, now: Evaluation, check: Evaluation, limit: float, damping: float) -> Step:
    """A line of the history."""
    rejected = int(np.count_nonzero(~(now.cost < limit * now.number)))
    return Step(length, mean_cost(now, limit), mean_cost(check, limit), now.cost.size - rejected, rejected, damping)


def mean_cost(evaluation: Evaluation, limit: float) -> float:
    """Cost per observation over all windows; NaN if there are none."""
    return float(evaluation.score(limit).sum() / evaluation.number.sum()) if evaluation.number.size else float("nan")


def finished(coefficients: np.ndarray, now: Evaluation, history: list[Step], length: int, limit: float) -> WindowFit:
    """The fit with its posterior covariance."""
    used = now.cost < limit * now.number
    freedom = now.number[used].sum() - used.sum() * now.starts.shape[1]
    factor = max(1.0, float(now.cost[used].sum() / freedom)) if freedom > 0 else 1.0
    covariance = factor * np.linalg.pinv(now.matrix, rcond=1e-14, hermitian=True)
    return WindowFit(coefficients, covariance, history, length, "")
