"""Every method: its settings, and the function that runs it."""

from collections.abc import Callable
from typing import Annotated, Any, get_args

from pydantic import Field

from assimilearn.assimilation import (
    blue,
    climatology,
    denkf,
    eakf,
    ekf,
    enkf,
    enkf_n,
    enks,
    enrts,
    esrf,
    etkf,
    fourdvar,
    hybrid,
    ienks,
    interpolation,
    letkf,
    letks,
    lienks,
    lpf,
    particle,
    threedvar,
)
from assimilearn.assimilation.settings import AnalysisSettings

AnyAnalysis = Annotated[
    climatology.ClimatologySettings
    | interpolation.InterpolationSettings
    | blue.BLUESettings
    | threedvar.ThreeDVarSettings
    | enkf.EnKFSettings
    | etkf.ETKFSettings
    | denkf.DEnKFSettings
    | esrf.ESRFSettings
    | enkf_n.EnKFNSettings
    | letkf.LETKFSettings
    | eakf.EAKFSettings
    | ekf.EKFSettings
    | particle.ParticleSettings
    | lpf.LPFSettings
    | enks.EnKSSettings
    | letks.LETKSSettings
    | enrts.EnRTSSettings
    | ienks.IEnKSSettings
    | lienks.LIEnKSSettings
    | fourdvar.FourDVarSettings
    | hybrid.HybridSettings,
    Field(discriminator="method"),
]
"""Settings of any method, told apart by ``method``."""

METHODS: dict[str, type[AnalysisSettings]] = {
    cls.model_fields["method"].default: cls for cls in get_args(get_args(AnyAnalysis)[0])
}
"""Name in the configuration -> class of settings."""

RUN: dict[str, Callable[..., Any]] = {
    "climatology": climatology.run,
    "interpolation": interpolation.run,
    "blue": blue.run,
    "3dvar": threedvar.run,
    "enkf": enkf.run,
    "etkf": etkf.run,
    "denkf": denkf.run,
    "esrf": esrf.run,
    "enkf-n": enkf_n.run,
    "letkf": letkf.run,
    "eakf": eakf.run,
    "ekf": ekf.run,
    "particle": particle.run,
    "lpf": lpf.run,
    "enks": enks.run,
    "letks": letks.run,
    "enrts": enrts.run,
    "ienks": ienks.run,
    "lienks": lienks.run,
    "4dvar": fourdvar.run,
    "hybrid": hybrid.run,
}
"""Name in the configuration -> ``run(problem, settings, rng) -> Record``."""
