"""Ensemble Kalman smoother with a fixed lag, by the ensemble transform.

Evensen & van Leeuwen (2000), Mon. Wea. Rev. 128, 1852-1867, with the filter of the symmetric ensemble transform
(:mod:`assimilearn.assimilation.algebra.transform`) where the paper perturbs the observations; see
:mod:`assimilearn.assimilation.cycling.smoothing` for the loop. Without inflation this is the smoother of Rauch, Tung &
Striebel (Raanes 2016, Q. J. R. Meteorol. Soc. 142, 1259-1264).
Cost: that of the ETKF, and a product of order N^2 n lag.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.small import centre, recompose, scaled
from assimilearn.assimilation.algebra.transform import transform
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.smoothing import LaggedSettings, run_smoother
from assimilearn.assimilation.problem import Problem


class EnKSSettings(LaggedSettings):
    """Ensemble Kalman smoother with a fixed lag, by the ensemble transform."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["enks"] = "enks"
    inflation: float = Field(1.04, ge=1, description="factor on the anomalies of the analysis, after the update")


@njit(cache=True, error_model="numpy")
def enks_update(Z, Y, y, variance, sites):
    """One analysis, in place on the augmented ensemble Z (member, time and site + memory); Y may be overwritten."""
    mean = centre(Z)
    d = scaled(Y, y, variance)
    transform(Z, mean, Y, d)
    recompose(Z, mean, 1.0)


def run(problem: Problem, settings: EnKSSettings, rng: np.random.Generator) -> Record:
    """Cycle the augmented ensemble."""
    return run_smoother(problem, settings, enks_update, rng)
