"""Score filter: members of the analysis are drawn by running a diffusion backwards, with the score of the posterior.

Bao, Zhang & Zhang (2024), Comput. Methods Appl. Mech. Engrg. 432, 117447 (ensemble score filter), training-free: a
diffusion leads from the forecast (pseudo-time t = 0) to noise (t = 1),

    z_t = a x + b e,    a = 1 - (1 - eps) t,    b^2 = t,    e ~ N(0, I),

and its score, the gradient of ln q_t(z), is known from the members x_j alone:

    s(z, t) = -sum over j of w_j (z - a x_j) / b^2,    w_j proportional to exp(-|z - a x_j|^2 / (2 b^2))      (members)
    s(z, t) = -(a^2 P + b^2 I)^-1 (z - a m)                                                                   (gaussian)

with m and P (localised on request) the moments of the ensemble. To it the gradient of the likelihood is added:

    (1 - t) H(z)^T R^-1 (y - h(z)),                           as in the paper                                  (damped)
    D^T H^T (H C H^T + R)^-1 (y - h(mu)),    mu = E(x | z), C = cov(x | z), D = d mu / dz                     (matched)

with the moments of x given z_t under the Gaussian prior (Boys et al. 2023, arXiv 2310.06721). H is the derivative of h,
so any operator serves. For a linear h and a Gaussian prior `gaussian` with `matched` is the exact posterior; the
damped one is a guess that the paper found to work.

``sampler: sde`` draws by the reverse diffusion, ``flow`` follows the ordinary differential equation with the same
distributions, which takes each draw of the noise to a member of the analysis. Steps are those of Euler; the damped
likelihood is taken implicitly along each site, so that precise observations need no small steps. Cost of an analysis:
steps (N^2 n) for the members' score, steps (N p^3 + N n^2) for matched moments.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from assimilearn.assimilation.cycling.forecasting import forecast_model
from assimilearn.assimilation.cycling.model_error import model_error_std
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import forecast, treat_members, write_members
from assimilearn.assimilation.cycling.stepwise import stepwise
from assimilearn.assimilation.cycling.treatment import treatment_noise
from assimilearn.assimilation.local.taper_functions import taper_matrix
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import EnsembleSettings, FieldSettings
from assimilearn.observations.operator_kernels import jacobian, observed, slopes


class ScoreFilterSettings(FieldSettings, EnsembleSettings):
    """Score filter: the analysis is drawn by a diffusion run backwards, or by its flow."""

    any_operator: ClassVar[bool] = True

    method: Literal["score-filter"] = "score-filter"
    members: int = Field(20, ge=2, description="size N of the ensemble")
    prior: Literal["members", "gaussian"] = Field("members", description="what the score of the forecast is made from")
    likelihood: Literal["damped", "matched"] = Field(
        "damped", description="gradient of the likelihood: as in the paper, or by moments of the state given z"
    )
    sampler: Literal["sde", "flow"] = Field("sde", description="reverse diffusion, or the flow with its distributions")
    pseudo_steps: int = Field(100, ge=2, description="steps from noise to the analysis")
    last_scale: float = Field(
        0.05, gt=0, lt=1, description="eps: what is left of the forecast in the noise at pseudo-time 1"
    )
    localization_radius: float | None = Field(
        None, gt=0, description="of the gaussian prior's covariance, as for letkf; by default it is not localized"
    )

    @model_validator(mode="after")
    def _matched_moments(self) -> "ScoreFilterSettings":
        if self.likelihood == "matched" and self.prior != "gaussian":
            raise ValueError('likelihood: matched moments are those of the prior "gaussian"')
        if self.localization_radius is not None and self.prior != "gaussian":
            raise ValueError('localization_radius: only the prior "gaussian" has a covariance')
        return self

    @property
    def local(self) -> bool:
        """Whether the method asks for distances between sites."""
        return self.localization_radius is not None


class Noising(NamedTuple):
    """The diffusion at one pseudo-time: z = a x + b e; drift f z and diffusion g of its differential equation."""

    a: float
    b2: float
    f: float
    g2: float

    @classmethod
    def at(cls, t: float, last_scale: float) -> "Noising":
        """At the pseudo-time t, 0 < t <= 1."""
        a = 1 - (1 - last_scale) * t
        f = -(1 - last_scale) / a
        return cls(a, t, f, 1 - 2 * f * t)


Score = Callable[[np.ndarray, Noising], np.ndarray]


def score_of_members(E: np.ndarray) -> Score:
    """That of a mixture of Gaussians around the scaled members, for Z (row, site)."""

    def score(Z: np.ndarray, noising: Noising) -> np.ndarray:
        a, b2 = noising.a, noising.b2
        square = (Z**2).sum(axis=1)[:, None] - 2 * a * Z @ E.T + a**2 * (E**2).sum(axis=1)
        log_weight = -square / (2 * b2)
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        return (a * weight @ E - Z) / b2

    return score


class Gaussian(NamedTuple):
    """Mean m and covariance P = V diag(l) V^T of the forecast."""

    mean: np.ndarray
    values: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, E: np.ndarray, taper: np.ndarray | None) -> "Gaussian":
        """That of an ensemble, its covariance multiplied by a taper (site, site)."""
        mean = E.mean(axis=0)
        P = (E - mean).T @ (E - mean) / (len(E) - 1)
        values, vectors = np.linalg.eigh(P if taper is None else P * taper)
        return cls(mean, np.maximum(values, 0.0), vectors)

    def score(self, Z: np.ndarray, noising: Noising) -> np.ndarray:
        """-(a^2 P + b^2 I)^-1 (z - a m) for Z (row, site)."""
        modes = (Z - noising.a * self.mean) @ self.vectors
        return -(modes / (noising.a**2 * self.values + noising.b2)) @ self.vectors.T

    def given(self, Z: np.ndarray, noising: Noising) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """mu (row, site), C and D (site, site) of the state given z."""
        a, values, V = noising.a, self.values, self.vectors
        total = a**2 * values + noising.b2
        gain = a * values / total
        mu = self.mean + ((Z - a * self.mean) @ V * gain) @ V.T
        return mu, (V * (values * noising.b2 / total)) @ V.T, (V * gain) @ V.T


class Likelihood(NamedTuple):
    """Observations of one time, and what they are of."""

    y: np.ndarray
    variance: np.ndarray
    sites: np.ndarray
    operator: Any

    def damped(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient of ln p(y | z) and the diagonal of H^T R^-1 H, each (row, site)."""
        Y = observed(np.ascontiguousarray(Z), self.sites, self.operator)
        steep, D = slopes(np.ascontiguousarray(Z), self.sites, self.operator), (self.y - Y) / self.variance
        return adjoint_and_curvature(steep, D, self.variance, self.sites, self.operator.rows, Z.shape[1])

    def matched(self, Z: np.ndarray, prior: Gaussian, noising: Noising) -> np.ndarray:
        """Gradient of ln p(y | z) with the moments of the state given z, (row, site)."""
        mu, C, D = prior.given(Z, noising)
        gradient = np.empty_like(Z)
        linear = self.operator.direct or self.operator.linear
        solve = None
        for j in range(len(Z)):
            if solve is None or not linear:
                H = jacobian(mu[j], self.sites, self.operator)
                solve = np.linalg.solve(H @ C @ H.T + np.diag(self.variance), H @ D)
            departure = self.y - observed(mu[j : j + 1], self.sites, self.operator)[0]
            gradient[j] = departure @ solve
        return gradient


@njit(cache=True, error_model="numpy")
def adjoint_and_curvature(steep, D, variance, sites, operator, n):
    """H(z)^T d for each row of D (row, observation), and the diagonal of H^T R^-1 H, each (row, site).

    ``steep (row, observation)`` is the derivative of the functions, ``operator`` the rows that observations refer to.
    """
    gradient, curvature = np.zeros((D.shape[0], n)), np.zeros((D.shape[0], n))
    for j in range(D.shape[0]):
        for o in range(sites.size):
            if operator.function.size == 0:
                gradient[j, sites[o]] += D[j, o]
                curvature[j, sites[o]] += 1 / variance[o]
                continue
            row = sites[o]
            for c in range(operator.site.shape[1]):
                factor = steep[j, o] * operator.weight[row, c]
                gradient[j, operator.site[row, c]] += factor * D[j, o]
                curvature[j, operator.site[row, c]] += factor**2 / variance[o]
    return gradient, curvature


def drawn(
    E: np.ndarray,
    likelihood: Likelihood,
    settings: ScoreFilterSettings,
    rng: np.random.Generator,
    taper: np.ndarray | None = None,
) -> np.ndarray:
    """The analysis ensemble of the forecast E (member, site)."""
    gaussian = Gaussian.of(E, taper) if settings.prior == "gaussian" else None
    score = gaussian.score if gaussian is not None else score_of_members(E)
    Z = rng.standard_normal(E.shape)
    dt = 1 / settings.pseudo_steps
    half = 0.5 if settings.sampler == "flow" else 1.0  # the flow takes half of the score, and no noise
    for step in range(settings.pseudo_steps):
        t = 1 - step * dt
        now = Noising.at(t, settings.last_scale)
        pull = half * now.g2 * dt
        S = score(Z, now)
        if settings.likelihood == "matched" and gaussian is not None:
            Z = Z - now.f * dt * Z + pull * (S + likelihood.matched(Z, gaussian, now))
        else:
            gradient, curvature = likelihood.damped(Z)
            moved = -now.f * dt * Z + pull * (S + (1 - t) * gradient)
            Z = Z + moved / (1 + pull * (1 - t) * curvature)
        if settings.sampler == "sde" and step < settings.pseudo_steps - 1:
            Z = Z + np.sqrt(now.g2 * dt) * rng.standard_normal(Z.shape)
    return Z


def run(problem: Problem, settings: ScoreFilterSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    start_rng, model_rng, score_rng, treatment_rng = rng.spawn(4)
    model, error_std = forecast_model(problem.model, settings), model_error_std(settings, problem.model)
    taper = tapering(problem, settings)
    with stepwise(problem, settings, start_rng) as run:
        E = run.first
        for k in run.times:
            forecast(model, E, int(problem.steps[k]), error_std, model_rng)
            y, variance, sites = run.observations(k, E)
            if y.size > 0:
                prior = E.copy()
                likelihood = Likelihood(y, variance, sites, problem.instrument.operator)
                E[:] = drawn(prior, likelihood, settings, score_rng, taper)
                treat_members(E, prior, settings, treatment_rng.standard_normal(treatment_noise(settings)))
            run.go_on(k, write_members(run.record, run.keep, k, E))
    return run.record


def tapering(problem: Problem, settings: ScoreFilterSettings) -> np.ndarray | None:
    """Taper (site, site) of the covariance; None without localization."""
    if settings.localization_radius is None:
        return None
    factors = settings.field_factors(problem.geometry)
    return taper_matrix(problem.geometry, "gaspari_cohn", settings.localization_radius, factors)
