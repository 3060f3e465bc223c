"""A short, noisy Lorenz-96 analysis with a test period that must not be seen."""

import numpy as np
import xarray as xr

from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.periods import Periods, period_flags, with_periods

PERIODS = Periods(spinup=10, train=240, gap=10, validation=60, test=80)


def noisy_analysis():
    rng = np.random.default_rng(2)
    model = Lorenz96(Lorenz96Settings(size=10))
    states = trajectory(model, spun_up_state(model, 10, rng), PERIODS.total - 1)
    mean = states + 0.2 * rng.standard_normal(states.shape)
    dataset = xr.Dataset(
        {"mean": (("time", "site"), mean), "spread": (("time", "site"), np.full_like(mean, 0.2))},
        coords={"time": np.arange(PERIODS.total) * 0.05},
        attrs={"interval": 0.05, "status": "ok"},
    )
    return with_periods(dataset, period_flags(PERIODS))
