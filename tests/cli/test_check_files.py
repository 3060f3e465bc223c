"""``check`` opens the files that a study names, and says of each in one line what a run would find wrong with it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from assimilearn.cli import group
from assimilearn.errors import AssimilearnError

STUDY = {
    "study": "mine",
    "models": {"lorenz96": {"method": "lorenz96", "size": 12}},
    "periods": {"spinup": 5, "train": 60, "gap": 2, "validation": 10, "test": 20},
    "forecasts": {"lead": 0.5},
    "analyses": {"etkf": {"method": "etkf", "members": 10}},
}
TIMES = 100


def brought(name: str = "observations", **attributes) -> xr.Dataset:
    """A record of the values of 12 sites."""
    values = np.random.default_rng(1).normal(2.0, 3.0, (TIMES, 12))
    times = ("time", 0.05 * np.arange(TIMES))
    return xr.Dataset({name: (("time", "site"), values)}, {"time": times}, attributes)


@pytest.fixture
def check(tmp_path):
    """Check the study with changes; the problems, one a line."""

    def run(**changes) -> list[str]:
        path = tmp_path / "study.json"
        path.write_text(json.dumps(STUDY | changes))
        done = CliRunner().invoke(group, ["check", str(path)])
        if done.exit_code == 0:
            assert "study 'mine' is valid" in done.output
            return []
        assert isinstance(done.exception, AssimilearnError), done.exception
        return str(done.exception).splitlines()[1:]

    return run


@pytest.mark.parametrize("name", ["plain.nc", "my obs.nc", 'it\'s $HOME; `x` "y" $(touch X).nc', "ñandú.nc", "-x.nc"])
def test_good_files_are_valid_whatever_their_names(check, tmp_path, name):
    brought(error_std=1.0).to_netcdf(tmp_path / name)
    brought("state").to_netcdf(tmp_path / f"truth {name}")
    assert check(data={"observations": str(tmp_path / name), "truth": str(tmp_path / f"truth {name}")}) == []


def test_all_bad_files_are_told_at_once_each_in_one_line_that_names_it(check, tmp_path):
    (tmp_path / "cut.nc").write_bytes(b"\x89HDF\r\n\x1a\n cut")
    data = {"observations": str(tmp_path / "cut.nc"), "truth": str(tmp_path / "none.nc")}
    first, second = check(data=data)
    assert first.strip().startswith("data.observations: ") and "cut.nc" in first
    assert second.strip().startswith("data.truth: ") and "none.nc" in second


@pytest.mark.parametrize(
    ("times", "setting", "word"),
    [
        (98, {}, "98"),
        (TIMES, {"forecasts": {"lead": 1.0}}, "forecasts.lead: forecasts start and end in the test period"),
        (TIMES, {"models": {"lorenz96": {"method": "lorenz96", "size": 10}}}, "10"),
    ],
)
def test_a_record_that_does_not_fit_the_study_is_told(check, tmp_path, times, setting, word):
    path = tmp_path / "short.nc"
    brought(error_std=1.0).isel(time=slice(times)).to_netcdf(path)
    (found,) = check(data={"observations": str(path)}, **setting)
    assert word in found


def test_times_in_hours_need_the_time_unit_of_the_study(check, tmp_path):
    path = tmp_path / "hours.nc"
    record = brought(error_std=1.0)
    record["time"] = ("time", 6.0 * np.arange(TIMES), {"units": "hours since 2020-01-01"})
    record.to_netcdf(path)
    (found,) = check(data={"observations": str(path)})
    assert "time_unit" in found
    assert check(data={"observations": str(path), "time_unit": "5 days"}) == []
    (found,) = check(data={"observations": str(path), "time_unit": "5 parsecs"})
    assert found.strip().startswith("data.time_unit: ")


def test_a_network_is_opened_too(check, tmp_path):
    path = tmp_path / "a b; $(touch X).csv"
    path.write_text("time,site\n0.05,3\n0.05,11\n")
    assert check(observations={"network": {"method": "file", "path": str(path)}}) == []
    path.write_text("time,site\n0.05,3\n0.05,12\n")
    (found,) = check(observations={"network": {"method": "file", "path": str(path)}})
    assert found.strip().startswith("observations.network.path: ") and "12" in found


def test_in_a_pipe_no_traceback_is_told(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes(b"CDF\x01\0\0")
    command = [sys.executable, "-m", "assimilearn", "check", str(path)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"error: {path}: the file is a binary file" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", '{"method": "lorenz96", "size": 12, "size": 40}'], "size: stands twice"),
        (["--model", '{"method": "lorenz96", size: 1:30}'], "1:30 could be a number in base 60"),
        (["--model", '{"method": '], "the option --model: is not YAML"),
        (["--seed", str(2**63)], "is not in the range"),
        (["--seed", "-1"], "is not in the range"),
    ],
)
def test_settings_and_seeds_by_hand_are_read_as_strictly_as_a_study(tmp_path, options, words):
    done = CliRunner().invoke(group, ["climate", str(tmp_path / "model.nc"), *options])
    assert done.exit_code != 0
    assert words in (done.output + str(done.exception))
    assert not (tmp_path / "model.nc").exists()
