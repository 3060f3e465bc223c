"""The baseline of linear interpolation in time."""

import numpy as np
import pytest
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.errors import FileError


def with_spectrum(climate, frequency, spectrum):
    return climate.assign(power_spectrum=("frequency", spectrum)).assign_coords(frequency=frequency)


@pytest.fixture
def climate():
    frequency = np.linspace(0, 5, 101)
    return with_spectrum(climatology_file(np.arange(4.0), np.diag([1.0, 4, 9, 16])), frequency, np.exp(-frequency))


def run(observations, climate):
    return assimilate(observations, linear_model(), METHODS["interpolation"](), climate, np.random.default_rng(0))


def test_straight_lines_between_observations_held_at_the_ends(climate):
    observations = observe_states(np.zeros((7, 4)), 0.1, 0.5, np.random.default_rng(0), [3, 2, 1, 0])
    observations["value"][:, 3] = [9, 1, 9, 9, 4, 2, 9]
    observations["valid"][[0, 2, 3, 6], 3] = 0
    analysis = run(observations, climate)
    np.testing.assert_allclose(analysis["mean"][:, 0], [1, 1, 2, 3, 4, 2, 2], atol=1e-6)
    np.testing.assert_allclose(analysis["mean"][:, 1], observations["value"][:, 2], atol=1e-6)
    np.testing.assert_allclose(analysis["spread"][[1, 4, 5], 0], 0.5, rtol=1e-6)
    assert (analysis["spread"][[0, 2, 3, 6], 0] > 0.5).all()


def test_a_site_never_observed_keeps_the_climatology(climate):
    observations = observe_states(np.zeros((5, 4)), 0.1, 0.5, np.random.default_rng(0), [0, 1, 2])
    analysis = run(observations, climate)
    np.testing.assert_allclose(analysis["mean"][:, 3], 3)
    np.testing.assert_allclose(analysis["spread"][:, 3], 4)


def test_spread_tells_the_true_error_on_lorenz96_with_moving_sites():
    from scipy.signal import welch

    model, truth = lorenz96_truth(4000)
    rng = np.random.default_rng(0)
    sites = np.array([np.sort(rng.choice(40, 10, replace=False)) for _ in range(4000)])
    frequency, spectrum = welch(lorenz96_truth(20_000, seed=7)[1], fs=20, nperseg=1000, axis=0)
    climate = with_spectrum(lorenz96_climatology(), frequency, spectrum.mean(axis=1))
    analysis = assimilate(observe_states(truth, 0.05, 1.0, rng, sites), model, METHODS["interpolation"](), climate, rng)
    error = np.sqrt(((analysis["mean"] - truth) ** 2).mean())
    assert np.sqrt((analysis["spread"] ** 2).mean()) == pytest.approx(float(error), rel=0.05)


def test_there_is_no_forecast(climate):
    analysis = run(observe_states(np.zeros((5, 4)), 0.1, 0.5, np.random.default_rng(0)), climate)
    for name in ("forecast_mean", "forecast_spread", "innovation", "innovation_std"):
        assert np.isnan(analysis[name]).all()


def test_a_climatology_file_without_spectrum_is_one_clear_error(climate):
    observations = observe_states(np.zeros((5, 4)), 0.1, 0.5, np.random.default_rng(0))
    with pytest.raises(FileError, match="power_spectrum"):
        run(observations, climate.drop_vars("power_spectrum"))
