"""Open the files that verbs are given: each of the kind that is needed, and those that belong together together."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn import store
from assimilearn.cli.options import naming
from assimilearn.contents import CONTENTS
from assimilearn.errors import FileError
from assimilearn.models import PhysicalModel, open_model
from assimilearn.observations.checks import check_observations
from assimilearn.periods import FLAGS


class Physics(NamedTuple):
    """A physical model, and its file: the climatology."""

    model: PhysicalModel
    file: xr.Dataset


def read_physics(path: Path) -> Physics:
    """The physical model of a file of ``climate``."""
    file = store.read(path, "model")
    with naming(path):
        return Physics(open_model(file), file)


CLIMATE = (
    "background and initial statistics: a file of `climate` or `climatology`, or an analysis, whose training period "
    "then tells them"
)
"""What the option --climate takes."""


def read_climatology(path: Path) -> xr.Dataset:
    """The climatology in a file of ``climate`` or ``climatology``, or that of the training period of an analysis.

    The last is for learned models: what they are started from and held against then comes from no other model.
    """
    file = store.read(path, "model", "climatology", "analyses")
    if file.attrs["kind"] != "analyses":
        return file
    from assimilearn.assimilation.background.of_analyses import climatology_of_analyses

    with naming(path):
        return climatology_of_analyses(file)


def read_observations(path: Path) -> xr.Dataset:
    """The observations of a file, every entry of which is usable."""
    return usable(path, store.read(path, "observations"))


def usable(path: Path, file: xr.Dataset) -> xr.Dataset:
    """Observations, once their entries are checked: they are indices."""
    with naming(path):
        check_observations(file, int(file.attrs["size"]))
    return file


def read_before_test(path: Path, kind: str) -> xr.Dataset:
    """A file in time without its test period, no value of which is read: for searches, which must not see it."""
    with store.opened(path, kind) as file:
        before = file.isel(time=np.flatnonzero(file["period"].values != FLAGS["test"]))
        if before.sizes["time"] == 0:
            raise FileError(f"{path}: holds the test period alone, and a search must not see it")
        return store.checked(path, before)


def read_one_of(path: Path | None, *kinds: str) -> xr.Dataset | None:
    """A file that need not be given."""
    return store.read(path, *kinds) if path else None


def refuse_others(path: Path, file: xr.Dataset, **sources: Path | None) -> None:
    """Raise FileError if a file was not made from the files that are given with it.

    Parameters
    ----------
    path, file : the file, and what it holds
    **sources : role -> path
        Compared by content where the file has recorded what it was made from in this role.

    Raises
    ------
    FileError
        One sentence that names both.
    """
    recorded: dict[str, Any] = json.loads(file.attrs.get("inputs", "{}"))
    for role, source in sources.items():
        if source is not None and role in recorded and store.digest(source) != recorded[role]:
            title = CONTENTS[file.attrs["kind"]].title
            raise FileError(
                f"{path}, {title}, was not made from {source} but from another file of {role}: give the two that "
                "belong together, or make the first anew"
            )


def refuse_others_of_truth(
    observations: Path, observed: xr.Dataset, truth: Path | None, known: xr.Dataset | None
) -> None:
    """Raise FileError if observations and truth do not belong together; which was made from which depends on both."""
    if truth is not None and known is not None:
        refuse_others(observations, observed, truth=truth)
        refuse_others(truth, known, observations=observations)
