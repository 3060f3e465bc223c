"""Open a forecast model, physical or learned.

It stands apart from the other inputs: the verbs that take one depend on the code of all emulators, and no others do.
"""

from pathlib import Path
from typing import NamedTuple

import xarray as xr

from assimilearn import store
from assimilearn.cli.options import naming
from assimilearn.models import Model, open_model


class Forecaster(NamedTuple):
    """A forecast model: ``kind`` is "physical", "emulator" or "persistence", ``file`` what describes it."""

    model: Model
    kind: str
    file: xr.Dataset


def read_forecaster(path: Path) -> Forecaster:
    """The model of a file of ``climate`` or ``train``; of a file of ``climatology`` it is persistence."""
    file = store.read(path, "model", "emulators", "climatology")
    with naming(path):
        if file.attrs["kind"] == "climatology":
            from assimilearn.emulators.classical.persistence import Persistence

            return Forecaster(Persistence(int(file.attrs["size"]), float(file.attrs["time_step"])), "persistence", file)
        if file.attrs["kind"] == "emulators":
            from assimilearn.emulators import open_emulator

            return Forecaster(open_emulator(file), "emulator", file)
        return Forecaster(open_model(file), "physical", file)
