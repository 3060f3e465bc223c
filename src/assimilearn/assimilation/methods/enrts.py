"""Ensemble smoother of Rauch, Tung & Striebel: a filter forwards, then regressions backwards over the whole run.

Raanes (2016), Q. J. R. Meteorol. Soc. 142, 1259-1264, eqs. 12-14. The filter is the ETKF and keeps all its ensembles.
From the last time back, with anomalies A_f of the forecast that began at the analysis E_a (anomalies A_a),

    E_s(k) = E_a(k) + memory (E_s(k+1) - E_f(k+1)) A_f(k+1)^+ A_a(k)

Where the forecast anomalies have full rank N - 1 and nothing is inflated, this is the ensemble Kalman smoother
(:mod:`assimilearn.assimilation.methods.enks`) with the whole run as its lag, member by member; with more members than
sites it regresses on the sites, as the smoother of a linear model does. A ``memory`` of 1 is the exact smoother of a
linear model. In a chaotic one the errors of a small, inflated ensemble in directions that die out forwards grow
backwards without end, so less than 1 is needed: it forgets what comes from far. Then members must stay themselves, so
that there is no rotation. Directions with less than ``RANK`` of the largest singular value are left out, since the
ensembles are kept in single precision.

Every analysis is given all observations of the run, so choose settings by scores of the forecasts. Forecasts are the
filter's. Cost: that of the ETKF, a singular value decomposition of (N, n) for each time, and 8 N n bytes of memory.
"""

from typing import ClassVar, Literal, Self

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from assimilearn.assimilation.algebra.small import centre, recompose, scaled
from assimilearn.assimilation.algebra.transform import transform
from assimilearn.assimilation.cycling.filtering import ensemble_filter, run_filter
from assimilearn.assimilation.cycling.record import Record, kept_times
from assimilearn.assimilation.cycling.stepping import moments_of, write_analysis
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import EnsembleSettings

RANK = 1e-5


class EnRTSSettings(EnsembleSettings):
    """Ensemble Rauch-Tung-Striebel smoother over the whole run."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    method: Literal["enrts"] = "enrts"
    inflation: float = Field(1.04, ge=1, description="factor on the anomalies of the analysis, after the update")
    memory: float = Field(
        0.9, gt=0, le=1, description="factor on what each analysis takes from the next one; 1 for a linear model"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.rotation and self.memory < 1:
            raise ValueError("rotation: a memory below 1 mixes each member with what it becomes: it must not be turned")
        return self


@njit(cache=True, error_model="numpy")
def enrts_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis of the filter, in place on E; no parameters, no noise."""
    mean = centre(E)
    d = scaled(Y, y, variance)
    transform(E, mean, Y, d)
    recompose(E, mean, 1.0)


def run(problem: Problem, settings: EnRTSSettings, rng: np.random.Generator) -> Record:
    """Filter forwards, smooth backwards."""
    wanted = kept_times(settings, problem.period)
    filter_ = ensemble_filter(enrts_update, settings)
    record = run_filter(problem, filter_, settings.model_copy(update={"keep_members": "all"}), rng)
    members, forecasts = record.members, record.forecast_members
    assert members is not None  # by the settings above every time is kept
    assert forecasts is not None
    done = problem.times.size if record.diverged is None else record.diverged
    for k in range(done - 2, -1, -1):
        E, later = members[k].astype(float), members[k + 1].astype(float)
        forecast = forecasts[k + 1].astype(float)
        inverse = np.linalg.pinv(forecast - forecast.mean(axis=0), rcond=RANK)
        E += settings.memory * (later - forecast) @ inverse @ (E - E.mean(axis=0))
        members[k] = E
        write_analysis(record, k, *moments_of(E))
    record.kept = np.flatnonzero(wanted)
    any_kept = record.kept.size > 0
    record.members = members[record.kept] if any_kept else None
    record.forecast_members = forecasts[record.kept] if any_kept else None
    return record
