"""Small twin experiments from which a model is learned: Lorenz-96 on a short ring, half of it observed."""

import numpy as np
import xarray as xr

from assimilearn.emulators.classical.polynomial import PolynomialSettings, names
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import spun_up_state
from assimilearn.observations.layout import pack
from assimilearn.periods import Periods, period_flags, with_periods

LORENZ96 = {"1": 8.0, "x[0]": -1.0, "x[-1] x[+1]": 1.0, "x[-2] x[-1]": -1.0}


def lorenz96_coefficients(settings: PolynomialSettings, interval: float = 1.0) -> np.ndarray:
    """Coefficients (monomial,) of Lorenz-96 with F = 8, per ``interval`` (MTU)."""
    return interval * np.array([LORENZ96.get(name, 0.0) for name in names(settings.radius, settings.degree)])


def nature_run(size: int, times: int, rng: np.random.Generator, model_error: float = 0.0) -> np.ndarray:
    """States (time, site) one step of 0.05 MTU apart; noise of std ``model_error`` is added after each step."""
    model = Lorenz96(Lorenz96Settings(size=size))
    states = np.empty((times, size))
    states[0] = spun_up_state(model, 20.0, rng)
    for k in range(1, times):
        states[k] = model.step(states[k - 1]) + model_error * rng.standard_normal(size)
    return states


def observed_twin(
    size: int = 12,
    train: int = 600,
    count: int = 6,
    error_std: float = 0.5,
    seed: int = 0,
    validation: int = 200,
    model_error: float = 0.0,
) -> tuple[np.ndarray, xr.Dataset, xr.Dataset]:
    """Truth (time, site), observations at sites drawn anew each time, and their interpolation in time."""
    rng = np.random.default_rng(seed)
    periods = Periods(spinup=0, train=train, gap=20, validation=validation, test=50)
    flags, times = period_flags(periods), np.arange(periods.total) * 0.05
    truth = nature_run(size, periods.total, rng, model_error)
    sites = np.argsort(rng.random(truth.shape), axis=1)[:, :count]
    values = np.take_along_axis(truth, sites, axis=1) + error_std * rng.standard_normal(sites.shape)
    everywhere = np.ones(sites.shape, dtype=bool)
    observations = pack(times, flags, sites, values, np.full(sites.shape, error_std), everywhere)
    observations = observations.assign_attrs(size=size, time_step=0.05, interval=0.05)
    return truth, observations, analysis_of(interpolated(sites, values, size), times, flags)


def interpolated(sites: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation in time, site by site; (time, site)."""
    result = np.empty((len(sites), size))
    for i in range(size):
        k, o = np.nonzero(sites == i)
        result[:, i] = np.interp(np.arange(len(sites)), k, values[k, o])
    return result


def analysis_of(mean: np.ndarray, times: np.ndarray, flags: np.ndarray) -> xr.Dataset:
    """An analysis artifact with the given ``mean (time, site)`` and no spread."""
    dataset = xr.Dataset(
        {"mean": (("time", "site"), mean), "spread": (("time", "site"), np.full(mean.shape, np.nan))},
        coords={"time": times},
        attrs={"status": "ok", "interval": 0.05, "time_step": 0.05},
    )
    return with_periods(dataset, flags)
