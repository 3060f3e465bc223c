"""Assimilation from file to file: the same numbers, in memory that does not grow with the run."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn import store
from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling import filtering, streaming
from assimilearn.errors import FileError

RNG = np.random.default_rng
CLIMATE = lorenz96_climatology()


def observed(times=320, every_site=True):
    model, states = lorenz96_truth(times)
    sites = None if every_site else np.sort(RNG(5).permuted(np.tile(np.arange(40), (times, 1)), axis=1)[:, :15])
    return model, observe_states(states, model.time_step, 1.0, RNG(1), sites)


def streamed(tmp_path, model, observations, settings, monkeypatch, seed=2):
    monkeypatch.setattr(filtering, "LARGEST_CHUNK", 40 * 37)
    monkeypatch.setattr(streaming, "LARGEST_CHUNK", 40 * 37)
    store.write(observations, tmp_path / "observations.nc")
    with store.opened(tmp_path / "observations.nc") as lazily:
        streaming.assimilate_to_file(lazily, model, settings, CLIMATE, RNG(seed), tmp_path / "analysis.nc", seed=seed)
    return store.read(tmp_path / "analysis.nc")


@pytest.mark.parametrize("every_site", [True, False])
@pytest.mark.parametrize("method", ["etkf", "enkf", "letkf"])
def test_a_streamed_analysis_is_that_of_the_run_in_memory(method, every_site, tmp_path, monkeypatch):
    model, observations = observed(every_site=every_site)
    settings = METHODS[method](members=12, inflation=1.05, rotation=True, background_check=2.5)
    whole = assimilate(observations, model, settings, CLIMATE, RNG(2))
    parts = streamed(tmp_path, model, observations, settings, monkeypatch)
    assert set(parts.variables) == set(whole.variables)
    for name in whole.variables:
        np.testing.assert_array_equal(parts[name].values, whole[name].values, err_msg=name)
        assert parts[name].dtype == whole[name].dtype
    assert {name: parts.attrs[name] for name in whole.attrs} == whole.attrs


@pytest.mark.parametrize(
    "adaptive",
    [
        {"inflation": "adaptive"},
        {"model_error": "estimated"},
        {"parameters": {"forcing": {"mean": 7.0, "std": 1.0}}, "observation_bias": {"std": 0.5}},
    ],
    ids=["inflation", "model error", "parameters and bias"],
)
def test_what_a_filter_adapts_is_streamed_too(adaptive, tmp_path, monkeypatch):
    model, observations = observed()
    settings = METHODS["etkf"](**{"members": 12, "inflation": 1.02} | adaptive)
    whole = assimilate(observations, model, settings, CLIMATE, RNG(2))
    parts = streamed(tmp_path, model, observations, settings, monkeypatch)
    assert set(parts.variables) == set(whole.variables)
    for name in whole.variables:
        np.testing.assert_array_equal(parts[name].values, whole[name].values, err_msg=name)
    adapted = [name for name in whole.data_vars if whole[name].dims == ("time",)]
    assert adapted
    for name in adapted:
        assert parts[name].attrs == whole[name].attrs


def test_equal_runs_give_equal_bytes(tmp_path, monkeypatch):
    model, observations = observed(50)
    digests = []
    for run in ("one", "other"):
        (tmp_path / run).mkdir()
        streamed(tmp_path / run, model, observations, METHODS["esrf"](members=8), monkeypatch)
        digests.append(store.digest(tmp_path / run / "analysis.nc"))
    assert digests[0] == digests[1]


def test_a_run_that_diverges_is_nan_from_there_on(tmp_path, monkeypatch):
    model, observations = observed(200)
    observations["value"][60:] = 1e6  # no state of the model: the filter is torn off the attractor
    settings = METHODS["etkf"](members=8)
    whole = assimilate(observations, model, settings, CLIMATE, RNG(2))
    parts = streamed(tmp_path, model, observations, settings, monkeypatch)
    assert parts.attrs["status"] == "diverged"
    assert parts.attrs["diverged_at"] == whole.attrs["diverged_at"]
    np.testing.assert_array_equal(parts["mean"].values, whole["mean"].values)
    np.testing.assert_array_equal(parts["innovation"].values, whole["innovation"].values)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda o: o["value"].values.__setitem__((150, 3), np.nan), "value is not finite"),
        (lambda o: o["valid"].values.fill(0), "not a single valid"),
    ],
)
def test_bad_observations_anywhere_are_refused_before_anything_is_written(spoil, message, tmp_path, monkeypatch):
    model, observations = observed(200)
    spoil(observations)
    with pytest.raises(FileError, match=message):
        streamed(tmp_path, model, observations, METHODS["etkf"](), monkeypatch)
    assert not (tmp_path / "analysis.nc").exists()


def test_only_large_runs_of_plain_filters_are_streamed():
    model, observations = observed(20)
    assert not streaming.is_streamed(observations, model, METHODS["etkf"]())
    assert streaming.is_streamed(observations, model, METHODS["etkf"](), large=20 * 40 - 1)
    for method, settings in (("etkf", {"keep_members": "all"}), ("enks", {}), ("3dvar", {})):
        assert not streaming.is_streamed(observations, model, METHODS[method](**settings), large=1)


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from assimilearn import store
from assimilearn.assimilation import METHODS
from assimilearn.assimilation.cycling import filtering, streaming
from assimilearn.models import Lorenz96, Lorenz96Settings

filtering.LARGEST_CHUNK = streaming.LARGEST_CHUNK = 200_000
folder, name = sys.argv[1:]
size = 1000
with store.opened(f"{folder}/{name}.nc") as observations:
    streaming.assimilate_to_file(
        observations, Lorenz96(Lorenz96Settings(size=size)), METHODS["letkf"](members=4, localization_radius=2),
        store.read(f"{folder}/climate.nc"), np.random.default_rng(0), f"{folder}/{name}-analysis.nc",
    )
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])  # not ru_maxrss: it counts the parent's
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_peak_memory_of_a_ten_times_longer_run_is_the_same(tmp_path):
    size = 1000
    at = np.zeros(size // 2 + 1)
    at[0] = 13.0
    climate = xr.Dataset({"mean": ("site", np.full(size, 2.3)), "covariance_at": ("distance", at)})
    store.write(climate, tmp_path / "climate.nc")
    peaks = {}
    for name, times in (("short", 200), ("long", 2000)):
        values = 2.3 + np.tile(RNG(0).standard_normal(size), (times, 1))
        store.write(observe_states(values, 0.05, 1.0, RNG(1)), tmp_path / f"{name}.nc")
        run = [sys.executable, "-c", PEAK, str(tmp_path), name]
        peaks[name] = int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert peaks["long"] < 1.1 * peaks["short"]
