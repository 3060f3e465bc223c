"""Hybrid of ensemble and 3D-Var: the mean sees a blend of both background covariances, the perturbations an ETKF.

Hamill & Snyder (2000), Mon. Wea. Rev. 128, 2905-2919, eq. 4, with the localised ensemble covariance of Lorenc (2003),
Q. J. R. Meteorol. Soc. 129, 3183-3203, section 3. With anomalies A (member, site), taper C and static weight alpha

    P = alpha B + (1 - alpha) C o A^T A / (N - 1),       x_a = x_f + P H^T (H P H^T + R)^-1 (y - h(x_f)),

x_f the ensemble mean and H the derivative of h there. The perturbations are updated by the ensemble covariance alone,
with the symmetric transform of :mod:`assimilearn.assimilation.algebra.transform`, and set around x_a, as in Wang,
Barker, Snyder & Hamill (2008), Mon. Wea. Rev. 136, 5116-5131; Hamill & Snyder perturb observations instead. They
minimise a cost function, of which x_a is the minimum in closed form. The memory of a model, which B knows nothing of,
is updated by the ETKF, mean and perturbations.

The ensemble gives B the errors of the day, B gives a small ensemble the directions that it lacks. With weight 1 the
mean is that of 3D-Var, with weight 0 and no localisation that of the ETKF. The recorded spread is that of P before and
of (I - K H) P after the update; kept members have their own.
Cost: p^3/3 + n^2 (N + p) flops, the transform, and N model runs.
"""

from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra.small import centre, recompose, scaled
from assimilearn.assimilation.algebra.transform import transform
from assimilearn.assimilation.background.static import StaticSettings, static_covariance
from assimilearn.assimilation.cycling.forecasting import forecast_model
from assimilearn.assimilation.cycling.inflation import rotation_numbers
from assimilearn.assimilation.cycling.model_error import model_error_std
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import (
    at_sites_alone,
    forecast,
    inflate_members,
    moments_of,
    write_analysis,
    write_members,
)
from assimilearn.assimilation.cycling.stepwise import stepwise
from assimilearn.assimilation.local.taper_functions import taper_matrix
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import EnsembleSettings, FieldSettings
from assimilearn.models.geometry import Geometry
from assimilearn.observations.operator_kernels import jacobian, observed


class HybridSettings(FieldSettings, StaticSettings, EnsembleSettings):
    """Hybrid of ensemble and static background covariances."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    method: Literal["hybrid"] = "hybrid"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: float = Field(1.06, ge=1, description="factor on the anomalies of the analysis, after the update")
    static_weight: float = Field(
        0.3, ge=0, le=1, description="weight of the static covariance in the blend; the rest is that of the ensemble"
    )
    localization_radius: float | None = Field(
        None, gt=0, description="of the ensemble's covariance, as for letkf; by default it is not localized"
    )
    taper: Literal["gaspari_cohn", "boxcar", "gaussian"] = Field(
        "gaspari_cohn", description="function of distance by which the ensemble's covariance is multiplied"
    )

    @property
    def local(self) -> bool:
        """Whether the ensemble's covariance is localized."""
        return self.localization_radius is not None


@njit(cache=True, error_model="numpy")
def update_around(x, E, Y, y, variance):
    """Set the perturbations of the ETKF's analysis around x (site,), in place on E; Y is overwritten.

    A memory after the sites has the mean of the ETKF.
    """
    mean = centre(E)
    d = scaled(Y, y, variance)
    transform(E, mean, Y, d)
    mean[: x.size] = x
    recompose(E, mean, 1.0)


def run(problem: Problem, settings: HybridSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    start_rng, model_rng, _, rotation_rng = rng.spawn(4)  # those of a filter, whose update draws from the third
    static, error_std = static_covariance(problem.background, settings), model_error_std(settings, problem.model)
    model, operator = forecast_model(problem.model, settings), problem.observation.operator
    C = tapering(settings, problem.geometry)
    with stepwise(problem, settings, start_rng) as run:
        E = run.first
        for k in run.times:
            forecast(model, E, int(problem.steps[k]), error_std, model_rng)
            states = at_sites_alone(E, problem.model.size)
            mean, _ = moments_of(states)
            A = states - mean
            P = settings.static_weight * static + (1 - settings.static_weight) * C * (A.T @ A) / (len(E) - 1)
            H = jacobian(mean, problem.sites[k], operator)
            predicted = observed(mean[None], problem.sites[k], operator)[0], ((H @ P) * H).sum(axis=1)
            observations = run.observations(k, E, (mean, np.diag(P)), predicted)
            mean, variance = analyse(problem, settings, E, mean, P, *observations, rotation_rng)
            write_members(run.record, run.keep, k, E)
            run.go_on(k, write_analysis(run.record, k, mean, variance))
    return run.record


def tapering(settings: HybridSettings, geometry: Geometry) -> np.ndarray | float:
    """C (site, site); 1 without localisation."""
    if settings.localization_radius is None:
        return 1.0
    return taper_matrix(geometry, settings.taper, settings.localization_radius, settings.field_factors(geometry))


def analyse(
    problem: Problem,
    settings: HybridSettings,
    E: np.ndarray,
    mean: np.ndarray,
    P: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    sites: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Update E (member, site + memory) in place with the observations of one time.

    Returns
    -------
    mean, variance : ndarray (site,)
        Of the analysis: its members' mean, and the diagonal of (I - K H) P.
    """
    if sites.size == 0:
        return mean, np.diag(P)
    HP = problem.observation.tangents(P, mean, variance, sites)
    S = problem.observation.tangents(HP.T, mean, variance, sites) + np.diag(variance)
    gain = np.linalg.solve(S, HP)  # K^T
    moved = mean + (y - problem.observation.see(mean[None], variance, sites)[0]) @ gain
    prior = E.copy()
    seen = problem.observation.see(at_sites_alone(E, mean.size), variance, sites)
    update_around(moved, E, seen, y, variance)
    inflate_members(E, prior, settings, rng.standard_normal(rotation_numbers(settings)), mean.size)
    return moved, np.maximum(np.diag(P) - (HP * gain).sum(axis=0), 0)
