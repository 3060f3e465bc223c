"""Forecast models and what can be said of them: dynamics, integration, climate, Lyapunov exponents."""

import xarray as xr
from pydantic import ValidationError

from assimilearn.errors import FileError
from assimilearn.kernels import compile_alike
from assimilearn.models.lorenz96 import Lorenz96, Lorenz96Settings
from assimilearn.models.protocol import CompiledStep, Model, PhysicalModel

__all__ = ["CompiledStep", "Lorenz96", "Lorenz96Settings", "Model", "PhysicalModel", "build", "open_model"]

compile_alike()

SETTINGS = {"lorenz96": Lorenz96Settings}


def build(settings: Lorenz96Settings) -> PhysicalModel:
    """The model that ``settings`` describe."""
    return Lorenz96(settings)


def open_model(dataset: xr.Dataset) -> PhysicalModel:
    """The physical model that a model file (see :mod:`assimilearn.models.climate`) describes.

    Raises
    ------
    FileError
        If the file names no model that is known here, or its settings are not those of that model.
    """
    method = dataset.attrs.get("method")
    if method not in SETTINGS:
        raise FileError(f"not a file of a physical model: its method is {method!r}, known are {', '.join(SETTINGS)}")
    try:
        return build(SETTINGS[method].model_validate_json(dataset.attrs.get("settings", "")))
    except ValidationError as error:
        raise FileError(f"the settings of the {method} model in the file cannot be used: {error}") from error
