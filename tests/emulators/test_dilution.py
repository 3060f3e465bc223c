"""One-step fits on analyses are biased by the errors of the analyses: closed form of docs/learning-from-windows.md."""

import numpy as np
import pytest
from training_sets import analysis_of

from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.periods import Periods

PERIODS = Periods(spinup=0, train=4000, gap=10, validation=100, test=10)
SITES = 40
MEMORY = 0.9  # of the truth, which has variance 1 and steps by (MEMORY - 1) x on average


def reddened(memory, std, rng):
    """Independent stationary series (time, site) that remember the share ``memory`` of a step."""
    noise = rng.standard_normal((PERIODS.total, SITES))
    series = np.empty_like(noise)
    series[0] = std * noise[0]
    for k in range(1, len(noise)):
        series[k] = memory * series[k - 1] + std * np.sqrt(1 - memory**2) * noise[k]
    return series


@pytest.mark.parametrize(("std", "memory"), [(0.0, 0.0), (0.3, 0.0), (0.3, 0.8), (1.0, 0.8)])
def test_errors_of_the_analysis_flatten_the_slope_and_add_damping(std, memory):
    rng = np.random.default_rng(0)
    analysis = analysis_of(reddened(MEMORY, 1.0, rng) + reddened(memory, std, rng), PERIODS)
    emulator = open_emulator(train(analysis, RidgeSettings(radius=0, degree=1, alpha=0), rng))
    ends = emulator.step(np.stack([np.full(SITES, -1.0), np.full(SITES, 1.0)]))
    slope = (ends[1, 0] - ends[0, 0]) / 2 - 1
    share = 1 / (1 + std**2)
    expected = share * (MEMORY - 1) - (1 - share) * (1 - memory)
    assert slope == pytest.approx(expected, abs=0.004)
