"""The table of increments says what was computed and names the likely reason."""

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from assimilearn import store
from assimilearn.cli import group
from assimilearn.errors import FileError
from assimilearn.verification.explain import explain, explanation

TIMES = np.array([0.1, 0.2, 0.3])


def case(innovation, spread, increment, error_std=1.0, rejected=None, operator=None):
    """One analysis of as many sites as there are innovations, all observed at 0.2 MTU; forecasts are 2."""
    n = len(innovation)
    innovation, spread = np.array(innovation, float), np.broadcast_to(spread, n).astype(float)
    seen = (lambda z: z**2) if operator else (lambda z: z)
    forecast = np.full((3, n), 2.0)
    analysis = xr.Dataset(
        {
            "mean": (("time", "site"), forecast + np.array([[0.0], [1.0], [0.0]]) * np.array(increment)),
            "forecast_mean": (("time", "site"), forecast),
            "innovation": (("time", "observation"), np.tile(innovation, (3, 1))),
            "innovation_std": (("time", "observation"), np.tile(np.hypot(spread, error_std), (3, 1))),
        },
        {"time": TIMES},
    )
    if rejected is not None:
        analysis["rejected"] = (("time", "observation"), np.tile(np.array(rejected, np.int8), (3, 1)))
    observations = xr.Dataset(
        {
            "value": (("time", "observation"), seen(forecast) + innovation),
            "error_std": (("time", "observation"), np.full((3, n), error_std)),
            "site_index": (("time", "observation"), np.tile(np.arange(n, dtype=np.int32), (3, 1))),
            "valid": (("time", "observation"), np.ones((3, n), np.int8)),
        },
        {"time": TIMES},
        {"operator": '{"function": "square"}'} if operator else {},
    )
    return analysis, observations


@pytest.mark.parametrize(
    ("innovation", "spread", "increment", "rejected", "reason"),
    [
        (1.0, 1.0, 0.5, False, ""),
        (1.0, 1.0, 0.1, False, "other observations hold it back"),
        (1.0, 1.0, 0.9, False, "other observations pull the same way"),
        (1.0, 1.0, -0.2, False, "other observations pull the other way"),
        (1.0, 0.2, 0.03, False, "the forecast is far more certain than the observation"),
        (0.05, 1.0, 0.0, False, "forecast and observation agree"),
        (
            6.0,
            0.2,
            0.2,
            False,
            "overconfident: innovation of 5.9 standard deviations; spread or error_std is too small",
        ),
        (9.0, 1.0, 0.0, True, "rejected by the background check, at 6.4 standard deviations"),
    ],
)
def test_an_increment_has_the_likely_reason(innovation, spread, increment, rejected, reason):
    found = explain(*case([innovation], spread, [increment], rejected=[rejected]), 0.2)
    assert found["remark"].item() == reason


def test_the_gain_is_that_of_one_observation_alone_and_the_numbers_belong_together():
    found = explain(*case([1.0, -2.0], [1.0, 3.0], [0.4, -1.8], error_std=2.0), 0.2)
    np.testing.assert_allclose(found["gain"], [1 / 5, 9 / 13])
    np.testing.assert_allclose(found["expected_increment"], [1 / 5, -18 / 13])
    np.testing.assert_allclose(found["increment"], [0.4, -1.8])
    np.testing.assert_allclose(found["ratio"], [2.0, 1.8 * 13 / 18])
    np.testing.assert_allclose(found["forecast"], 2.0)
    np.testing.assert_allclose(found.attrs["chi_square"], (1 / 5 + 4 / 13) / 2)


def test_an_increment_is_seen_through_the_operator():
    found = explain(*case([3.0], 2.0, [0.5], operator=True), 0.2)
    np.testing.assert_allclose(found["increment"], 2.5**2 - 2.0**2)
    np.testing.assert_allclose(found["forecast"], 4.0)


def test_the_nearest_analysis_is_explained():
    assert float(explain(*case([1.0], 1.0, [0.5]), 0.22)["time"]) == 0.2


def test_the_verb_prints_a_line_for_each_observation(tmp_path):
    analysis, observations = (
        d.assign_coords(period=("time", np.ones(d.sizes["time"], np.int8))) for d in case([1.0, 9.0], 1.0, [0.1, 0.2])
    )
    spreads = {name: analysis["mean"] for name in ("spread", "forecast_spread")}
    told = {"method": "etkf", "status": "ok", "size": analysis.sizes["site"], "time_step": 0.05}
    told |= {"study": "s", "scenario": "base", "node": "etkf", "settings": "{}", "seed": 0, "realization": 0}
    told |= {"lost_fraction": 0.0, "model_kind": "physical"}
    store.write(analysis.assign(spreads), tmp_path / "analysis.nc", kind="analyses", **told)
    store.write(observations, tmp_path / "observations.nc", kind="observations", **told)
    arguments = ["explain", str(tmp_path / "analysis.nc"), str(tmp_path / "observations.nc"), "--time", "0.2"]
    result = CliRunner().invoke(group, arguments)
    assert result.exception is None, result.exception
    printed = result.output
    assert printed == explanation(explain(*case([1.0, 9.0], 1.0, [0.1, 0.2]), 0.2))
    assert [line.split()[0] for line in printed.splitlines()[3:]] == ["0", "1"]
    assert "hold it back" in printed and "overconfident" in printed


def test_what_cannot_be_explained_says_why():
    analysis, observations = case([1.0], 1.0, [0.5])
    with pytest.raises(FileError, match=r"no analysis at 7 MTU: they go from 0\.1 to 0\.3 MTU"):
        explain(analysis, observations, 7.0)
    with pytest.raises(FileError, match=r"nothing was observed at 0\.2 MTU"):
        explain(analysis, observations.assign(valid=0 * observations["valid"]), 0.2)
    with pytest.raises(FileError, match="no forecast at"):
        explain(analysis.assign(forecast_mean=np.nan * analysis["forecast_mean"]), observations, 0.2)
