"""The file of a record, opened when a study is planned or checked, once in a process."""

from functools import lru_cache
from pathlib import Path

import xarray as xr

from assimilearn.models.geometry import Geometry
from assimilearn.observations.files import geometry_of_file
from assimilearn.observations.record import read_record
from assimilearn.observations.record_settings import RecordSettings
from assimilearn.store import refuse_absent
from assimilearn.study.schema import BroughtData


def brought_record(data: BroughtData) -> xr.Dataset:
    """Observations that a study names, as :func:`assimilearn.observations.record.read_record` gives them."""
    path = Path(data.observations)
    refuse_absent(path)
    facts = path.stat()
    return _read(path, (facts.st_size, facts.st_mtime_ns), record_settings(data))


def record_settings(data: BroughtData) -> str:
    """How the file is read, as canonical JSON."""
    return RecordSettings.model_validate(data.model_dump(include=set(RecordSettings.model_fields))).canonical()


@lru_cache(maxsize=4)
def _read(path: Path, facts: tuple[int, int], settings: str) -> xr.Dataset:
    """The record of a file that has these facts."""
    return read_record(path, RecordSettings.model_validate_json(settings))


def geometry_of_record(data: BroughtData) -> Geometry:
    """Where the sites of a record are."""
    return geometry_of_file(brought_record(data))
