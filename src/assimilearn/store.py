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
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import netCDF4
import numpy as np
import xarray as xr

from assimilearn import __version__
from assimilearn.contents import layout_problem, value_problem
from assimilearn.errors import FileError
from assimilearn.whole import reason, whole

FORMAT_VERSION = 1
HEADER = 8192  # bytes of a NetCDF file without values, about
LARGEST_RATIO = 2000  # of the bytes of all numbers to those of a file: no compression of a sound one gives more
BROKEN = (OSError, RuntimeError, ValueError, TypeError, AttributeError, ArithmeticError, LookupError)
"""What the NetCDF library and its readers raise on files that are broken."""
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


def read(path: str | Path, *kinds: str) -> xr.Dataset:
    """Read a whole file into memory and close it.

    Parameters
    ----------
    path : path of a NetCDF file
    *kinds : kinds of files (:mod:`assimilearn.contents`), one of which it must be; without any it may be anything

    Raises
    ------
    FileError
        If the file is missing, truncated, not NetCDF, of a newer format version, of another kind, or broken.
    """
    with opened(path, *kinds, cache=True) as dataset:
        return checked(Path(path), dataset, bool(kinds))


def checked(path: Path, dataset: xr.Dataset, of_kind: bool = True) -> xr.Dataset:
    """Read all values of a file, or of a part of it, that is open.

    Raises
    ------
    FileError
        If they cannot be read or, in a file of some kind, are not what it must hold.
    """
    with readable(path):
        loaded = dataset.load()
    problem = value_problem(loaded) if of_kind else ""
    if problem:
        raise FileError(f"{path} {problem}")
    return loaded


@contextmanager
def opened(path: str | Path, *kinds: str, cache: bool = False) -> Iterator[xr.Dataset]:
    """The same without reading the values: they are read when they are asked for, each time, unless ``cache``."""
    path = Path(path)
    refuse_absent(path)
    with readable(path):
        dataset = xr.open_dataset(path, engine="netcdf4", decode_times=False, cache=cache)
    with dataset:
        refuse_unusable(dataset, path, kinds)
        yield dataset


def refuse_absent(path: Path) -> None:
    """Raise FileError if there is no file, or it is a folder, may not be read, or is empty."""
    try:
        if path.is_dir():
            raise FileError(f"{path}: is a folder, not a file")
        with open(path, "rb") as file:
            if not file.read(1):
                raise FileError(f"{path}: is empty")
    except FileNotFoundError as error:
        raise FileError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the NetCDF library raises on a broken file into one sentence."""
    try:
        yield
    except MemoryError as error:
        raise FileError(f"{path}: is too large for the memory of this machine, or broken") from error
    except BROKEN as error:
        reason = " ".join(str(error).split())
        raise FileError(f"{path}: cannot be read as NetCDF, perhaps it is truncated ({reason})") from error


def refuse_unusable(dataset: xr.Dataset, path: Path, kinds: tuple[str, ...]) -> None:
    """Raise FileError if a file is of a newer format version, is of none of the ``kinds``, or claims too much."""
    version = dataset.attrs.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int | np.integer):
        raise FileError(f"{path} is broken: its attribute format_version is {version!r}")
    if version > FORMAT_VERSION:
        raise FileError(
            f"{path}: written in format version {version} by {dataset.attrs.get('source', 'a newer assimilearn')}; "
            f"this one reads up to version {FORMAT_VERSION}: upgrade assimilearn"
        )
    if kinds and (problem := layout_problem(dataset, kinds)):
        raise FileError(f"{path} {problem}")
    if dataset.nbytes > LARGEST_RATIO * path.stat().st_size:
        raise FileError(f"{path} is broken: it claims to hold {dataset.nbytes:.3g} bytes of numbers")


def digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes, the first 16 hex digits; made once for a file that stays as it is."""
    facts = os.stat(path)
    return _digest(str(path), (facts.st_ino, facts.st_size, facts.st_mtime_ns))


@cache
def _digest(path: str, facts: tuple[int, ...]) -> str:
    """The digest of a file that has these facts."""
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
