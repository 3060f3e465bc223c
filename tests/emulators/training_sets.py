"""Analyses made for tests: a short Lorenz-96 run or any states, with periods, spread and noise as asked."""

import numpy as np
import xarray as xr

from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.periods import Periods, period_flags, with_periods

PERIODS = Periods(spinup=0, train=300, gap=20, validation=100, test=100)


def analysis_of(states, periods=PERIODS, spread=None, interval=0.05):
    """An analysis Dataset around given states (time, site)."""
    spread = np.full_like(states, np.nan) if spread is None else spread
    dataset = xr.Dataset(
        {"mean": (("time", "site"), states), "spread": (("time", "site"), spread)},
        coords={"time": np.arange(len(states)) * interval},
        attrs={"interval": interval, "status": "ok"},
    )
    return with_periods(dataset, period_flags(periods))


def lorenz96_analysis(noise=0.1, size=12, periods=PERIODS, seed=1):
    """A Lorenz-96 run with noise; the spread says how much."""
    rng = np.random.default_rng(seed)
    model = Lorenz96(Lorenz96Settings(size=size))
    states = trajectory(model, spun_up_state(model, 10, rng), periods.total - 1)
    noisy = states + noise * rng.standard_normal(states.shape)
    return analysis_of(noisy, periods, np.full_like(noisy, noise) if noise else None)
