"""Forecast models and what can be said of them: dynamics, integration, climate, Lyapunov exponents."""

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import xarray as xr
from pydantic import ValidationError

from assimilearn.errors import FileError
from assimilearn.models.protocol import CompiledStep, Model, PhysicalModel
from assimilearn.models.settings import ModelSettings
from assimilearn.registry import part_in_file, part_of
from assimilearn.unions import OneOf

if TYPE_CHECKING:
    from assimilearn.models.lorenz96 import Lorenz96, Lorenz96Settings

__all__ = [
    "AnyModel",
    "CompiledStep",
    "Lorenz96",
    "Lorenz96Settings",
    "Model",
    "ModelSettings",
    "PhysicalModel",
    "build",
    "open_model",
]

AnyModel: TypeAlias = Annotated[ModelSettings, OneOf("model")]
"""Settings of any physical model, told apart by ``method``."""


def __getattr__(name: str) -> Any:
    """Lorenz-96, which brings the compiler, is imported only where it is used."""
    if name not in ("Lorenz96", "Lorenz96Settings"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assimilearn.models import lorenz96

    return getattr(lorenz96, name)


def build(settings: ModelSettings) -> PhysicalModel:
    """The model that ``settings`` describe."""
    model: PhysicalModel = part_of("model", settings.method).implementation.build(settings)
    return model


def open_model(dataset: xr.Dataset) -> PhysicalModel:
    """The physical model that a climatology file (see :mod:`assimilearn.models.climate`) describes.

    Raises
    ------
    FileError
        If the file names no model that is known here, or its settings are not those of that model.
    """
    part = part_in_file(dataset.attrs, "model")
    try:
        return build(part.settings.model_validate_json(dataset.attrs.get("settings", "")))  # type: ignore[arg-type]
    except ValidationError as error:
        raise FileError(f"the settings of the {part.name} model in the file cannot be used: {error}") from error
