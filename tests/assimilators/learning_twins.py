"""A small Lorenz-96 twin with a training, a validation and a test period, made once."""

from functools import cache
from typing import NamedTuple

import numpy as np
import xarray as xr

from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags


class LearningTwin(NamedTuple):
    model: Lorenz96
    climatology: xr.Dataset
    truth: xr.Dataset
    observations: xr.Dataset


@cache
def learning_twin(size: int = 12, count: int = 8, seed: int = 1) -> LearningTwin:
    """``count`` of ``size`` sites observed at every step, in other places each time."""
    rng, model = np.random.default_rng(seed), Lorenz96(Lorenz96Settings(size=size))
    climatology = climate(model, ClimateSettings(duration=100, lyapunov_duration=1), rng)
    flags = period_flags(Periods(spinup=10, train=400, gap=10, validation=200, test=200))
    truth = simulate(model, TruthSettings(), np.arange(flags.size) * model.time_step, flags, rng)
    observing = ObservationSettings(network={"method": "moving_random", "count": count})
    return LearningTwin(model, climatology, truth, observe(truth, observing, rng))


def rmse_of(analysis: xr.Dataset, truth: xr.Dataset) -> float:
    """Of the analysis mean in the test period."""
    chosen = analysis["period"].values == 3
    error = (analysis["mean"].values - truth["state"].values)[chosen]
    return float(np.sqrt((error**2).mean(axis=1)).mean())
