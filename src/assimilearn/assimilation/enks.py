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
from assimilearn.assimilation.filtering import model_error_std
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.rotations import rotate
from assimilearn.assimilation.settings import EnsembleSettings
from assimilearn.assimilation.stepping import forecast, moments_of, write_members
from assimilearn.assimilation.stepwise import Stepwise
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


class Smoother(Stepwise):
    """Carries the augmented ensemble Z (member, time and site): its first block is the present, the next the past."""

    def __init__(self, problem: Problem, settings: EnKSSettings, rng: np.random.Generator):
        start_rng, self.model_rng, _, self.treatment_rng = rng.spawn(4)
        super().__init__(problem, settings, start_rng)
        self.settings, self.error_std = settings, model_error_std(settings, problem.model)
        self.Z = np.tile(self.present, settings.lag + 1)  # blocks of times before the first are never read

    def forecast(self, k: int) -> None:
        n = self.problem.model.size
        self.Z[:, n:] = self.Z[:, :-n].copy()
        forecast(self.problem.model, self.present, int(self.problem.steps[k]), self.error_std, self.model_rng)
        self.Z[:, :n] = self.present

    def analyse(self, k: int, y: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> bool:
        if sites.size > 0:
            prior, treatment = self.present, treatment_of(self.settings)
            enks_update(self.Z, self.problem.instrument.see(prior, variance, sites), y, variance)
            if treatment.size > 0:
                noise = self.treatment_rng.standard_normal(treatment_noise(self.settings))
                self.Z = treated(self.Z, prior, treatment, noise)
        self.present = np.ascontiguousarray(self.Z[:, : self.problem.model.size])
        if k >= self.settings.lag:
            self.write(k, self.settings.lag)
        return bool(np.isfinite(self.present).all())

    def finish(self) -> None:
        last = self.problem.times.size - 1
        for behind in range(min(self.settings.lag, last + 1)):
            self.write(last, behind)

    def write(self, k: int, behind: int) -> None:
        """Write the analysis of the time that is ``behind`` times before k."""
        n = self.problem.model.size
        write_members(self.record, self.keep, k - behind, self.Z[:, behind * n : (behind + 1) * n])


def run(problem: Problem, settings: EnKSSettings, rng: np.random.Generator) -> Record:
    """Cycle the augmented ensemble."""
    return Smoother(problem, settings, rng).run()


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
