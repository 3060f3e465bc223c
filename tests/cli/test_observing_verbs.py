"""The verbs that observe: operators, networks from files, intervals that take turns, by hand."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from assimilearn import store
from assimilearn.cli import group


def run(*arguments):
    done = CliRunner().invoke(group, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("observing") / "model.nc"
    settings = '{"duration": 100, "lyapunov_duration": 5}'
    run("climate", path, "--model", '{"method": "lorenz96", "size": 12}', "--settings", settings)
    return path


def test_a_truth_with_unequal_intervals_holds_all_its_observation_times(model, tmp_path):
    periods = '{"spinup": 2, "train": 6, "gap": 1, "validation": 3, "test": 5}'
    run("simulate", model, tmp_path / "truth.nc", "--periods", periods, "--every", "[1, 3]")
    settings = '{"every": [1, 3], "network": {"method": "all"}}'
    run("observe", tmp_path / "truth.nc", tmp_path / "observations.nc", "--settings", settings)
    truth, observations = store.read(tmp_path / "truth.nc"), store.read(tmp_path / "observations.nc")
    assert observations.sizes["time"] == 18
    steps = np.rint(observations["time"].values / 0.05)
    np.testing.assert_array_equal(np.diff(steps), [1, 3] * 8 + [1])
    np.testing.assert_array_equal(observations["period"], truth["period"].sel(time=observations["time"]))
    assert np.unique(observations["period"], return_counts=True)[1].tolist() == [4, 6, 3, 5]


def test_the_file_of_a_network_is_among_the_inputs_and_filters_know_the_operator(model, tmp_path):
    run(
        "simulate",
        model,
        tmp_path / "truth.nc",
        "--periods",
        '{"spinup": 1, "train": 30, "gap": 0, "validation": 0, "test": 9}',
    )
    lines = [f"{0.05 * k:.2f},{(k + 3 * j) % 12}\n" for k in range(40) for j in range(4)]
    (tmp_path / "buoys.csv").write_text("time,site\n" + "".join(lines))
    settings = {
        "network": {"method": "file", "path": str(tmp_path / "buoys.csv")},
        "operator": {"weights": [0.5, 1, 0.5]},
    }
    run("observe", tmp_path / "truth.nc", tmp_path / "observations.nc", "--settings", json.dumps(settings))
    observations = store.read(tmp_path / "observations.nc")
    assert set(json.loads(observations.attrs["inputs"])) == {"truth", "network"}
    forecast = ["--model", model, "--climate", model]
    method = '{"method": "esrf", "members": 8}'
    run("assimilate", tmp_path / "observations.nc", tmp_path / "esrf.nc", *forecast, "--settings", method)
    observed = ["--observations", tmp_path / "observations.nc", "--truth", tmp_path / "truth.nc"]
    run("score-analysis", tmp_path / "esrf.nc", tmp_path / "scores.nc", *observed)
    scores = store.read(tmp_path / "scores.nc")
    assert float(scores["mean"].sel(score="residual_rmse")) < float(scores["mean"].sel(score="innovation_rmse"))
    assert "increment" in run("explain", tmp_path / "esrf.nc", tmp_path / "observations.nc", "--time", 1.0)
