"""Ensemble smoother of Rauch, Tung & Striebel: a filter forwards, then regressions backwards over the whole run.

Raanes (2016), Q. J. R. Meteorol. Soc. 142, 1259-1264, eqs. 12-14. The filter is the ETKF and keeps all its ensembles.
From the last time back, with anomalies A_f of the forecast that began at the analysis E_a (anomalies A_a),

    E_s(k) = E_a(k) + (E_s(k+1) - E_f(k+1)) A_f(k+1)^+ A_a(k)

Where the forecast anomalies have full rank N - 1 this is the ensemble Kalman smoother (:mod:`assimilearn.assimilation.
enks`) with the whole run as its lag, member by member; with more members than sites it regresses on the sites, as the
smoother of a linear model does. Directions with less than ``RANK`` of the largest singular value are left out: the
ensembles are kept in single precision, and what has died out forwards must not grow backwards.

Every analysis is given all observations of the run, so choose settings by scores of the forecasts. Forecasts are the
filter's. Cost: that of the ETKF, a singular value decomposition of (N, n) for each time, and 8 N n bytes of memory.
"""

from typing import Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import centre, recompose, scaled
from assimilearn.assimilation.filtering import ensemble_filter, kept_times, run_filter
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.settings import EnsembleSettings
from assimilearn.assimilation.stepping import moments_of, write_analysis
from assimilearn.assimilation.transform import eigenvectors, transform

RANK = 1e-5


class EnRTSSettings(EnsembleSettings):
    """Ensemble Rauch-Tung-Striebel smoother over the whole run."""

    method: Literal["enrts"] = "enrts"
    inflation: float = Field(1.04, ge=1, description="factor on the anomalies of the analysis, after the update")


@njit(cache=True, error_model="numpy")
def enrts_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis of the filter, in place on E; no parameters, no noise."""
    mean = centre(E)
    d = scaled(Y, y, variance)
    eigenvalues, V = eigenvectors(Y)
    transform(E, mean, Y, d, eigenvalues, V)
    recompose(E, mean, 1.0)


def run(problem: Problem, settings: EnRTSSettings, rng: np.random.Generator) -> Record:
    """Filter forwards, smooth backwards."""
    wanted = kept_times(settings, problem.period)
    filter_ = ensemble_filter(enrts_update, settings)
    record = run_filter(problem, filter_, settings.model_copy(update={"keep_members": "all"}), rng)
    done = problem.times.size if record.diverged is None else record.diverged
    for k in range(done - 2, -1, -1):
        E, later = record.members[k].astype(float), record.members[k + 1].astype(float)
        forecast = record.forecast_members[k + 1].astype(float)
        inverse = np.linalg.pinv(forecast - forecast.mean(axis=0), rcond=RANK)
        E += (later - forecast) @ inverse @ (E - E.mean(axis=0))
        record.members[k] = E
        write_analysis(record, k, *moments_of(E))
    keep_only(record, wanted != 0)
    return record


def keep_only(record: Record, wanted: np.ndarray) -> None:
    """Drop the ensembles of the times that were not asked for."""
    record.kept = np.flatnonzero(wanted)
    if record.kept.size > 0:
        record.members, record.forecast_members = record.members[wanted], record.forecast_members[wanted]
    else:
        record.members = record.forecast_members = None
