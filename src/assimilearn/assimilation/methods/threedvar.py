"""3D-Var: forecast by the model, analysis with a fixed background covariance.

The minimum of J(x) = (x - x_f)^T B^-1 (x - x_f) / 2 + (y - H x)^T R^-1 (y - H x) / 2 (Lorenc 1986, Q. J. R. Meteorol.
Soc. 112, 1177-1194, eq. 11), which for a linear H is x_f + B H^T (H B H^T + R)^-1 (y - H x_f): written
so, no iteration is needed. A nonlinear h is replaced by its tangent at the forecast: one step towards the minimum.
:mod:`assimilearn.assimilation.background.cost` has J, its gradient and its minimizer.
B is a multiple of the climatological covariance, or of the identity: forecast errors are far smaller than the climate's
variability, and the denser the network, the smaller (0.02 for Lorenz-96 with every site observed at every step).
Cost: p^3/3 + n p flops, and one model run.
"""

from typing import ClassVar, Literal

import numpy as np

from assimilearn.assimilation.background.linearized import about_forecast, run_linearized
from assimilearn.assimilation.background.static import (
    StaticSettings,
    run_in_blocks,
    static_covariance,
    static_update,
    write_spread,
)
from assimilearn.assimilation.cycling.filtering import Filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.start import first_state
from assimilearn.assimilation.problem import Problem


class ThreeDVarSettings(StaticSettings):
    """3D-Var with a scaled climatological background covariance, or a multiple of the identity."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["3dvar"] = "3dvar"


def run(problem: Problem, settings: ThreeDVarSettings, rng: np.random.Generator) -> Record:
    """Cycle one state. The spread is the square root of the diagonal of (I - K H) B."""
    if problem.observation.direct and not problem.background.is_matrix and settings.background == "climatology":
        return run_in_blocks(problem, settings, problem.background, settings.background_scale, rng)
    B = static_covariance(problem.background, settings)
    if not problem.observation.direct:
        return run_linearized(problem, settings, B, about_forecast, rng)
    method = Filter(static_update, B.ravel(), first_state, static_variance=np.diag(B).copy())
    record = run_filter(problem, method, settings, rng)
    write_spread(record, problem, B)
    return record
