"""Score filter: members of the analysis are drawn by running a diffusion backwards, with the score of the posterior.

Bao, Zhang & Zhang (2024), Comput. Methods Appl. Mech. Engrg. 432, 117447 (ensemble score filter), training-free: a
diffusion leads from the forecast (pseudo-time t = 0) to noise (t = 1),

    z_t = a x + b e,    a = 1 - (1 - eps_a) t,    b^2 = eps_b + (1 - eps_b) t,    e ~ N(0, I),

and its score, the gradient of ln q_t(z), is known from the members x_j alone. For the draw that begins at z_j,

    s(z_j, t) = -(z_j - a x_j) / b^2                                                                          (members)
    s(z_j, t) = -(a^2 P + b^2 I)^-1 (z_j - a m)                                                               (gaussian)

with m and P (localised on request) the moments of the ensemble. The first one is that of the authors' program, the
mixture of all members with a mini-batch of one: each draw goes back to a member of its own, so that no member is lost.
The weights of the whole mixture come down to one in more than a few dimensions, draws then are members drawn with
replacement, and the spread is gone within tens of analyses. To the score the gradient of the likelihood is added:

    (1 - t) H(z)^T R^-1 (y - h(z)),                           as in the paper                                  (damped)
    D^T H^T (H C H^T + R)^-1 (y - h(mu)),    mu = E(x | z), C = cov(x | z), D = d mu / dz                     (matched)

with the moments of x given z_t under the Gaussian prior (Boys et al. 2023, arXiv 2310.06721). H is the derivative of h,
so any operator serves; in the second form h(mu) and H are means over N(mu, C) (:meth:`Likelihood.matched`). For a
linear h and a Gaussian prior `gaussian` with `matched` is the exact posterior. The damped one is a guess that the paper
found to work: what its members weigh against the observations is eps_b, about the variance of the forecast, in squared
units of the state.

``sampler: sde`` draws by the reverse diffusion, ``flow`` follows the ordinary differential equation with the same
distributions, which takes each draw of the noise to a member of the analysis. Steps are those of Euler; the damped
likelihood is taken implicitly along each site, so that precise observations need no small steps. With the prior
`gaussian` a draw belongs to no member of the forecast, so that no memory of the model could go with it: models with
memory are refused. Cost of an analysis: steps (N n) for the members' score, steps (N p^3 + n^3) for matched moments.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.polynomial.hermite import hermgauss
from pydantic import Field, model_validator

from assimilearn.assimilation.cycling.forecasting import forecast_model
from assimilearn.assimilation.cycling.inflation import rotation_numbers
from assimilearn.assimilation.cycling.model_error import model_error_std
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.stepping import forecast, inflate_members, write_members
from assimilearn.assimilation.cycling.stepwise import stepwise
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
        0.05, gt=0, lt=1, description="eps_a: what is left of the forecast in the noise at pseudo-time 1"
    )
    first_variance: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="eps_b: variance of the noise at pseudo-time 0, in squared units of the state; for the prior "
        '"members" it stands for the variance of the forecast, and is 0.025 by default, else 0',
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
    def left_at_first(self) -> float:
        """eps_b."""
        members = 0.025 if self.prior == "members" else 0.0
        return members if self.first_variance is None else self.first_variance

    def noising(self, t: float) -> "Noising":
        """The diffusion at the pseudo-time t."""
        return Noising.at(t, self.last_scale, self.left_at_first)

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
    def at(cls, t: float, last_scale: float, first_variance: float) -> "Noising":
        """At the pseudo-time t, 0 <= t <= 1."""
        a, b2 = 1 - (1 - last_scale) * t, first_variance + (1 - first_variance) * t
        f = -(1 - last_scale) / a
        return cls(a, b2, f, 1 - first_variance - 2 * f * b2)


Score = Callable[[np.ndarray, Noising], np.ndarray]


def score_of_members(E: np.ndarray) -> Score:
    """Score of draws Z (member, site), each around the member of the same number."""

    def score(Z: np.ndarray, noising: Noising) -> np.ndarray:
        return (noising.a * E - Z) / noising.b2

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


NODES = hermgauss(15)[0] * np.sqrt(2), hermgauss(15)[1] / np.sqrt(np.pi)
"""Nodes and weights of Gauss-Hermite quadrature over N(0, 1)."""


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
        """Gradient of ln p(y | z) with the moments of the state given z, (row, site).

        A function f of u = w x, where u has the variance s^2 given z, is replaced by its mean and its mean slope over
        N(w mu, s^2), and the variance that this line leaves unexplained is added to R: where f is flat at mu, and
        would be steep at the truth, a tangent at mu would throw the state far beyond it.
        """
        mu, C, D = prior.given(Z, noising)
        weights = jacobian(mu[0], self.sites, self.operator.linear_part)
        U, of_sums = mu @ weights.T, weights @ C
        S = of_sums @ weights.T
        if self.operator.direct or self.operator.linear:
            solved = np.linalg.solve(S + np.diag(self.variance), (self.y - U).T).T
            return (solved @ weights) @ D
        mean, slope, unexplained = self.expected(U, np.sqrt(np.maximum(S.diagonal(), 0.0)))
        total = slope[:, :, None] * S * slope[:, None, :]
        total[:, range(self.y.size), range(self.y.size)] += self.variance + unexplained
        solved = np.linalg.solve(total, (self.y - mean)[:, :, None])[:, :, 0]
        return ((slope * solved) @ weights) @ D

    def expected(self, U: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean of f, mean slope, and what the line of that slope leaves of the variance of f, each (row, observation).

        Over N(u, std^2) for each ``U (row, observation)``, by Gauss-Hermite quadrature; ``std (observation,)``.
        """
        numbers, function = np.arange(self.sites.size), self.operator.function[self.sites]
        alone = self.operator._replace(site=numbers[:, None], weight=np.ones((numbers.size, 1)), function=function)
        mean, square, slope = np.zeros((3, *U.shape))
        for node, weight in zip(*NODES, strict=True):
            at = np.ascontiguousarray(U + node * std)
            f = observed(at, numbers, alone)
            mean, square = mean + weight * f, square + weight * f**2
            slope = slope + weight * slopes(at, numbers, alone)
        return mean, slope, np.maximum(square - mean**2 - (slope * std) ** 2, 0.0)


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
    if (
        gaussian is not None
    ):  # the mean counts, since the flow forgets nothing; the members' draws begin as the authors'
        Z += settings.noising(1.0).a * gaussian.mean
    dt = 1 / settings.pseudo_steps
    half = 0.5 if settings.sampler == "flow" else 1.0  # the flow takes half of the score, and no noise
    for step in range(settings.pseudo_steps):
        t = 1 - step * dt
        now = settings.noising(t)
        rate = half * now.g2 * dt
        S = score(Z, now)
        if settings.likelihood == "matched" and gaussian is not None:
            Z = Z - now.f * dt * Z + rate * (S + likelihood.matched(Z, gaussian, now))
        else:
            gradient, curvature = likelihood.damped(Z)
            moved = -now.f * dt * Z + rate * (S + (1 - t) * gradient)
            Z = Z + moved / (1 + rate * (1 - t) * curvature)
        if settings.sampler == "sde" and step < settings.pseudo_steps - 1:
            Z = Z + np.sqrt(now.g2 * dt) * rng.standard_normal(Z.shape)
    return Z


def run(problem: Problem, settings: ScoreFilterSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    start_rng, model_rng, score_rng, rotation_rng = rng.spawn(4)
    model, error_std = forecast_model(problem.model, settings), model_error_std(settings, problem.model)
    taper = tapering(problem, settings)
    with stepwise(problem, settings, start_rng) as run:
        E = run.first
        for k in run.times:
            forecast(model, E, int(problem.steps[k]), error_std, model_rng)
            y, variance, sites = run.observations(k, E)
            if y.size > 0:
                prior = E.copy()
                likelihood = Likelihood(y, variance, sites, problem.observation.operator)
                E[:] = drawn(prior, likelihood, settings, score_rng, taper)
                inflate_members(
                    E, prior, settings, rotation_rng.standard_normal(rotation_numbers(settings)), E.shape[1]
                )
            run.go_on(k, write_members(run.record, run.keep, k, E))
    return run.record


def tapering(problem: Problem, settings: ScoreFilterSettings) -> np.ndarray | None:
    """Taper (site, site) of the covariance; None without localization."""
    if settings.localization_radius is None:
        return None
    factors = settings.field_factors(problem.geometry)
    return taper_matrix(problem.geometry, "gaspari_cohn", settings.localization_radius, factors)
