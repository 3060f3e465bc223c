"""Ensemble optimal interpolation: one forecast, and covariances of a static ensemble of states of a free run.

Evensen (2003), Ocean Dyn. 53, 343-367, section 5, eq. 68; Oke, Allen, Miller, Egbert & Kosro (2002), J. Geophys. Res.
107, 3098. With anomalies A (state, site) of K states of the free run, taper C and alpha in 0 ... 1

    B = alpha C o A^T A / (K - 1),     x_a = x_f + B H^T (H B H^T + R)^-1 (y - H x_f).

alpha makes the variance of a climate that of a forecast error. C acts on the covariance, whose rank it raises; no
matrix of all sites is formed (:mod:`assimilearn.assimilation.background.static_ensemble`). The states are those that
the climate file keeps (``climate: {states: 200}``).
Cost: one model run, K m n flops for m observations in reach of a site, and p^3 / 3.
"""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from assimilearn.assimilation.background.static import run_in_blocks
from assimilearn.assimilation.background.static_ensemble import StaticEnsemble
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import CycledSettings
from assimilearn.errors import SettingsError


class EnOISettings(CycledSettings):
    """Ensemble optimal interpolation with the states that the climate file keeps."""

    needs_states: ClassVar[bool] = True

    method: Literal["enoi"] = "enoi"
    background_scale: float = Field(
        0.1, gt=0, description="alpha: factor on the covariance of the static ensemble that gives B"
    )
    localization_radius: float = Field(
        10.0, gt=0, description="in sites, on the covariance: standard deviation of the Gaussian that the taper follows"
    )

    @property
    def local(self) -> bool:
        """It asks for distances between sites."""
        return True


def run(problem: Problem, settings: EnOISettings, rng: np.random.Generator) -> Record:
    """Cycle one state."""
    ensemble = static_ensemble(problem, settings.localization_radius)
    return run_in_blocks(problem, settings, ensemble, settings.background_scale, rng)


def static_ensemble(problem: Problem, localization_radius: float) -> StaticEnsemble:
    """The states of the climate file, as a background.

    Raises
    ------
    SettingsError
        If it holds fewer than two, or the model has no space.
    """
    problem.geometry.need_space("localization (enoi)")
    background = problem.background
    if len(background.states) < 2:
        raise SettingsError("enoi needs states of the free run: set `climate.states`, 100 or more")
    if isinstance(background, StaticEnsemble):
        return replace(background, localization_radius=localization_radius)
    parts = background.mean, background.states, problem.geometry, localization_radius
    return StaticEnsemble(*parts, background.frequency, background.spectrum)
