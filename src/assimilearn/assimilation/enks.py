"""Ensemble Kalman smoother with a fixed lag: each observation also improves the analyses of the times before it.

Evensen & van Leeuwen (2000), Mon. Wea. Rev. 128, 1852-1867: the ensemble Kalman filter of the state augmented by those
of the last ``lag`` observation times. The past members take the same weights as the present ones: no model is run
backwards, no adjoint is needed. The filter here is the ETKF (:mod:`assimilearn.assimilation.transform`) where the
paper perturbs the observations. A rotation turns the augmented ensemble as a whole, since members must stay together;
inflation and relaxation act on the present alone: repeated at every later time they would let the past grow in
directions that no observation corrects, to a larger error and far too large a spread. Without inflation this is the
smoother of Rauch, Tung & Striebel (Raanes 2016, Q. J. R. Meteorol. Soc. 142, 1259-1264).

Analyses are those of the smoother: given the observations up to ``lag`` times later. The forecasts are the filter's.
Cost: that of the ETKF, and a product of order N^2 n lag.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import centre, recompose, scaled
from assimilearn.assimilation.filtering import (
    check_limit,
    ensemble_filter,
    first_analysis,
    give_up,
    kept_times,
    model_error_std,
)
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record, empty_record
from assimilearn.assimilation.rotations import rotate
from assimilearn.assimilation.settings import EnsembleSettings
from assimilearn.assimilation.stepping import (
    forecast,
    keep_forecast,
    moments_of,
    observations_at,
    predicted_by,
    write_forecast,
    write_members,
)
from assimilearn.assimilation.transform import transform
from assimilearn.assimilation.treatment import treat, treatment_noise, treatment_of


class EnKSSettings(EnsembleSettings):
    """Ensemble Kalman smoother with a fixed lag, by the ensemble transform."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["enks"] = "enks"
    inflation: float = Field(1.04, ge=1, description="factor on the anomalies of the analysis, after the update")
    lag: int = Field(10, ge=0, description="observation times after its own that improve an analysis")


@njit(cache=True, error_model="numpy")
def enks_update(Z, Y, y, variance):
    """One analysis, in place on the augmented ensemble Z (member, time and site); Y may be overwritten."""
    mean = centre(Z)
    d = scaled(Y, y, variance)
    transform(Z, mean, Y, d)
    recompose(Z, mean, 1.0)


def run(problem: Problem, settings: EnKSSettings, rng: np.random.Generator) -> Record:
    """Cycle the augmented ensemble: its first block is the present, the others go back in time."""
    start_rng, model_rng, _, treatment_rng = rng.spawn(4)
    error_std, treatment = model_error_std(settings, problem.model), treatment_of(settings)
    record, keep = empty_record(problem), kept_times(settings, problem.period)
    E = first_analysis(problem, ensemble_filter(None, settings), settings, record, start_rng, keep)
    n, K = problem.model.size, problem.times.size
    Z = np.tile(E, settings.lag + 1)  # blocks of times before the first are never read
    for k in range(1, K):
        Z[:, n:] = Z[:, :-n].copy()
        forecast(problem.model, E, int(problem.steps[k]), error_std, model_rng)
        Z[:, :n] = E
        mean, variance = moments_of(E)
        if not write_forecast(record, k, mean, variance):
            give_up(record, k)
            return record
        keep_forecast(record, keep, k, E)
        predicted = predicted_by(problem, E, k)
        y, r, sites = observations_at(problem, record, k, mean, variance, check_limit(settings), predicted)
        if sites.size > 0:
            prior = E.copy()
            enks_update(Z, problem.instrument.see(E, r, sites), y, r)
            if treatment.size > 0:
                Z = treated(Z, prior, treatment, treatment_rng.standard_normal(treatment_noise(settings)))
        E = np.ascontiguousarray(Z[:, :n])
        if not np.isfinite(E).all():
            give_up(record, k)
            return record
        if k >= settings.lag:
            write_members(record, keep, k - settings.lag, Z[:, -n:])
    for behind in range(min(settings.lag, K)):
        write_members(record, keep, K - 1 - behind, Z[:, behind * n : (behind + 1) * n])
    return record


def treated(Z: np.ndarray, prior: np.ndarray, treatment: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Z with its present treated, and its past turned by the same rotation; ``prior`` is the forecast ensemble."""
    n = prior.shape[1]
    present, past = Z[:, :n].copy(), Z[:, n:].copy()
    treat(present, prior, np.sqrt(moments_of(prior)[1]), treatment, noise)
    if noise.size > 0 and past.size > 0:
        mean = centre(past)
        rotate(past, noise)
        recompose(past, mean, 1.0)
    return np.hstack([present, past])
