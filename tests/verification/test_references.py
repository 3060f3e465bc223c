"""Verification without a truth: at values that nothing saw, against the references of the field, in rows and tables."""

import numpy as np
import pytest
import xarray as xr

from assimilearn.models.geometry import stations
from assimilearn.observations.layout import pack
from assimilearn.periods import Periods, period_flags
from assimilearn.verification import ForecastSettings, score_analysis, score_forecasts
from assimilearn.verification.scorecards import forecast_rows, scorecard
from assimilearn.verification.table import scores as table_of_scores

MEMORY, SIZE, NOISE = 0.9, 3, 0.3
PERIODS = Periods(spinup=0, train=3000, gap=10, validation=10, test=3000)
GEOMETRY = stations({"t": "K"}, list("abc"))


class Damped:
    """The best forecast of red noise: every state decays to the mean."""

    size, time_step, compiled = SIZE, 1.0, None

    def step(self, states):
        return MEMORY * states


def file(sites, values, there):
    flags = period_flags(PERIODS)
    packed = pack(np.arange(flags.size), flags, sites, values, np.full(values.shape, NOISE), there)
    return packed.assign_attrs(size=SIZE, time_step=1.0, interval=1.0, **GEOMETRY.attributes)


@pytest.fixture(scope="module")
def red():
    """Red noise of variance 1, perfect analyses of it, and noisy values: those of station c are withheld."""
    rng = np.random.default_rng(0)
    count = PERIODS.total
    states = np.zeros((count, SIZE))
    for k in range(1, count):
        states[k] = MEMORY * states[k - 1] + np.sqrt(1 - MEMORY**2) * rng.standard_normal(SIZE)
    values = states + NOISE * rng.standard_normal(states.shape)
    sites = np.broadcast_to(np.arange(SIZE), values.shape)
    test = (period_flags(PERIODS) == 3)[:, None]
    gone = (sites == 2) & test
    observations, withheld = file(sites, values, ~gone), file(sites, values, gone)
    dims = ("time", "site")
    analysis = xr.Dataset(
        {"mean": (dims, states), "spread": (dims, np.full(states.shape, 1e-6))},
        {name: observations[name] for name in ("time", "period")},
        {"interval": 1.0, "status": "ok", **GEOMETRY.attributes},
    )
    climatology = xr.Dataset({"mean": ("site", np.zeros(SIZE)), "std": ("site", np.ones(SIZE))})
    return observations, withheld, analysis, climatology.assign_attrs(size=SIZE, **GEOMETRY.attributes)


@pytest.fixture(scope="module")
def forecasts(red):
    observations, withheld, analysis, climatology = red
    settings = ForecastSettings(starts=2000, lead=10, free_run=0)
    return score_forecasts(
        Damped(), analysis, None, observations, climatology, settings, np.random.default_rng(1), withheld
    )


def test_errors_of_red_noise_are_those_of_the_theory(forecasts):
    rho = MEMORY ** forecasts["lead"].values
    expected = {
        "model": 1 - rho**2,
        "damped_persistence": 1 - rho**2,
        "persistence": 2 * (1 - rho),
        "climatology": np.ones(11),
    }
    for name, mse in expected.items():
        found = forecasts["verified_rmse"].sel(forecaster=name).values ** 2
        np.testing.assert_allclose(found, mse + NOISE**2, rtol=0.15, atol=0.01)
    assert forecasts.attrs["verified_against"] == "withheld values"
    assert (forecasts["verified_values"].values == forecasts.sizes["start"]).all()  # of station c alone


def test_the_best_forecast_has_no_skill_over_damped_persistence_and_skill_over_the_others(forecasts):
    skill, uncertainty = forecasts["skill"], forecasts["skill_uncertainty"]
    over = {name: skill.sel(reference=name).values[1:] for name in ("persistence", "damped_persistence", "climatology")}
    assert (
        np.abs(over["damped_persistence"]) < 4 * uncertainty.sel(reference="damped_persistence").values[1:] + 0.01
    ).all()
    assert (over["persistence"][3:] > 0.03).all() and (over["climatology"] > 0.05).all()


def test_a_value_that_an_analysis_did_not_see_is_as_far_as_its_error(red):
    observations, withheld, analysis, _ = red
    scores = score_analysis(analysis, observations, None, np.random.default_rng(0), withheld)
    mean = {name: float(scores["mean"].sel(score=name)) for name in scores["score"].values}
    assert mean["withheld_chi_square"] == pytest.approx(1.0, abs=0.1)
    assert mean["withheld_spread"] == pytest.approx(NOISE, rel=1e-3)
    assert mean["withheld_rmse"] == pytest.approx(NOISE * np.sqrt(2 / np.pi), rel=0.05)  # mean of |one value|


def test_rows_and_tables_tell_the_skill_by_lead(red, forecasts):
    observations, withheld, analysis, _ = red
    rows = forecast_rows("base/damped", forecasts)
    assert {"base/damped/verified_rmse_at_1", "base/damped/skill_over_persistence_at_10"} <= {row.name for row in rows}
    scores = score_analysis(analysis, observations, None, np.random.default_rng(0), withheld)
    text = table_of_scores(scorecard({"base": {"perfect": scores}}, {"base": {"damped": forecasts}}, {}))
    head, _, line = text.splitlines()[:3]
    assert head == "| analysis | rmse at withheld values | predicted | CRPS | rms innovation |"
    assert line.startswith("| perfect | 0.2")
    assert text.count("| damped |") == 5 and "| 10 MTU |" in text
