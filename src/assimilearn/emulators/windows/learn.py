"""From observations to a model: the whole way of learning a polynomial tendency from sparse and noisy observations.

1. smooth an analysis in time (that of the plain interpolation will do: it needs no model);
2. regress its tendencies on the polynomial: a first guess, biased by the errors of the analysis;
3. fit the coefficients to windows of the observations (:mod:`assimilearn.emulators.windows.fit`).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.emulators.classical.polynomial import PolynomialSettings, names, regress, weights_of
from assimilearn.emulators.classical.stencil import check_radius
from assimilearn.emulators.emulator import LAYOUT, Fitted, as_dataset
from assimilearn.emulators.pairs import check_usable, interval, windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.windows.fit import Step, WindowFit, WindowSettings, fit_windows
from assimilearn.errors import FileError
from assimilearn.models.geometry import geometry_of
from assimilearn.observations.checks import check_observations
from assimilearn.observations.observation_model import observation_model_of

TRIPLES = 2000  # of the first guess: more would not make it less biased


class LearnSettings(EmulatorSettings):
    """A polynomial tendency learned from windows of observations."""

    needs: ClassVar[tuple[str, ...]] = ("analysis", "observations")
    homogeneous: ClassVar[bool] = True
    states_coefficients: ClassVar[bool] = True

    method: Literal["windows"] = "windows"
    polynomial: PolynomialSettings = Field(PolynomialSettings(), description="the family of tendencies")
    windows: WindowSettings = Field(WindowSettings(), description="the fit to windows of observations")
    smoothing: float = Field(
        1.0, ge=0, description="width of the Gaussian that smooths the analysis in time, in intervals; 0 for none"
    )

    def needed_times(self, period: Literal["train", "validation"]) -> int:
        """The first window must fit into the training period; without validation nothing has a veto."""
        return self.windows.lengths[0] if period == "train" else 1

    @property
    def threads(self) -> int:
        """How many threads training can use."""
        return 2


def learn(
    analysis: xr.Dataset,
    observations: xr.Dataset,
    settings: LearnSettings,
    rng: np.random.Generator,
    workers: int = 1,
) -> xr.Dataset:
    """Learn a model from the training period of ``observations``.

    Parameters
    ----------
    analysis : Dataset
        ``mean``, ``spread`` (time, site) and ``period(time)`` at the times of the observations: first guess of
        coefficients and window starts. The interpolation analysis is enough; nothing of it enters the final cost but a
        weak background.
    observations : Dataset
        ``value``, ``error_std``, ``site_index``, ``valid`` (time, observation), ``period(time)``. The training period
        is fitted, the validation period may veto steps and gives ``residual_std``; the test period is not looked at.
    settings : LearnSettings
    rng : numpy.random.Generator
        For the estimate of the model error; the fit itself draws nothing.
    workers : int
        Threads; they do not change the result by a bit.

    Returns
    -------
    Dataset
        An emulator file of the method "polynomial". Besides the weights: ``coefficient``, ``coefficient_std`` and
        ``first_guess`` (monomial), per MTU, with readable names along ``monomial``; ``loss`` and ``validation_loss``
        (epoch), the mean cost per observation of the training windows and of forecasts in the validation period, after
        every step of the coefficients, with ``window_length``, ``windows_used``,
        ``windows_rejected`` and ``damping`` (epoch). ``residual_std`` is the standard deviation of the
        model error of one interval that the costs of windows ask for, ``residual_resolution``
        what could be noticed. ``learn_settings`` (JSON) and
        ``window_length`` (of the final coefficients) are attributes too.

    Raises
    ------
    FileError
        If analysis or observations cannot be used, or have no window in the training period.
    SettingsError
        If the stencil is wider than the ring.
    """
    size = analysis.sizes["site"]
    check_usable(analysis)
    check_observations(observations, size)
    check_same_times(analysis, observations)
    check_sites_observed(observations, size)
    check_radius(settings.polynomial.radius, size)
    smoothed = analysis.assign(mean=(("time", "site"), smooth(analysis, settings.smoothing)))
    first_guess = initial_coefficients(smoothed, settings.polynomial)
    fit = fit_windows(
        observations, smoothed["mean"].values, first_guess, settings.polynomial, settings.windows, rng, workers
    )
    return learned_dataset(fit, first_guess, settings, size, interval(observations))


def check_same_times(analysis: xr.Dataset, observations: xr.Dataset) -> None:
    """Raise FileError unless both have the same times and periods."""
    for name in ("time", "period"):
        if not np.array_equal(analysis[name].values, observations[name].values):
            raise FileError(f"analysis and observations differ in their {name}: take both from one scenario")


def check_sites_observed(observations: xr.Dataset, size: int) -> None:
    """Raise FileError unless values of the sites themselves were observed, with independent errors."""
    geometry = geometry_of({**observations.attrs, "size": size})
    if not observation_model_of(observations, geometry).direct:
        raise FileError("the method windows learns from observations of the state itself, with independent errors")


def smooth(analysis: xr.Dataset, width: float) -> np.ndarray:
    """The analysis mean (time, site), smoothed within each unbroken stretch of one period."""
    from scipy.ndimage import gaussian_filter1d

    mean = analysis["mean"].values.astype(float)
    if width == 0:
        return mean
    for first, last in pairwise(breaks(analysis)):
        mean[first:last] = gaussian_filter1d(mean[first:last], width, axis=0, mode="nearest")
    return mean


def breaks(dataset: xr.Dataset) -> Sequence[int]:
    """Where a new stretch begins: the first time, a change of period or an irregular time, and the end."""
    time, period = dataset["time"].values, dataset["period"].values
    step = interval(dataset)
    broken = (np.diff(period) != 0) | (np.abs(np.diff(time) - step) > 1e-4 * step)
    return [0, *(np.flatnonzero(broken) + 1).tolist(), time.size]


def initial_coefficients(analysis: xr.Dataset, settings: PolynomialSettings) -> np.ndarray:
    """Coefficients (monomial,) per interval from a regression on the analysis of the training period."""
    training = windows(analysis, "train", settings.steps)
    chosen = np.unique(np.linspace(0, len(training.states) - 1, TRIPLES).round().astype(int))
    return regress(training.states[chosen], training.weights[chosen, 0], settings)


def learned_dataset(
    fit: WindowFit, first_guess: np.ndarray, settings: LearnSettings, size: int, step: float
) -> xr.Dataset:
    """The emulator file."""
    polynomial = settings.polynomial
    fitted = Fitted(weights_of(fit.coefficients, polynomial), *history(fit.history))
    attributes = {
        "method": polynomial.method,
        "settings": polynomial.canonical(),
        "learn_settings": settings.canonical(),
        "tuned": "{}",
        "layout": LAYOUT,
        "size": size,
        "time_step": step,
        "residual_std": fit.residual_std,
        "residual_resolution": fit.residual_resolution,
        "window_length": fit.length,
        "status": "ok",
    }
    dataset = as_dataset(fitted, attributes)
    for name, (field, text) in HISTORY.items():
        values = np.array([getattr(line, field) for line in fit.history])
        dataset[name] = ("epoch", values, {"units": "1", "long_name": text})
    columns = {
        "coefficient": (fit.coefficients, "coefficient of the monomial in the tendency"),
        "coefficient_std": (np.sqrt(np.diag(fit.covariance)), "posterior standard deviation of the coefficient"),
        "first_guess": (first_guess, "coefficient from the regression on the analysis"),
    }
    for name, (values, text) in columns.items():
        dataset[name] = ("monomial", values / step, {"units": "MTU-1", "long_name": text})
    label = names(polynomial.radius, polynomial.degree)
    return dataset.assign_coords(monomial=("monomial", label, {"units": "1", "long_name": "monomial"}))


HISTORY = {
    "window_length": ("length", "observation times of a window"),
    "windows_used": ("used", "windows in the fit"),
    "windows_rejected": ("rejected", "windows left out because they do not fit"),
    "damping": ("damping", "Levenberg-Marquardt damping of the step"),
}


def history(lines: Sequence[Step]) -> tuple[np.ndarray, np.ndarray]:
    """Mean costs per observation of training windows and of validation forecasts, (epoch,) each."""
    return np.array([line.cost for line in lines]), np.array([line.innovation_cost for line in lines])
