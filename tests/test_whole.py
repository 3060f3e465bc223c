"""A file that cannot be written is told in one sentence, and nothing is left behind."""

import errno
import os
import shutil
from contextlib import contextmanager
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest
import xarray as xr

from assimilearn import store
from assimilearn.errors import FileError
from assimilearn.whole import refuse_unwritable, whole

DATASET = xr.Dataset({"x": ("time", np.zeros(1000))})


WRITTEN = netCDF4.Dataset


@contextmanager
def half_written(*arguments, **options):
    """A file that fails as the NetCDF library does on a full disk, when it is closed."""
    with WRITTEN(*arguments, **options) as file:
        yield file
    raise RuntimeError("NetCDF: HDF error")


def free(monkeypatch, amount):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=amount))


def test_a_full_disk_is_named_though_the_library_says_hdf_error(tmp_path, monkeypatch):
    monkeypatch.setattr(netCDF4, "Dataset", half_written)
    free(monkeypatch, 5000)
    with pytest.raises(FileError, match=r"a\.nc: no space left: 0\.005 MB are free, 0\.0162 MB are needed$"):
        store.write(DATASET, tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_when_a_streamed_file_meets_it(tmp_path, monkeypatch):
    monkeypatch.setattr(netCDF4, "Dataset", half_written)
    free(monkeypatch, 3_000_000)
    series = {"y": store.Series(("time", "site"), (1000, 1000), np.dtype(np.float32), {})}
    told = pytest.raises(FileError, match=r"a\.nc: no space left: 3 MB are free, 4\.02 MB are needed$")
    with told, store.stream(DATASET, series, tmp_path / "a.nc") as (targets, _):
        targets["y"][:] = 1
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_library_on_a_disk_with_space_is_no_matter_of_space(tmp_path, monkeypatch):
    monkeypatch.setattr(netCDF4, "Dataset", half_written)
    with pytest.raises(FileError, match=r"a\.nc: cannot be written: NetCDF: HDF error"):
        store.write(DATASET, tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_or_quota_is_named_when_text_is_written(tmp_path, code):
    with pytest.raises(FileError, match=r"a\.csv: no space left: .* MB are free"), whole(tmp_path / "a.csv"):
        raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_facts_of_a_run_that_find_no_space_take_the_file_with_them(tmp_path, monkeypatch):
    def full(text, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "write_text", full)
    with pytest.raises(FileError, match="no space left"):
        store.write(DATASET, tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [store.write, lambda dataset, path: store.write_text("text", path)])
def test_a_folder_is_not_written_over(tmp_path, write):
    (tmp_path / "a.nc").mkdir()
    with pytest.raises(FileError, match=r"a\.nc: is a folder; name the file to be written"):
        write(DATASET, tmp_path / "a.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nc"]


def test_a_file_is_not_written_into_a_file(tmp_path):
    (tmp_path / "folder").touch()
    with pytest.raises(FileError, match=r"a\.nc: cannot be written: .*folder is a file, not a folder"):
        store.write(DATASET, tmp_path / "folder" / "deeper" / "a.nc")


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be written: File name too long"):
        store.write(DATASET, tmp_path / ("a" * 300 + ".nc"))
    with pytest.raises(FileError, match="cannot be written: File name too long"):
        store.write(DATASET, tmp_path / ("a" * 250 + ".nc"))  # the temporary name is longer
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(FileError, match=r"a\.nc: cannot be written: the folder .* may not be written to"):
        refuse_unwritable(tmp_path / "new" / "a.nc")
    with pytest.raises(FileError, match="may not be written to"):
        store.write(DATASET, tmp_path / "new" / "a.nc")
    assert list(tmp_path.iterdir()) == []
