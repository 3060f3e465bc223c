"""NetCDF in and out: whole files only, equal bytes for equal work, provenance in every file.

A file that exists is whole, also after a kill (:mod:`assimilearn.whole`). Nothing volatile (host, wall time, library
versions) enters it; such facts go to ``NAME.run.json``.
The writer uses netCDF4 directly: the first ``Dataset.to_netcdf`` of a process costs a second of imports.
"""

import hashlib
import json
import math
import os
import platform
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import netCDF4
import numpy as np
import xarray as xr

from assimilearn import __version__
from assimilearn.errors import FileError
from assimilearn.whole import reason, whole

FORMAT_VERSION = 1
HEADER = 8192  # bytes of a NetCDF file without values, about
STARTED = time.perf_counter()


class Series(NamedTuple):
    """A variable whose values come later."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    attributes: Mapping[Any, Any]


def write(dataset: xr.Dataset, path: str | Path, /, **provenance: Any) -> None:
    """Write ``dataset`` whole or not at all.

    Parameters
    ----------
    dataset : xarray.Dataset
    path : path of the file, ending in .nc; its folder is made if need be
    **provenance
        Global attributes to add (study, node, settings, seed, inputs ...); mappings become JSON, None is dropped.

    Raises
    ------
    FileError
        If the file cannot be written, or no space is left.
    """
    try:
        with _new(Path(path), dataset.nbytes) as file:
            file.setncatts(_global(dataset.attrs, provenance))
            _write_contents(file, dataset)
    except RuntimeError as error:  # the NetCDF library's, whatever it is
        raise FileError(f"{path}: cannot be written: {reason(error)}") from error


@contextmanager
def stream(
    dataset: xr.Dataset, series: Mapping[str, Series], path: str | Path, /, **provenance: Any
) -> Iterator[tuple[dict[str, netCDF4.Variable], dict[str, Any]]]:
    """Write ``dataset``, and besides variables that are filled bit by bit; whole or not at all.

    Parameters
    ----------
    dataset, path, provenance : as of :func:`write`
    series : name -> Series
        The variables to be filled.

    Yields
    ------
    The variables of ``series``, to be assigned to, and a dictionary for attributes that are known at the end.
    """
    size = dataset.nbytes + sum(math.prod(one.shape) * one.dtype.itemsize for one in series.values())
    with _new(Path(path), size) as file:
        _write_contents(file, dataset)
        for one in series.values():
            for dim, size in zip(one.dims, one.shape, strict=True):
                if dim not in file.dimensions:
                    file.createDimension(dim, size)
        found: dict[str, Any] = {}
        yield {name: _new_variable(file, name, one, dataset) for name, one in series.items()}, found
        file.setncatts(_global(dataset.attrs | found, provenance))


@contextmanager
def _new(path: Path, size: int) -> Iterator[netCDF4.Dataset]:
    """A file that becomes ``path`` when all is written, at least ``size`` bytes, with its run facts beside it."""
    with whole(path, size + HEADER) as temporary:
        with netCDF4.Dataset(temporary, "w", format="NETCDF4") as file:
            yield file
        write_text(json.dumps(run_facts(), indent=1) + "\n", path.with_suffix(".run.json"))


def _global(attributes: Mapping[Any, Any], provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a file."""
    always = {"Conventions": "CF-1.11", "source": f"assimilearn {__version__}", "format_version": FORMAT_VERSION}
    return encoded({**always, **attributes, **provenance})


def _write_contents(file: netCDF4.Dataset, dataset: xr.Dataset) -> None:
    """Dimensions and variables."""
    for name, size in dataset.sizes.items():
        file.createDimension(str(name), size)
    for name, variable in dataset.variables.items():
        _write_variable(file, str(name), variable, dataset)


def _write_variable(file: netCDF4.Dataset, name: str, variable: xr.Variable, dataset: xr.Dataset) -> None:
    """One variable with its attributes; booleans become int8 and texts netCDF strings."""
    values = variable.values
    if values.dtype == bool:
        values = values.astype(np.int8)
    series = Series(tuple(map(str, variable.dims)), values.shape, values.dtype, variable.attrs)
    target = _new_variable(file, name, series, dataset)
    if values.size:
        target[...] = values.astype(object) if target.dtype is str else values


def _new_variable(file: netCDF4.Dataset, name: str, series: Series, dataset: xr.Dataset) -> netCDF4.Variable:
    """One variable with its attributes and without its values."""
    kind = str if series.dtype.kind in "UO" else series.dtype
    target = file.createVariable(name, kind, series.dims, fill_value=False if kind is not str else None)
    target.setncatts(encoded(series.attributes))
    extra = [str(c) for c in dataset.coords if c not in dataset.dims and set(dataset[c].dims) <= set(series.dims)]
    if extra and name not in dataset.coords:
        target.setncattr("coordinates", " ".join(sorted(extra)))
    return target


def encoded(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as NetCDF can hold them: booleans as 0/1, mappings and empty or mixed lists as JSON, None dropped."""
    result: dict[str, Any] = {}
    for name, value in attributes.items():
        if value is None:
            continue
        if isinstance(value, bool | np.bool_):
            value = int(value)
        elif isinstance(value, Mapping) or (isinstance(value, list | tuple) and not (value and _is_numeric(value))):
            value = json.dumps(value, sort_keys=True)
        result[str(name)] = value
    return result


def _is_numeric(values: Iterable[Any]) -> bool:
    return all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values)


def write_text(text: str, path: str | Path) -> None:
    """Write a text file whole or not at all."""
    with whole(Path(path), len(text)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read(path: str | Path, require: Iterable[str] = ()) -> xr.Dataset:
    """Read a whole file into memory and close it.

    Parameters
    ----------
    path : path of a NetCDF file
    require : names of variables that must be there

    Raises
    ------
    FileError
        If the file is missing, truncated, not NetCDF, of a newer format version, or lacks a variable.
    """
    with opened(path, require, cache=True) as dataset:
        return dataset.load()


@contextmanager
def opened(path: str | Path, require: Iterable[str] = (), cache: bool = False) -> Iterator[xr.Dataset]:
    """The same without reading the values: they are read when they are asked for, each time, unless ``cache``."""
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path}: no such file")
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_times=False, cache=cache) as dataset:
            refuse_unusable(dataset, path, require)
            yield dataset
    except (OSError, ValueError, RuntimeError) as error:
        raise FileError(f"{path}: cannot be read as NetCDF, perhaps it is truncated ({error})") from error


def refuse_unusable(dataset: xr.Dataset, path: Path, require: Iterable[str]) -> None:
    """Raise FileError if the file is of a newer format version or lacks a variable."""
    version = int(dataset.attrs.get("format_version", FORMAT_VERSION))
    if version > FORMAT_VERSION:
        raise FileError(
            f"{path}: written in format version {version} by {dataset.attrs.get('source', 'a newer assimilearn')}; "
            f"this one reads up to version {FORMAT_VERSION}: upgrade assimilearn"
        )
    missing = [name for name in require if name not in dataset.variables]
    if missing:
        found = ", ".join(sorted(map(str, dataset.variables)))
        raise FileError(f"{path}: lacks {', '.join(missing)}; it holds {found}")


def digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes, the first 16 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def run_facts() -> dict[str, Any]:
    """The volatile facts of a run: when, where, with what."""
    loaded = [name for name in ("numpy", "scipy", "xarray", "netCDF4", "numba", "torch") if name in sys.modules]
    return {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(time.perf_counter() - STARTED, 3),
        "peak_memory_mb": peak_memory_mb(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in loaded},
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "command": sys.argv,
    }


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in MB; None where the system does not say."""
    try:
        import resource  # not on every system
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
