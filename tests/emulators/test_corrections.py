"""Corrections of a physical model: of its forecasts or its tendency, without and with a random part."""

import numpy as np
import pytest
from pydantic import TypeAdapter
from training_sets import analysis_of

from assimilearn.emulators import AnyEmulator, open_emulator, train
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.periods import Periods

RNG = np.random.default_rng
PERIODS = Periods(spinup=0, train=1500, gap=20, validation=1000, test=10)
FORCING = 2.0  # what the physical model lacks


def hybrid(**changes):
    correction = {"method": "ridge", "degree": 1, "radius": 0, "alpha": 0.0}
    settings = {"method": "hybrid", "model": "wrong", "correction": correction, **changes}
    return TypeAdapter(AnyEmulator).validate_python(settings)


@pytest.fixture(scope="module")
def models():
    """A truth with more forcing than the physical model, observed every two steps."""
    return [Lorenz96(Lorenz96Settings(size=8, forcing=f, time_step=0.02)) for f in (8.0, 8.0 - FORCING)]


def analysis(model, errors=None):
    """Every second state of a run, with ``errors (time, site)`` added in each interval."""
    errors = np.zeros((PERIODS.total, 8)) if errors is None else errors
    states = [spun_up_state(model, 10, RNG(0))]
    for error in errors[1:]:
        states.append(trajectory(model, states[-1], 2)[-1] + error)
    return analysis_of(np.array(states), PERIODS, interval=0.04)


def test_a_missing_constant_of_the_tendency_is_found_and_best_as_a_correction_of_the_tendency(models):
    truth, wrong = models
    record = analysis(truth)
    states = record["mean"].values[1600:1700]
    after = trajectory(truth, states, 2)[-1]

    def error(forecast):
        return np.sqrt(np.mean((forecast - after) ** 2))

    corrected = {
        corrects: open_emulator(train(record, hybrid(corrects=corrects), RNG(0), model=wrong))
        for corrects in ("forecast", "tendency")
    }
    uncorrected = error(trajectory(wrong, states, 2)[-1])
    once, in_parts = (error(emulator.step(states)) for emulator in corrected.values())
    assert uncorrected == pytest.approx(FORCING * 0.04, rel=0.1)
    # over an interval the constant acts through the neighbours, which a function of the site alone does not see
    assert in_parts < 0.7 * once < 0.7 * 0.2 * uncorrected


@pytest.mark.parametrize("noise", ["white", "ar1"])
def test_the_random_part_has_the_law_of_what_the_correction_leaves(models, noise):
    truth, wrong = models
    rng, phi, std = RNG(2), 0.8 if noise == "ar1" else 0.0, 0.1
    errors = np.zeros((PERIODS.total, 8))
    for k in range(1, PERIODS.total):
        errors[k] = phi * errors[k - 1] + std * np.sqrt(1 - phi**2) * rng.standard_normal(8)
    file = train(analysis(truth, errors), hybrid(noise=noise), RNG(0), model=wrong)
    assert float(file["weight_noise_std"][0]) == pytest.approx(std, rel=0.1)
    assert float(file["weight_noise_correlation"][0]) == pytest.approx(phi, abs=0.05)

    emulator = open_emulator(file)
    assert (emulator.draws, emulator.memory) == (8, 8 if noise == "ar1" else 0)
    start = np.tile(spun_up_state(truth, 10, RNG(3)), (500, 1))
    rows = emulator.begin(start) if noise == "ar1" else start
    still = emulator.step(rows)
    drawn = RNG(4).standard_normal((500, 8))
    random = emulator.step(rows, drawn)[:, :8] - still[:, :8]
    assert random.std() == pytest.approx(std * np.sqrt(1 - phi**2), rel=0.1)
    if noise == "ar1":
        assert emulator.step(rows, drawn)[:, 8:] == pytest.approx(random)
        states = trajectory(emulator, emulator.begin(start[:1]), 1000, RNG(5))[50:, 0, 8:]
        assert np.mean(states[1:] * states[:-1]) / states.var() == pytest.approx(phi, abs=0.05)


@pytest.mark.slow
def test_a_stochastic_hybrid_assimilates_and_its_members_differ(models):
    from assimilearn.assimilation import METHODS, assimilate
    from assimilearn.models.climate import ClimateSettings, climate
    from assimilearn.models.truth import TruthSettings, simulate
    from assimilearn.observations import ObservationSettings, observe
    from assimilearn.periods import period_flags

    truth, wrong = models
    emulator = open_emulator(train(analysis(truth), hybrid(noise="ar1"), RNG(0), model=wrong))
    flags = period_flags(Periods(spinup=20, train=100, gap=5, validation=50, test=100))
    nature = simulate(truth, TruthSettings(spinup=10), 0.02 * np.arange(flags.size), flags, RNG(1))
    observations = observe(nature, ObservationSettings(network={"method": "all"}, every=2, error_std=0.5), RNG(2))
    reference = climate(truth, ClimateSettings(duration=100, segment=20, lyapunov_duration=1), RNG(3))
    found = assimilate(observations, emulator, METHODS["etkf"](members=16, inflation=1.05), reference, RNG(4))
    test = found["period"].values == 3
    error = found["mean"].values - nature["state"].values[::2]
    assert found.attrs["status"] == "ok" and np.sqrt(np.mean(error[test] ** 2)) < 0.4
