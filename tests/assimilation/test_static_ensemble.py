"""A background from states of a free run: what it says as a matrix, and the methods that use it without one."""

import numpy as np
import pytest
import xarray as xr
from twins import observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.background.climatology import read_background
from assimilearn.assimilation.local.taper_functions import gaspari_cohn
from assimilearn.errors import SettingsError
from assimilearn.models import build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.double_gyre import DoubleGyreSettings
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.observations.networks import MovingRandom
from assimilearn.observations.observe import ObservationSettings, observe

RNG = np.random.default_rng
MODEL = build(DoubleGyreSettings(points=17, F=100.0, r=1e-3, RKH2=1e-8, time_step=0.625))


@pytest.fixture(scope="module")
def file() -> xr.Dataset:
    settings = ClimateSettings(
        duration=4000,
        spinup=2000,
        segment=500,
        covariance="states",
        states=60,
        localization_radius=3,
        lyapunov_duration=5,
        lyapunov_count=1,
    )
    return climate(MODEL, settings, RNG(0))


@pytest.fixture(scope="module")
def observations() -> xr.Dataset:
    states = trajectory(MODEL, spun_up_state(MODEL, 3000, RNG(1)), 320)[::8]
    sites = np.stack([np.arange(25) * 289 // 25 + k for k in RNG(2).integers(11, size=len(states))])
    seen = observe_states(states, 8 * MODEL.time_step, 0.3, RNG(3), sites)
    return seen.assign_attrs(time_step=MODEL.time_step, size=MODEL.size, **MODEL.geometry.attributes)


def matrix(file, radius=3.0):
    states = file["states"].values.astype(float)
    one = MODEL.geometry.positions
    return np.cov(states.T) * gaspari_cohn(MODEL.geometry.distance(one[:, None], one[None]), radius)


def test_the_file_holds_states_and_moments_and_nothing_of_every_pair_of_sites(file):
    assert file["states"].dims == ("state", "site") and file.sizes["state"] == 60
    assert "covariance" not in file and "other_site" not in file.sizes
    np.testing.assert_allclose(file["std"], file["states"].std("state"), rtol=0.3, atol=0.3)
    assert float(file["std"].max()) > 0.5


def test_its_covariance_is_that_of_the_states_times_the_taper(file):
    background = read_background(file, MODEL.size)
    np.testing.assert_allclose(background.covariance, matrix(file), atol=1e-5 * background.variance.max())


def test_its_analysis_is_that_of_the_matrix(file):
    B, background = matrix(file), read_background(file, MODEL.size)
    sites, variance = np.array([20, 21, 100, 288, 250]), RNG(0).uniform(0.1, 1, 5)
    departures = RNG(1).standard_normal((3, 5))
    S = B[np.ix_(sites, sites)] + np.diag(variance)
    increments, after = background.analysis(departures, variance, sites)
    scale = np.sqrt(background.variance.max())
    np.testing.assert_allclose(increments, np.linalg.solve(S, departures.T).T @ B[sites], atol=1e-5 * scale)
    expected = np.diag(B) - (B[sites] * np.linalg.solve(S, B[sites])).sum(axis=0)
    np.testing.assert_allclose(after, expected, atol=1e-5 * scale**2)


def test_members_are_drawn_from_the_states(file):
    background = read_background(file, MODEL.size)
    drawn = background.draw(20, RNG(0))
    known = {tuple(row) for row in file["states"].values.astype(float)}
    assert len({tuple(row) for row in drawn} & known) == 20
    with pytest.raises(SettingsError, match=r"raise `climate\.states`"):
        background.draw(61, RNG(0))


def test_enoi_with_the_climatological_scale_and_blue_agree_where_the_forecast_is_the_mean(file, observations):
    """Their first analyses are the same, and 3D-Var with the same states is EnOI."""
    runs = {
        name: assimilate(observations, MODEL, METHODS[name](**settings), file, RNG(0))
        for name, settings in {
            "enoi": {"localization_radius": 3, "background_scale": 0.1},
            "3dvar": {"background_scale": 0.1},
            "blue": {},
        }.items()
    }
    for name in ("mean", "spread"):
        np.testing.assert_array_equal(runs["enoi"][name], runs["3dvar"][name])
        np.testing.assert_array_equal(runs["enoi"][name][0], runs["blue"][name][0])
    assert runs["enoi"].attrs["status"] == "ok"


def test_enoi_beats_blue_and_the_letkf_beats_both(file, observations):
    truth = trajectory(MODEL, spun_up_state(MODEL, 3000, RNG(1)), 320)[::8]

    def rmse(name, **settings):
        analysis = assimilate(observations, MODEL, METHODS[name](**settings), file, RNG(0))
        return float(np.sqrt(((analysis["mean"].values - truth) ** 2).mean(axis=1))[10:].mean())

    local = {"localization_radius": 3}
    scores = [rmse("letkf", members=20, inflation=1.04, **local), rmse("enoi", **local), rmse("blue")]
    assert scores[0] < scores[1] < scores[2] < truth[10:].std(), scores


def test_enoi_says_what_it_needs_of_a_climatology_without_states(observations):
    file = climate(MODEL, ClimateSettings(duration=60, spinup=0, lyapunov_duration=2, lyapunov_count=1), RNG(0))
    with pytest.raises(SettingsError, match=r"set `climate\.states`"):
        assimilate(observations, MODEL, METHODS["enoi"](), file, RNG(0))


def test_observations_between_sites_start_an_ensemble_without_a_matrix_too(file):
    """First analyses with the states as background, and with the same covariance as a matrix, have the same mean."""
    states = trajectory(MODEL, spun_up_state(MODEL, 3000, RNG(1)), 8)[::8]
    truth = xr.Dataset(
        {"state": (("time", "site"), states), "period": ("time", np.zeros(2, np.int8))},
        {"time": MODEL.time_step * np.array([0.0, 8.0])},
        {"size": MODEL.size, "time_step": MODEL.time_step, **MODEL.geometry.attributes},
    )
    network = MovingRandom(count=25, places="anywhere")
    seen = observe(truth, ObservationSettings(every=8, network=network, error_std=0.3), RNG(3))
    as_matrix = file.drop_vars("states").assign(covariance=(("site", "other_site"), matrix(file)))
    settings = METHODS["letkf"](members=20, localization_radius=3)
    one, other = (assimilate(seen, MODEL, settings, f, RNG(0))["mean"].values[0] for f in (file, as_matrix))
    np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(other).max())
