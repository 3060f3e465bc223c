"""Reservoirs: echoes die out, the output is a ridge regression, memory stands in for what is not observed."""

import numpy as np
import pytest
from training_sets import analysis_of, lorenz96_analysis

from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.reservoir import ReservoirSettings, driven, reservoir
from assimilearn.emulators.classical.ridge import RidgeSettings
from assimilearn.models.geometry import without_space
from assimilearn.models.integrate import trajectory
from assimilearn.periods import Periods

RNG = np.random.default_rng
PERIODS = Periods(spinup=0, train=1500, gap=20, validation=300, test=10)


def cycled(emulator, states):
    """One-step forecasts of ``states (time, site)``, the hidden state going on from one to the next."""
    n, member = emulator.size, emulator.begin(states[:1])
    forecasts = []
    for state in states:
        member[:, :n] = state
        member = emulator.step(member)
        forecasts.append(member[0, :n])
    return np.array(forecasts)


def test_hidden_states_that_meet_the_same_inputs_become_the_same():
    settings = ReservoirSettings(units=100, spectral_radius=0.8)
    weights, inputs = reservoir(5, settings, RNG(0)), RNG(1).standard_normal((200, 1, 5))
    assert np.abs(np.linalg.eigvals(weights["connections"])).max() == pytest.approx(0.8)
    one, other = RNG(2).uniform(-1, 1, (2, 1, 100))
    for rows in inputs:
        one, other = (driven(hidden, rows, weights, settings) for hidden in (one, other))
    assert np.abs(one - other).max() < 1e-6


def test_the_output_is_a_ridge_regression_on_the_run_along_the_training_period():
    analysis = lorenz96_analysis()
    settings = ReservoirSettings(units=15, radius=1, washout=30, alpha=0.1)
    file = train(analysis, settings, RNG(0))
    w = {str(name).removeprefix("weight_"): file[name].values for name in file}
    states = analysis["mean"].values[:300].astype(float)
    z = (states - w["mean"]) / w["std"]
    rows = np.stack([np.roll(z, 1, axis=1), z, np.roll(z, -1, axis=1)], axis=-1)
    hidden, features = np.zeros((12, 15)), []
    for row in rows[:-1]:
        hidden = driven(hidden, row, w, settings)
        features.append(np.column_stack([hidden, row, np.ones(12)]))
    X = np.concatenate(features[30:])
    y = (np.diff(states, axis=0)[30:] / w["increment_std"]).reshape(-1, 1)
    expected = np.linalg.solve(X.T @ X + 0.1 * np.eye(X.shape[1]), X.T @ y)
    assert w["output"] == pytest.approx(expected, abs=1e-6)


def test_memory_stands_in_for_what_is_not_observed():
    """x of a slowly turning pair (x, y): what comes next depends on where it comes from."""
    angle = 0.15 * np.arange(PERIODS.total)
    x = np.cos(angle)[:, None] + 0.01 * RNG(0).standard_normal((PERIODS.total, 1))
    analysis = analysis_of(x, PERIODS).assign_attrs(without_space("x").attributes)
    emulator = open_emulator(train(analysis, ReservoirSettings(units=50, alpha=1e-2), RNG(0)))
    held_out = x[1520:1820]
    error = np.sqrt(np.mean((cycled(emulator, held_out[:-1]) - held_out[1:])[50:] ** 2))
    without = train(analysis, RidgeSettings(), RNG(0)).attrs["residual_std"]
    assert error < 0.3 * without


def test_reservoirs_in_parallel_learn_lorenz96_and_run_on_a_larger_ring():
    emulator = open_emulator(train(lorenz96_analysis(noise=0.0), ReservoirSettings(units=150), RNG(0)))
    assert emulator.memory == 12 * 150
    held_out = lorenz96_analysis(noise=0.0)["mean"].values[320:420]
    persistence = np.sqrt(np.mean(np.diff(held_out, axis=0) ** 2))
    error = np.sqrt(np.mean((cycled(emulator, held_out[:-1]) - held_out[1:])[10:] ** 2))
    assert error < 0.4 * persistence
    wide = emulator.on_ring(24)
    assert wide.memory == 24 * 150
    twice = np.concatenate([held_out[:5], held_out[:5]], axis=-1)
    once = emulator.step(emulator.begin(held_out[:5]))[:, :12]
    assert wide.step(wide.begin(twice))[:, :24] == pytest.approx(np.concatenate([once, once], axis=-1))
    assert np.isfinite(trajectory(emulator, emulator.begin(held_out[:1]), 50)).all()


def test_a_training_period_within_the_washout_fails_with_the_reason():
    file = train(lorenz96_analysis(), ReservoirSettings(units=10, washout=400), RNG(0))
    assert file.attrs["status"] == "failed" and "washout of 400" in file.attrs["reason"]
