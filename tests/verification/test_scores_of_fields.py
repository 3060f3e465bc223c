"""The chain without space, and with two fields on a plane: climatology, truth, observations, filter, scores."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.emulators import AnyEmulator, train
from assimilearn.errors import FileError, SettingsError
from assimilearn.models import build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.lorenz63 import Lorenz63Settings
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags
from assimilearn.plugins import load
from assimilearn.registry import registry, use
from assimilearn.verification import ForecastSettings, score_analysis, score_forecasts

FLOW = Path(__file__).parents[1] / "plugins" / "ginzburg_landau.py"


def chain(model, every, periods, observing, duration):
    """Climatology, truth and observations."""
    settings = ClimateSettings(duration=duration, segment=duration / 4, lyapunov_duration=1, lyapunov_count=2)
    file = climate(model, settings, np.random.default_rng(0))
    flags = period_flags(periods)
    times = every * model.time_step * np.arange(1, flags.size + 1)
    truth = simulate(model, TruthSettings(spinup=20.0), times, flags, np.random.default_rng(1))
    return file, truth, observe(truth, ObservationSettings(**observing), np.random.default_rng(2))


@pytest.fixture(scope="module")
def lorenz63():
    periods = Periods(spinup=20, train=100, gap=0, validation=20, test=200)
    model, observing = build(Lorenz63Settings()), {"network": {"method": "all"}, "error_std": 2**0.5}
    file, truth, observations = chain(model, 25, periods, observing, 200)
    settings = METHODS["etkf"](members=10, inflation=1.02)
    return file, truth, observations, assimilate(observations, model, settings, file, np.random.default_rng(3))


def test_lorenz63_is_filtered_and_scored_without_space(lorenz63):
    file, truth, observations, analysis = lorenz63
    scores = score_analysis(analysis, observations, truth, np.random.default_rng(0))
    mean = scores["mean"].to_series()
    assert mean["rmse_x"] < 1.0 and mean["rmse_z"] < 1.5  # climatology 7.9 and 8.6
    std = np.atleast_1d(analysis.attrs["field_std"])
    np.testing.assert_allclose(std, file["std"])
    expected = np.sqrt(((analysis["mean"] - truth["state"]) ** 2 / std**2).mean("site"))
    np.testing.assert_allclose(scores["rmse"], expected, rtol=1e-5)
    error = np.sqrt((analysis["mean"][:, 1].astype(float) - truth["state"][:, 1]) ** 2)
    np.testing.assert_allclose(scores["rmse_y"], error, rtol=1e-6)
    assert "divided by their climatological standard deviation" in scores.attrs["convention"]


def test_forecasts_of_fields_are_scored_together_and_one_by_one(lorenz63):
    file, truth, observations, analysis = lorenz63
    settings = ForecastSettings(starts=5, lead=1.0, free_run=60.0, free_runs=2, spinup=5.0)
    scores = score_forecasts(
        build(Lorenz63Settings()), analysis, truth, observations, file, settings, np.random.default_rng(0)
    )
    together = (sum(scores[f"error_{name}"] ** 2 for name in "xyz") / 3) ** 0.5
    np.testing.assert_allclose(scores["error"], together, rtol=1e-10)
    assert abs(float(scores["std_error"])) < 0.1 and float(scores["pdf_distance"]) < 0.2


def test_an_analysis_of_fields_that_does_not_say_their_scale_is_refused(lorenz63):
    _, truth, observations, analysis = lorenz63
    del (without := analysis.copy()).attrs["field_std"]
    with pytest.raises(FileError, match="lacks their climatological standard deviations"):
        score_analysis(without, observations, truth, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("method", "reason"),
    [("polynomial", "learns one function for all sites of a ring"), ("cnn", "convolves along one axis or two")],
)
def test_emulators_that_share_one_function_refuse_sites_that_are_not_alike(lorenz63, method, reason):
    settings = TypeAdapter(AnyEmulator).validate_python({"method": method})
    with pytest.raises(SettingsError, match=f"{method} {reason}"):
        train(lorenz63[3], settings, np.random.default_rng(0))


def test_climatology_of_fields_is_of_each_and_of_all_in_units_of_their_std(lorenz63):
    file = lorenz63[0]
    for name in ("x", "y", "z"):
        width = float(file[f"value_{name}"][1] - file[f"value_{name}"][0])
        assert float(file[f"pdf_{name}"].sum()) * width == pytest.approx(1.0, abs=1e-9)
    assert float(file["power_spectrum"].sum() * file["frequency"][1]) == pytest.approx(1.0, rel=0.1)


def test_by_distance_is_refused_where_sites_are_not_alike():
    settings = ClimateSettings(duration=60, covariance="by_distance")
    with pytest.raises(SettingsError, match="the same at every site"):
        climate(build(Lorenz63Settings()), settings, np.random.default_rng(0))


def test_two_fields_on_a_plane_are_filtered_with_localization():
    before = registry()
    model = build(load([str(FLOW)])["model", "ginzburg-landau"].settings(method="ginzburg-landau"))
    periods = Periods(spinup=10, train=10, gap=0, validation=5, test=25)
    observing = {"network": {"method": "moving_random", "count": 120}, "error_std": 0.1}
    file, truth, observations = chain(model, 2, periods, observing, 40)

    def rmse(settings):
        analysis = assimilate(observations, model, settings, file, np.random.default_rng(3))
        assert {"x", "y", "field"} <= set(analysis.coords)
        scores = score_analysis(analysis, observations, truth, np.random.default_rng(0))["mean"].to_series()
        np.testing.assert_allclose(scores["rmse"], scores["rmse_real"] / file["std"].mean(), rtol=0.2)
        return scores["rmse"]

    local = rmse(METHODS["letkf"](members=12, localization_radius=6.0, inflation=1.05))
    assert local < 0.5 * rmse(METHODS["blue"]())
    use(before)
