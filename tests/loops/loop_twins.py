"""A small twin experiment for loops: Lorenz-96 on 12 sites, half of them observed at each time."""

import numpy as np

from assimilearn.assimilation import assimilate
from assimilearn.assimilation.methods.interpolation import InterpolationSettings
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations.networks import MovingRandom
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags

PERIODS = Periods(spinup=20, train=300, gap=10, validation=100, test=50)


def twin(seed=1, size=12):
    """Observations, the climatology file and the interpolation of the observations."""
    model = Lorenz96(Lorenz96Settings(size=size))
    file = climate(model, ClimateSettings(duration=200, lyapunov_duration=1), np.random.default_rng(99))
    rng = np.random.default_rng(seed)
    times = np.arange(PERIODS.total) * model.time_step
    truth = simulate(model, TruthSettings(), times, period_flags(PERIODS), rng)
    network = MovingRandom(count=size // 2)
    observations = observe(truth, ObservationSettings(network=network, error_std=1.0), rng)
    return observations, file, assimilate(observations, model, InterpolationSettings(), file, rng)
