"""Every method: its settings, and the function that runs it."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field

from assimilearn.assimilation import blue, climatology, enkf, etkf, interpolation, threedvar
from assimilearn.assimilation.settings import AnalysisSettings

METHODS: dict[str, type[AnalysisSettings]] = {
    "climatology": climatology.ClimatologySettings,
    "interpolation": interpolation.InterpolationSettings,
    "blue": blue.BLUESettings,
    "3dvar": threedvar.ThreeDVarSettings,
    "enkf": enkf.EnKFSettings,
    "etkf": etkf.ETKFSettings,
}
"""Name in the configuration -> class of settings."""

RUN: dict[str, Callable[..., Any]] = {
    "climatology": climatology.run,
    "interpolation": interpolation.run,
    "blue": blue.run,
    "3dvar": threedvar.run,
    "enkf": enkf.run,
    "etkf": etkf.run,
}
"""Name in the configuration -> ``run(problem, settings, rng) -> Record``."""

AnyAnalysis = Annotated[reduce(or_, METHODS.values()), Field(discriminator="method")]
"""Settings of any method, told apart by ``method``."""
