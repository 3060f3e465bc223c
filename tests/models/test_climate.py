"""The climate of a model: identities that hold exactly, densities with known answers, and the way back to the model."""

import json

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError
from scipy.signal import welch

from assimilearn import store
from assimilearn.errors import FileError, SettingsError
from assimilearn.models import Lorenz96, Lorenz96Settings, open_model
from assimilearn.models.climate import ClimateSettings, climate, power_spectrum, statistics, statistics_axes
from assimilearn.models.integrate import spun_up_state, trajectory

MODEL = Lorenz96(Lorenz96Settings())
QUICK = ClimateSettings(duration=1000, spinup=20, lyapunov_duration=5, lyapunov_count=2)


@pytest.fixture(scope="module")
def of_lorenz96() -> xr.Dataset:
    return climate(MODEL, QUICK, np.random.default_rng(0))


def test_the_variance_of_lorenz96_is_mean_times_forcing_minus_mean(of_lorenz96):
    """d/dt sum x^2 / 2 = -sum x^2 + F sum x: on time average <x^2> = F <x>, so var = <x> (F - <x>)."""
    mean = float(of_lorenz96["mean"].mean())
    pooled = float((of_lorenz96["std"] ** 2 + of_lorenz96["mean"] ** 2).mean()) - mean**2
    assert pooled == pytest.approx(mean * (8 - mean), rel=2e-3)


def test_the_climatology_of_lorenz96_is_the_published_one(of_lorenz96):
    assert float(of_lorenz96["mean"].mean()) == pytest.approx(2.34, abs=0.03)
    assert float(of_lorenz96["std"].mean()) == pytest.approx(3.64, abs=0.03)


def test_the_covariance_is_symmetric_and_its_diagonal_is_the_variance(of_lorenz96):
    covariance = of_lorenz96["covariance"].values
    np.testing.assert_array_equal(covariance, covariance.T)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), of_lorenz96["std"])
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_the_density_integrates_to_one(of_lorenz96):
    width = np.diff(of_lorenz96["value"])[0]
    assert float(of_lorenz96["pdf"].sum()) * width == pytest.approx(1.0, abs=1e-12)


def test_the_spectrum_integrates_to_the_variance(of_lorenz96):
    """Parseval; what is slower than a segment is missing, a little."""
    total = float(of_lorenz96["power_spectrum"].sum() * of_lorenz96["frequency"][1])
    assert total == pytest.approx(float((of_lorenz96["std"] ** 2).mean()), rel=0.03)


def test_the_file_has_the_layout_of_the_contract_and_survives_the_disk(of_lorenz96, tmp_path):
    store.write(of_lorenz96, tmp_path / "model.nc")
    back = store.read(tmp_path / "model.nc")
    assert dict(back.sizes) == {"site": 40, "other_site": 40, "value": 100, "frequency": 501, "index": 2}
    assert all({"units", "long_name"} <= set(variable.attrs) for variable in back.variables.values())
    assert json.loads(back.attrs["climate_settings"])["duration"] == 1000
    assert open_model(back) == MODEL


def test_equal_generators_give_equal_files():
    short = ClimateSettings(duration=60, spinup=5, lyapunov_duration=1)
    first, again, other = (climate(MODEL, short, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.identical(again)
    assert not first.equals(other)
    assert first["lyapunov_exponent"].size == 40


def axes(states, time_step=0.05, **settings) -> xr.Dataset:
    return statistics_axes(ClimateSettings(**settings), time_step, states)


def test_the_spectrum_of_a_sine_has_its_power_at_its_frequency():
    times = 0.05 * np.arange(20000)
    states = 3.0 * np.sin(2 * np.pi * 1.5 * times)[:, None]
    found = statistics(states, 0.05, axes(states))["power_spectrum"]
    assert float(found.idxmax()) == 1.5
    assert float(found.sum() * found["frequency"][1]) == pytest.approx(4.5, rel=1e-3)


@pytest.mark.parametrize("samples", [1280, 1281])
def test_the_spectrum_is_that_of_scipy(samples):
    states = np.cumsum(np.random.default_rng(3).standard_normal((10000, 3)), axis=0)
    expected = welch(states, fs=1 / 0.05, nperseg=samples, axis=0)[1].mean(axis=1)
    np.testing.assert_allclose(
        power_spectrum(states, 0.05, np.arange(samples // 2) / (0.05 * samples)), expected[: samples // 2], rtol=1e-9
    )


def test_the_spectrum_of_white_noise_is_flat_at_twice_variance_times_step():
    states = 2.0 * np.random.default_rng(0).standard_normal((40000, 4))
    found = statistics(states, 0.05, axes(states))["power_spectrum"][2:-2]
    assert float(found.mean()) == pytest.approx(2 * 4.0 * 0.05, rel=0.02)


def test_the_density_of_normal_numbers_is_the_normal_density():
    states = np.random.default_rng(0).standard_normal((50000, 4))
    found = statistics(states, 0.05, axes(states, pdf_range=(-4, 4), pdf_bins=40))["pdf"]
    normal = np.exp(-(found["value"] ** 2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(found, normal, atol=0.01)


def test_values_outside_the_axis_are_missing_from_the_density_not_redistributed():
    states = np.linspace(0, 1, 10001)[:, None]
    found = statistics(states, 0.05, axes(states, pdf_range=(0.5, 1.5), pdf_bins=10))["pdf"]
    assert float(found.sum() * 0.1) == pytest.approx(0.5, abs=1e-3)


def test_a_run_with_a_longer_step_meets_the_same_axes(of_lorenz96):
    """An emulator steps by one interval: below its Nyquist frequency the density is the same, beyond it is none."""
    states = trajectory(MODEL, spun_up_state(MODEL, 20.0, np.random.default_rng(5)), 20000)
    fine = statistics(states, 0.05, of_lorenz96)["power_spectrum"]
    coarse = statistics(states[::4], 0.2, of_lorenz96)["power_spectrum"]
    low = (fine["frequency"] > 0.1) & (fine["frequency"] < 1.0)
    np.testing.assert_allclose(coarse[low], fine[low], rtol=0.05)
    assert np.isnan(coarse[coarse["frequency"] > 2.51]).all() and np.isfinite(coarse[fine["frequency"] < 2.49]).all()


def test_a_run_shorter_than_a_segment_is_refused(of_lorenz96):
    with pytest.raises(ValueError, match="a run of 100 states is shorter than one segment of 1000 states"):
        statistics(np.zeros((100, 40)), 0.05, of_lorenz96)


def test_a_diverging_model_has_no_climate():
    wild = Lorenz96(Lorenz96Settings(forcing=500.0, time_step=0.1))
    with np.errstate(all="ignore"), pytest.raises(SettingsError, match="diverged"):
        climate(wild, QUICK, np.random.default_rng(0))


def test_more_exponents_than_sites_are_refused():
    with pytest.raises(SettingsError, match="lyapunov_count 41 exceeds the 40 sites"):
        climate(MODEL, ClimateSettings(lyapunov_count=41), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"duration": 0}, "duration"),
        ({"pdf_range": (3, 2)}, "must rise"),
        ({"duration": 20, "segment": 30}, r"segment \(30 MTU\) is longer than duration \(20 MTU\)"),
        ({"pdf_bins": 1}, "pdf_bins"),
    ],
)
def test_bad_settings_are_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        ClimateSettings(**bad)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "not a file of a physical model: its method is None, known are "),
        ({"method": "cnn", "settings": "{}"}, "its method is 'cnn'"),
        (
            {"method": "lorenz96", "settings": '{"size": 2}'},
            "settings of the lorenz96 model in the file cannot be used",
        ),
        ({"method": "lorenz96"}, "cannot be used"),
    ],
)
def test_a_file_without_a_model_is_one_clear_error(attributes, message):
    with pytest.raises(FileError, match=message):
        open_model(xr.Dataset(attrs=attributes))
