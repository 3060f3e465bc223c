"""Climatology: the forecast is the mean of the training analyses, per site. The baseline of long leads."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr
from numba import njit

from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep

LOCAL = False


class ClimatologySettings(EmulatorSettings):
    """Climatology: the training mean, whatever the state."""

    method: Literal["climatology"] = "climatology"


def fit(training: Windows, validation: Windows, settings: ClimatologySettings, rng: np.random.Generator) -> Fitted:
    """The mean of the training targets, (site,)."""
    mean = xr.DataArray(
        training.targets.mean(axis=0), dims="site", attrs={"long_name": "mean of the training analyses"}
    )
    return Fitted({"mean": mean})


def shapes(settings: ClimatologySettings, size: int) -> dict[str, Shape]:
    """One mean a site."""
    return {"mean": (size,)}


def problems(weights: Mapping[str, np.ndarray], settings: ClimatologySettings) -> list[str]:
    """None beside those of shapes."""
    return []


def compiled(weights: Mapping[str, np.ndarray], settings: ClimatologySettings, geometry: Geometry) -> CompiledStep:
    """The step that replaces every state by the mean."""
    return CompiledStep(recall, np.ascontiguousarray(weights["mean"]))


@njit(cache=True)
def recall(E, parameters):
    """Replace every row of E (member, site) by the climatology (site,)."""
    for member in range(E.shape[0]):
        for i in range(E.shape[1]):
            E[member, i] = parameters[i]
