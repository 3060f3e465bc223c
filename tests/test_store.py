"""A file that exists is whole, equal work gives equal bytes, and every broken file gives one clear error."""

import json
import os
import signal
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

from assimilearn import store
from assimilearn.errors import FileError
from assimilearn.whole import remove_leftovers, temporary_name


def example() -> xr.Dataset:
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "x": (("time", "site"), rng.standard_normal((5, 3)), {"units": "1"}),
            "flag": ("time", np.array([True, False, True, True, False])),
            "name": ("site", np.array(["a", "bb", "\u03c3"])),
            "label": ((), "one text"),
            "scalar": ((), np.float32(2.5)),
            "gaps": ("time", np.array([1.0, np.nan, 3.0, np.nan, np.inf])),
            "none": ("empty", np.zeros(0)),
        },
        coords={"time": 0.05 * np.arange(5), "period": ("time", np.arange(5, dtype=np.int8))},
        attrs={"method": "etkf", "count": 3},
    )


def test_what_is_written_is_read_back(tmp_path):
    store.write(example(), tmp_path / "a.nc")
    back = store.read(tmp_path / "a.nc")
    for name, variable in example().variables.items():
        np.testing.assert_array_equal(back[name].values, variable.values.astype(back[name].dtype))
        assert back[name].dims == variable.dims
    assert back["flag"].dtype == np.int8 and back["x"].dtype == np.float64 and back["scalar"].dtype == np.float32
    assert set(back.coords) == {"time", "period"}
    assert back.attrs["method"] == "etkf" and back.attrs["count"] == 3
    assert back.attrs["Conventions"] == "CF-1.11" and back.attrs["format_version"] == store.FORMAT_VERSION


def test_a_file_that_was_read_is_written_to_the_same_bytes(tmp_path):
    store.write(example(), tmp_path / "a.nc")
    store.write(store.read(tmp_path / "a.nc"), tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


def test_equal_work_gives_equal_bytes_in_another_process(tmp_path):
    store.write(example(), tmp_path / "a.nc", seed=1, inputs={"b": "2", "a": "1"})
    program = (
        f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "from test_store import example\nfrom assimilearn import store\n"
        f"store.write(example(), {str(tmp_path / 'b.nc')!r}, seed=1, inputs={{'a': '1', 'b': '2'}})"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert store.digest(tmp_path / "a.nc") == store.digest(tmp_path / "b.nc")


def test_one_changed_bit_changes_the_digest(tmp_path):
    changed = example()
    changed["x"][0, 0] += np.spacing(changed["x"][0, 0].item())
    store.write(example(), tmp_path / "a.nc")
    store.write(changed, tmp_path / "b.nc")
    assert store.digest(tmp_path / "a.nc") != store.digest(tmp_path / "b.nc")


def test_provenance_becomes_attributes(tmp_path):
    provenance = {"inputs": {"truth": "12ab"}, "resolved": True, "tuned": ["a", 1], "sizes": [1, 2], "none": None}
    store.write(example(), tmp_path / "a.nc", **provenance)
    attributes = store.read(tmp_path / "a.nc").attrs
    assert json.loads(attributes["inputs"]) == {"truth": "12ab"}
    assert json.loads(attributes["tuned"]) == ["a", 1]
    assert attributes["resolved"] == 1 and list(attributes["sizes"]) == [1, 2] and "none" not in attributes


def test_an_empty_list_is_an_attribute_too(tmp_path):
    store.write(example(), tmp_path / "a.nc", warnings=[])
    assert json.loads(store.read(tmp_path / "a.nc").attrs["warnings"]) == []


def test_volatile_facts_stand_beside_the_file_not_in_it(tmp_path):
    store.write(example(), tmp_path / "a.nc")
    facts = json.loads((tmp_path / "a.run.json").read_text())
    assert facts["seconds"] >= 0 and 20 < facts["peak_memory_mb"] < 1e6 and facts["versions"]["numpy"] == np.__version__
    content = (tmp_path / "a.nc").read_bytes()
    assert facts["host"].encode() not in content and facts["finished"].encode() not in content


def test_xarray_opens_a_file_without_a_warning(tmp_path, recwarn):
    store.write(example(), tmp_path / "a.nc")
    xr.open_dataset(tmp_path / "a.nc").close()
    assert not recwarn.list


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    store.write(example(), tmp_path / "a.nc")
    before = (tmp_path / "a.nc").read_bytes()
    with pytest.raises(TypeError):
        store.write(example().assign(bad=("time", np.array([object()] * 5))), tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"a.nc", "a.run.json"}


@pytest.fixture
def killed(tmp_path):
    """The folder after a process was killed in the middle of writing a.nc."""
    program = f"""
import os, signal
import numpy as np, xarray as xr
from assimilearn import store
written = store._write_variable
def killer(file, name, variable, dataset):
    written(file, name, variable, dataset)
    file.sync()
    os.kill(os.getpid(), signal.SIGKILL)
store._write_variable = killer
store.write(xr.Dataset({{"x": ("time", np.zeros(1000)), "y": ("time", np.ones(1000))}}), {str(tmp_path / "a.nc")!r})
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    return tmp_path


def test_a_kill_while_writing_leaves_no_file_of_that_name(killed):
    assert not (killed / "a.nc").exists()
    assert [path.suffix for path in killed.iterdir()] == [".tmp"]


def test_the_next_write_removes_what_a_killed_one_left(killed):
    store.write(example(), killed / "a.nc")
    assert {path.name for path in killed.iterdir()} == {"a.nc", "a.run.json"}


def test_the_temporary_file_of_a_living_process_stays(tmp_path):
    name = temporary_name(tmp_path / "a.nc").name.replace(f".{os.getpid()}.", f".{os.getppid()}.")
    (tmp_path / name).touch()
    remove_leftovers(tmp_path / "a.nc")
    assert (tmp_path / name).exists()


def test_a_missing_file_is_one_clear_error(tmp_path):
    with pytest.raises(FileError, match=r"nowhere\.nc: no such file"):
        store.read(tmp_path / "nowhere.nc")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.9])
def test_a_truncated_file_is_one_clear_error(tmp_path, keep):
    store.write(example(), tmp_path / "a.nc")
    content = (tmp_path / "a.nc").read_bytes()
    (tmp_path / "a.nc").write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(FileError, match=r"a\.nc: (cannot be read as NetCDF, perhaps it is truncated|is empty)"):
        store.read(tmp_path / "a.nc")


def test_a_text_file_is_one_clear_error(tmp_path):
    (tmp_path / "a.nc").write_text("time,x\n0,1\n")
    with pytest.raises(FileError, match="cannot be read as NetCDF"):
        store.read(tmp_path / "a.nc")


def test_a_file_of_a_newer_format_version_is_refused(tmp_path):
    store.write(example(), tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        file.format_version = store.FORMAT_VERSION + 1
        file.source = "assimilearn 9.9"
    with pytest.raises(FileError, match=r"format version 2 by assimilearn 9\.9; this one reads up to version 1"):
        store.read(tmp_path / "a.nc")


def test_a_file_that_claims_more_numbers_than_it_can_hold_is_refused(tmp_path):
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("x", 10**12)
        file.createVariable("values", float, ("x",), chunksizes=(1000,))
    with pytest.raises(FileError, match=r"claims to hold 8e\+12 bytes"):
        store.read(tmp_path / "a.nc")


def test_text_is_written_whole(tmp_path):
    store.write_text("name,value\n", tmp_path / "new" / "scorecard.csv")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["scorecard.csv"]
    assert (tmp_path / "new" / "scorecard.csv").read_text() == "name,value\n"
