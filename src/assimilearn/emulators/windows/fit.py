"""Fit a polynomial tendency to windows of observations: strong-constraint variational learning.

All windows share the coefficients; each has a start of its own, which is fitted and eliminated
(:mod:`assimilearn.emulators.windows.kernel`). Gauss-Newton steps of the coefficients are damped after Levenberg (1944)
and Marquardt (1963) where the cost would rise. Windows grow: short ones are nearly linear in the coefficients and find
the neighbourhood, long ones amplify what is wrong with them and settle the digits.

An emulator fitted to pairs of analyses takes the input of each pair as exact. It is not, and its errors dilute every
slope. Here the start of a window is unknown and the observations are the only data. See docs/learning-from-windows.md.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr
from pydantic import Field, field_validator

from assimilearn.emulators.classical.polynomial import PolynomialSettings, table_of
from assimilearn.emulators.windows.data import Batch, Observed, batch_of, observed_of
from assimilearn.emulators.windows.error import excess_cost, model_error
from assimilearn.emulators.windows.kernel import fit_block, forecast_block
from assimilearn.errors import FileError
from assimilearn.periods import TRAIN
from assimilearn.settings import Settings

BLOCK = 16  # windows of one task: the sums do not depend on the number of threads
INNER = (8, 1e-4)  # Gauss-Newton steps of a start; predicted decrease of the cost per observation at which they end
SMALLEST_DAMPING, LARGEST_DAMPING = 1e-3, 1e3
SIGNIFICANT = 3.0  # standard errors by which the innovations must grow for a step not to be taken
SINGULAR = 1e-12
UNKNOWN = float("nan"), float("nan")  # model error and its resolution, until they are measured


class WindowSettings(Settings):
    """Fit of the coefficients to windows of observations."""

    lengths: tuple[int, ...] = Field(
        (6, 10, 16, 24), description="observation times of the windows, rising: one fit after the other"
    )
    early_windows: int = Field(
        400, ge=1, description="windows used with all lengths but the last, which takes them all"
    )
    validation_windows: int = Field(
        100, ge=0, description="windows of the last length, of the validation period, whose forecasts may veto a step"
    )
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
    def _rise(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if not lengths or lengths[0] < 2 or any(b <= a for a, b in pairwise(lengths)):
            raise ValueError("lengths must rise and start from 2 or more")
        return lengths


class Step(NamedTuple):
    """One line of the history of a fit.

    Attributes
    ----------
    length : int
        Observation times of the windows.
    cost : float
        Mean cost per observation; about 1 - n / observations if all is right.
    innovation_cost : float
        Mean square of the innovations of the validation windows, in units of the error variance: starts are fitted to
        the first half of each, the second half is forecast. NaN without validation windows.
    used, rejected : int
        Windows in the fit, and windows left out because they do not fit.
    damping : float
    """

    length: int
    cost: float
    innovation_cost: float
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
        Posterior covariance of the coefficients: the inverse Gauss-Newton matrix, times the cost per degree of freedom
        where that is above 1.
    history : list of Step
        The state at the beginning of each length and after each step that was taken.
    length : int
        Window length of the coefficients.
    residual_std, residual_resolution : float
        Model error of one interval, see :func:`assimilearn.emulators.windows.error.model_error`.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    history: list[Step]
    length: int
    residual_std: float
    residual_resolution: float


class Evaluation(NamedTuple):
    """Windows fitted with given coefficients: starts (window, site), costs and numbers of observations (window,)."""

    starts: np.ndarray
    cost: np.ndarray
    number: np.ndarray
    matrix: np.ndarray
    right: np.ndarray

    def score(self, limit: float) -> float:
        """Cost of all windows, each no more than ``limit`` an observation."""
        return float(np.minimum(self.cost, limit * self.number).sum())


@dataclass(frozen=True)
class Fitter:
    """What stays the same during a fit.

    Attributes
    ----------
    observed, polynomial, settings
        As of :func:`fit_windows`.
    std : float
        Background standard deviation of the starts.
    held_out : Batch
        Validation windows of the last length.
    worst : float
        Cost per observation of the climatological mean: no innovation counts more.
    pool : ThreadPoolExecutor
    """

    observed: Observed
    polynomial: PolynomialSettings
    settings: WindowSettings
    std: float
    held_out: Batch
    worst: float
    pool: ThreadPoolExecutor

    def evaluate(
        self, batch: Batch, starts: np.ndarray, coefficients: np.ndarray, lengths: tuple[int, ...], limit: float
    ) -> Evaluation:
        """Fit the starts of all windows, from ``starts (window, site)``, with successively longer ``lengths``."""
        M, count = coefficients.size, batch.starts.size
        x, cost, number = starts.copy(), np.empty(count), np.empty(count)
        blocks = math.ceil(count / BLOCK)
        matrices, rights = np.zeros((blocks, M, M)), np.zeros((blocks, M))
        fixed = tuple(self.observed), self.model(coefficients)

        def fit_one(b: int) -> None:
            part = slice(b * BLOCK, (b + 1) * BLOCK)
            background = batch.background[part], self.std
            sums = cost[part], number[part], matrices[b], rights[b]
            fit_block(batch.starts[part], np.array(lengths), x[part], *fixed, background, INNER, limit, *sums)

        list(self.pool.map(fit_one, range(blocks)))
        return Evaluation(x, cost, number, matrices.sum(axis=0), rights.sum(axis=0))

    def innovation_cost(self, coefficients: np.ndarray) -> np.ndarray:
        """Mean square innovation, over the error variance, of every validation window, (window,).

        The start is fitted to the first half of the window; the innovations are those of the second half.
        """
        total = self.settings.lengths[-1]
        half = total // 2
        lengths = np.array([*(length for length in self.settings.lengths if length < half), half])
        batch, count = self.held_out, self.held_out.starts.size
        x, cost, number = batch.background.copy(), np.empty(count), np.empty(count)
        fixed = tuple(self.observed), self.model(coefficients)

        def forecast_one(b: int) -> None:
            part = slice(b * BLOCK, (b + 1) * BLOCK)
            background = batch.background[part], self.std
            forecast_block(
                batch.starts[part], lengths, total, x[part], *fixed, background, INNER, cost[part], number[part]
            )

        list(self.pool.map(forecast_one, range(math.ceil(count / BLOCK))))
        seen = number > 0
        return np.minimum(cost[seen] / number[seen], self.worst)

    def model(self, coefficients: np.ndarray) -> tuple[np.ndarray, int, int]:
        """The model as the kernels take it."""
        return table_of(coefficients, self.polynomial), self.polynomial.radius, self.polynomial.substeps

    def limit(self, evaluation: Evaluation) -> float:
        """Cost per observation above which a window is left out."""
        followed = np.isfinite(evaluation.cost)
        typical = float(np.median(evaluation.cost[followed] / evaluation.number[followed]))
        return self.settings.reject * max(1.0, typical)


def fit_windows(
    observations: xr.Dataset,
    states: np.ndarray,
    coefficients: np.ndarray,
    polynomial: PolynomialSettings,
    settings: WindowSettings,
    rng: np.random.Generator,
    workers: int = 1,
) -> WindowFit:
    """Fit the coefficients to the observations of the training period.

    Parameters
    ----------
    observations : Dataset
        ``value``, ``error_std``, ``site_index``, ``valid`` (time, observation), ``time``, ``period(time)``. Times
        without observations are part of a window like any other.
    states : ndarray (time, site)
        First guesses and weak backgrounds of the starts, at the times of the observations.
    coefficients : ndarray (monomial,)
        First guess, per interval; if windows cost more with it than without any tendency, the fit starts from zero.
    polynomial : PolynomialSettings
    settings : WindowSettings
    rng : numpy.random.Generator
        For the estimate of the model error; the fit itself draws nothing.
    workers : int
        Threads. They do not change the result by a bit.

    Returns
    -------
    WindowFit

    Raises
    ------
    FileError
        If the training period has no window of the first length. Longer ones that it does not have are left out.
    """
    if batch_of(observations, states, "train", settings.lengths[0], None).starts.size == 0:
        raise FileError(
            f"the training period of the observations has no {settings.lengths[0]} successive regular times with an "
            "observation: lengthen it under `periods`, or shorten `lengths`"
        )
    unknown = np.full((coefficients.size,) * 2, np.nan)
    fit = WindowFit(coefficients, unknown, [], 0, *UNKNOWN)
    spread, precision = climate_of(observations)
    with ThreadPoolExecutor(workers) as pool:
        fitter = Fitter(
            observed_of(observations),
            polynomial,
            settings,
            settings.background * spread,
            batch_of(observations, states, "validation", settings.lengths[-1], settings.validation_windows),
            precision * spread**2,
            pool,
        )
        for k, length in enumerate(settings.lengths):
            largest = settings.early_windows if length != settings.lengths[-1] else None
            batch = batch_of(observations, states, "train", length, largest)
            if batch.starts.size == 0:
                break
            fit = fit_length(fitter, batch, fit, settings.lengths[: k + 1])
        return with_model_error(fitter, observations, states, fit, rng)


def climate_of(observations: xr.Dataset) -> tuple[float, float]:
    """Standard deviation (1 if it is zero) and mean inverse error variance of the training period's values."""
    training = observations.isel(time=np.flatnonzero(observations["period"].values == TRAIN))
    valid = training["valid"].values == 1
    values, std = training["value"].values[valid], training["error_std"].values[valid]
    return float(values.std()) or 1.0, float(np.mean(std**-2.0))


def fit_length(fitter: Fitter, batch: Batch, before: WindowFit, lengths: tuple[int, ...]) -> WindowFit:
    """Fit with windows of one length.

    A step that would make the forecasts of the validation windows significantly worse is not taken, and the length is
    done; where it is the first one, the fit stays as it was before. Longer windows get their chance all the same: the
    optimum of short ones is noisy.
    """
    length = lengths[-1:]
    coefficients, now = followed(fitter, batch, before, lengths)
    if not np.isfinite(now.cost).any():
        return before
    limit = fitter.limit(now)
    now = fitter.evaluate(batch, now.starts, coefficients, length, limit)
    check = fitter.innovation_cost(coefficients)
    history, damping, vetoed = [line(length[0], now, check, limit, 0.0)], 0.0, False
    while not vetoed and len(history) <= fitter.settings.iterations and damping <= LARGEST_DAMPING:
        step, promise = newton(now, damping)
        if promise < fitter.settings.tolerance * coefficients.size:
            break
        trial = fitter.evaluate(batch, now.starts, coefficients + step, length, limit)
        if not trial.score(limit) < now.score(limit):
            damping = max(10 * damping, SMALLEST_DAMPING)
            continue
        trial_check = fitter.innovation_cost(coefficients + step)
        vetoed = worse(trial_check, check)
        if not vetoed:
            coefficients, now, check = coefficients + step, trial, trial_check
            history.append(line(length[0], now, check, limit, damping))
            damping = 0.0 if damping <= SMALLEST_DAMPING else damping / 10
            limit = fitter.limit(now)
    fit = WindowFit(coefficients, posterior(now, limit), [*before.history, *history], length[0], *UNKNOWN)
    unchanged = vetoed and len(history) == 1 and before.length > 0
    return before._replace(history=fit.history) if unchanged else fit


def followed(
    fitter: Fitter, batch: Batch, before: WindowFit, lengths: tuple[int, ...]
) -> tuple[np.ndarray, Evaluation]:
    """The windows fitted with the coefficients so far; with no tendency at all if a first guess is worse than that."""
    coefficients = before.coefficients
    given = fitter.evaluate(batch, batch.background, coefficients, lengths, np.inf)
    if before.length:
        return coefficients, given
    none = fitter.evaluate(batch, batch.background, np.zeros_like(coefficients), lengths, np.inf)
    limit = fitter.limit(none)
    return (coefficients, given) if given.score(limit) <= none.score(limit) else (np.zeros_like(coefficients), none)


def newton(evaluation: Evaluation, damping: float) -> tuple[np.ndarray, float]:
    """Damped step of the coefficients, scaled by the diagonal, and the decrease of the cost that it promises."""
    scale = np.sqrt(np.diag(evaluation.matrix))
    scale[~(scale > 0)] = 1.0
    scaled = evaluation.matrix / np.outer(scale, scale) + damping * np.eye(scale.size)
    step = np.linalg.lstsq(scaled, evaluation.right / scale, rcond=SINGULAR)[0] / scale
    return step, float(step @ evaluation.right)


def worse(cost: np.ndarray, before: np.ndarray) -> bool:
    """Whether the mean over validation windows rose by more than its standard error allows; window by window."""
    if cost.size < 2:
        return False
    difference = cost - before
    return bool(difference.mean() > SIGNIFICANT * difference.std(ddof=1) / np.sqrt(cost.size))


def line(length: int, now: Evaluation, check: np.ndarray, limit: float, damping: float) -> Step:
    """A line of the history."""
    rejected = int(np.count_nonzero(~(now.cost < limit * now.number)))
    innovation_cost = float(check.mean()) if check.size else float("nan")
    cost = now.score(limit) / float(now.number.sum())
    return Step(length, cost, innovation_cost, now.cost.size - rejected, rejected, damping)


def posterior(now: Evaluation, limit: float) -> np.ndarray:
    """Covariance (monomial, monomial) of the coefficients."""
    used = now.cost < limit * now.number
    freedom = now.number[used].sum() - np.count_nonzero(used) * now.starts.shape[1]
    factor = max(1.0, float(now.cost[used].sum() / freedom)) if freedom > 0 else 1.0
    return factor * np.linalg.pinv(now.matrix, rcond=SINGULAR, hermitian=True)


def with_model_error(
    fitter: Fitter, observations: xr.Dataset, states: np.ndarray, fit: WindowFit, rng: np.random.Generator
) -> WindowFit:
    """The fit with its model error, from training windows (less a degree of freedom a coefficient) and validation."""
    lengths = tuple(length for length in fitter.settings.lengths if length <= fit.length)
    model = fitter.model(fit.coefficients)
    sums = np.array([fit.coefficients.size, -fit.coefficients.size, 0.0])
    for period, largest in ("train", fitter.settings.early_windows), ("validation", fitter.settings.validation_windows):
        batch = batch_of(observations, states, period, fit.length, largest)
        if batch.starts.size:
            fitted = fitter.evaluate(batch, batch.background, fit.coefficients, lengths, np.inf)
            used = fitted.cost < fitter.limit(fitted) * fitted.number
            kept = Batch(batch.starts[used], batch.background[used])
            sums += excess_cost(fitter.observed, kept, fitted.starts[used], fit.length, model, fitter.std, rng)
    residual_std, resolution = model_error(*sums)
    return fit._replace(residual_std=residual_std, residual_resolution=resolution)
