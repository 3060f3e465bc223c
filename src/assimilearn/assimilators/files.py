"""What stands in the file of a learned analysis step, and reading it back: nothing in it is executed but its graph."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry, geometry_of

LAYOUT = 1
"""Version of the way in which weights are stored; files of a newer one are refused."""


class Fitted(NamedTuple):
    """What the ``fit`` of an assimilator returns.

    Attributes
    ----------
    weights : dict of name -> DataArray
        Everything that the step needs.
    loss, validation_loss, iteration : ndarray (stage,)
        The history of training; empty for what is learned in closed form.
    attributes : numbers that a table shows: of weights, of analyses made in training, and ``learned_<name>``
    failure : why the weights are unusable; empty if they are not
    """

    weights: dict[str, xr.DataArray]
    loss: np.ndarray
    validation_loss: np.ndarray
    iteration: np.ndarray
    attributes: dict[str, float]
    failure: str = ""


class Stored(NamedTuple):
    """The weights of a file by name, and the geometry of the states that they were trained on."""

    weights: dict[str, np.ndarray]
    geometry: Geometry


def stored(dataset: xr.Dataset, needed: Mapping[str, tuple[str, ...]]) -> Stored:
    """The weights of a file.

    Parameters
    ----------
    dataset : Dataset
    needed : name -> dimensions

    Raises
    ------
    FileError
        If the file is of a newer layout, its training failed, or it lacks a weight.
    """
    attributes = dataset.attrs
    if int(attributes["layout"]) > LAYOUT:
        raise FileError(f"the assimilator is stored in layout {attributes['layout']}; this one reads up to {LAYOUT}")
    if attributes["status"] != "ok":
        raise FileError(f"the training of this assimilator failed: {attributes.get('reason', 'no reason recorded')}")
    weights = {str(n).removeprefix("weight_"): dataset[n].values for n in dataset if str(n).startswith("weight_")}
    for name, dims in needed.items():
        if name not in weights or dataset[f"weight_{name}"].dims != dims:
            raise FileError(f"the assimilator file holds no weight_{name} with the dimensions ({', '.join(dims)})")
        if weights[name].dtype.kind not in "iuf" or not np.isfinite(weights[name]).all():
            raise FileError(f"weight_{name} of the assimilator file is not finite everywhere")
    return Stored(weights, geometry_of({**attributes, "size": int(attributes["size"])}))
