"""A small study whose errors are known by construction: truth, observations, analysis and climatology file."""

from functools import cache

import numpy as np
import xarray as xr

from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.periods import Periods, period_flags, with_periods

MODEL = Lorenz96(Lorenz96Settings(size=12))
PERIODS = Periods(spinup=20, train=100, gap=10, validation=20, test=400)
ERROR_STD, ANALYSIS_STD, FORECAST_STD = 1.0, 0.4, 0.6


@cache
def _states():
    start = spun_up_state(MODEL, 20.0, np.random.default_rng(1))
    return trajectory(MODEL, start, 800)


def times():
    return MODEL.time_step * np.arange(PERIODS.total)


def truth():
    """Longer than the analysis, so that forecasts from its end can be verified."""
    states = _states()
    return xr.Dataset(
        {"state": (("time", "site"), states)}, coords={"time": ("time", MODEL.time_step * np.arange(len(states)))}
    )


def observations(rng):
    """Six of twelve sites, redrawn every time; the last column is padding."""
    count, size = PERIODS.total, MODEL.size
    sites = np.sort(rng.permuted(np.tile(np.arange(size), (count, 1)), axis=1)[:, :6], axis=1)
    value = np.take_along_axis(_states()[:count], sites, axis=1) + ERROR_STD * rng.standard_normal(sites.shape)
    padded = {
        "value": np.pad(value, ((0, 0), (0, 1))),
        "error_std": np.full((count, 7), ERROR_STD),
        "site_index": np.pad(sites, ((0, 0), (0, 1))).astype(np.int32),
        "valid": np.pad(np.ones_like(sites), ((0, 0), (0, 1))).astype(np.int8),
    }
    dims = ("time", "observation")
    dataset = xr.Dataset({name: (dims, values) for name, values in padded.items()}, coords={"time": times()})
    return with_periods(dataset, period_flags(PERIODS))


def analysis(observed, rng, members=9):
    """Truth plus independent normal errors of known size; the ensemble is drawn as the truth is."""
    count, size = PERIODS.total, MODEL.size
    xt = _states()[:count]
    mean = xt + ANALYSIS_STD * rng.standard_normal((count, size))
    forecast_mean = xt + FORECAST_STD * rng.standard_normal((count, size))
    at_sites = np.take_along_axis(forecast_mean, observed["site_index"].values, axis=1)
    valid = observed["valid"].values == 1
    fields = {
        "mean": mean,
        "spread": np.full((count, size), ANALYSIS_STD),
        "forecast_mean": forecast_mean,
        "forecast_spread": np.full((count, size), FORECAST_STD),
    }
    variables = {name: (("time", "site"), values.astype(np.float32)) for name, values in fields.items()}
    innovation = np.where(valid, observed["value"].values - at_sites, np.nan)
    variables["innovation"] = (("time", "observation"), innovation)
    std = np.where(valid, np.sqrt(ERROR_STD**2 + FORECAST_STD**2), np.nan)
    variables["innovation_std"] = (("time", "observation"), std)
    for name, centre, scale in (
        ("members", mean, ANALYSIS_STD),
        ("forecast_members", forecast_mean, FORECAST_STD),
    ):
        draws = centre[:, None] + scale * rng.standard_normal((count, members, size))
        variables[name] = (("ensemble_time", "member", "site"), draws[1::2])
    dataset = xr.Dataset(variables, coords={"time": times(), "ensemble_time": times()[1::2]})
    return with_periods(dataset, period_flags(PERIODS)).assign_attrs(method="etkf", model_kind="physical", status="ok")


@cache
def climatology_file():
    settings = ClimateSettings(duration=400, segment=20, lyapunov_duration=60)
    return climate(MODEL, settings, np.random.default_rng(7))
