"""4D-Var: the state at the start of a window whose forecast fits the observations in it, and errors of the model.

Le Dimet & Talagrand (1986), Tellus 38A, 97-110; incremental form: Courtier, Thepaut & Hollingsworth (1994), Q. J. R.
Meteorol. Soc. 120, 1367-1387. With x_0 = x_b + L v and B = L L^T the minimum over v of

    J(v) = |v|^2 / 2 + sum over times of |R^-1/2 (y - h(x_k))|^2 / 2,     x_k = M(x_k-1)

is found by Gauss-Newton steps (I + S^T S)^-1 (S^T d - v), S = R^-1/2 H M' L with the tangent linear model M', each
halved until J falls; or by L-BFGS with the gradient that automatic differentiation carries back through the model.

B is a multiple of the climatological covariance or of the identity. It is the error of a state that the observations of
a whole window have improved, so the right multiple depends on the network, the errors and the window: for Lorenz-96
0.002 if all sites are observed every 0.2 MTU, 0.007 with half of them moving, 0.0003 with these and errors of 0.2. One
that is too small by three loses the truth for good: the window holds on to a background that is wrong, the tangent
model carries its small variance to the innovations, and nothing corrects it. So by default the multiple follows the
innovations of the new times, d = y - h(M(x_b)) with variance diag(H M' B M'^T H^T) + R, as an adaptive inflation does
(:mod:`assimilearn.assimilation.cycling.scales`; Dee 1995, Mon. Wea. Rev. 123, 1128-1145, is the maximum likelihood
behind it). Its first guess is the share of the climatological variance that the first observations leave. It may change
by a factor of 1.6 from one time to the next: unlike an inflation it acts once on every window and does not accumulate.

With a ``model_error`` q the constraint is weak (Tremolet 2006, Q. J. R. Meteorol. Soc. 132, 2483-2504, in the form with
errors of the model as controls): x_k = M(x_k-1) + e_k at every observation time of the window, and J has |e_k|^2 / (2 m
q^2) besides, m the model steps from one time to the next. Independent errors after each step would have that variance,
but for their growth up to the next observation time. The controls are v and w_k = e_k / (q sqrt(m)): J stays well
conditioned for any q, and for q = 0 it is the strong form. For a linear model and a window with observations of its
own the analysis is that of the fixed-interval Kalman smoother.

The window reaches over ``window`` observation times after its start and slides by ``shift``; the newest ``shift``
times enter, the older ones are in x_b and in the errors e_k found before, which are the first guess of these. With a
shift of 1 this is the cycle of Bocquet & Sakov (2013), Nonlin. Processes Geophys. 20, 803-818 (single data
assimilation), and of DAPPER; with a shift as long as the window every window has observations of its own. Analyses are
those of the newest times of each window: its end, or all of it.

The spread is that of Gauss-Newton, from M' L (I + S^T S)^-1 L^T M'^T, and of the forecast from M' B M'^T.
Cost: for every iteration and model step in the window, n model steps with their gradients, and 2 n^2 c flops for c
controls, n or, with model error, n times one more than the observation times in the window; c^3/3 an iteration. With
L-BFGS one model step and its gradient, and once a window the same as for Gauss-Newton, for the spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from assimilearn.assimilation.background.linearized import first_spread
from assimilearn.assimilation.background.static import StaticSettings, unscaled_covariance
from assimilearn.assimilation.background.tangent import Linearization, differentiable_step, jacobians
from assimilearn.assimilation.cycling.divergence import give_up
from assimilearn.assimilation.cycling.model_error import model_error_std
from assimilearn.assimilation.cycling.record import Record, empty_record
from assimilearn.assimilation.cycling.scales import adapt, factor, scale
from assimilearn.assimilation.cycling.screening import check_limit
from assimilearn.assimilation.cycling.start import first_analysis, first_state
from assimilearn.assimilation.cycling.stepping import observations_at, write_analysis, write_forecast
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import ModelErrorSettings
from assimilearn.models.integrate import trajectory
from assimilearn.models.protocol import Model
from assimilearn.observations.observation_model import SITES, ObservationModel
from assimilearn.observations.operator_kernels import jacobian, observed
from assimilearn.observations.rows import differentiable_values

HALVINGS = 5
ADAPTIVE = {"std": 1.0, "walk": 0.05, "largest_step": 0.5}  # of the logarithm of the factor that gives B
SMALLEST = 1e-8  # of the standard deviations of B to those of the climatology
SCALE = "background_scale"


class FourDVarSettings(StaticSettings, ModelErrorSettings):
    """4D-Var with a static background covariance: strong-constraint, or weak-constraint if there is a model error."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True

    method: Literal["4dvar"] = "4dvar"
    background_scale: Annotated[float, Field(gt=0)] | Literal["adaptive"] = Field(  # type: ignore[assignment]
        "adaptive",
        description='factor on that covariance that gives B; "adaptive" follows the innovations: it is recorded as '
        "`background_scale(time)`",
    )
    model_error: Annotated[float, Field(ge=0)] | Literal["residual"] | None = Field(
        None,
        description="standard deviation of the error of one model step at every site, which makes the constraint weak; "
        '"residual" takes the one-step error that a trained emulator states; by default the model is perfect',
    )
    window: int = Field(4, ge=1, description="length of the window in observation times")
    shift: int = Field(
        1, ge=1, description="observation times by which the window slides, not more than its length; they are new"
    )
    minimizer: Literal["gauss-newton", "l-bfgs"] = Field("gauss-newton", description="how the minimum is sought")
    linearization: Linearization | None = Field(
        None,
        description="tangent linear model by automatic differentiation of the model's step, which torch must follow, "
        "or by central differences of it, which any model allows; by default differences, the faster ones, and "
        "with l-bfgs automatic differentiation",
    )
    iterations: int = Field(10, ge=1, description="largest number of iterations")
    tolerance: float = Field(
        1e-3, gt=0, description="stop when the step, in standard deviations of the background, is shorter than this"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.shift > self.window:
            raise ValueError("shift: the window cannot slide by more than its length")
        if self.minimizer == "l-bfgs" and self.linearization == "differences":
            raise ValueError('minimizer: "l-bfgs" needs the gradient of linearization "autodiff"')
        return self

    @property
    def tangent_model(self) -> Linearization:
        """``linearization``, or its default."""
        return self.linearization or ("autodiff" if self.minimizer == "l-bfgs" else "differences")


class Jump(NamedTuple):
    """An error of the model at one time of the window.

    Attributes
    ----------
    steps : int
        Model steps from the start.
    std : float
        Standard deviation, at every site.
    guess : ndarray (site,)
        The first guess.
    """

    steps: int
    std: float
    guess: np.ndarray


@dataclass(frozen=True)
class Window:
    """One problem of minimization.

    Attributes
    ----------
    model : Model
    start : ndarray (site,)
        The background x_b.
    root : ndarray (site, site)
        L.
    counts : list of int
        Model steps from the start to each time with new observations.
    observations : list of (y, variance, sites)
        At these times, each (observation,), whitened.
    observation : ObservationModel
    jumps : sequence of Jump
        Errors of the model, in the order of time; none for a perfect one.
    """

    model: Model
    start: np.ndarray
    root: np.ndarray
    counts: list[int]
    observations: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    observation: ObservationModel = SITES
    jumps: Sequence[Jump] = ()

    @property
    def controls(self) -> int:
        """Number of controls: of the state at the start, and of each error."""
        return len(self.start) * (1 + len(self.jumps))

    def part(self, j: int) -> slice:
        """Where the controls of jump j are."""
        return slice(len(self.start) * (1 + j), len(self.start) * (2 + j))

    def errors(self, v: np.ndarray) -> list[np.ndarray]:
        """The errors of the model at every jump, each (site,)."""
        return [jump.guess + jump.std * v[self.part(j)] for j, jump in enumerate(self.jumps)]

    def states(self, v: np.ndarray) -> np.ndarray:
        """The trajectory of the controls v, (step + 1, site)."""
        x, done, parts = self.start + self.root @ v[: len(self.start)], 0, []
        for jump, error in zip(self.jumps, self.errors(v), strict=True):
            path = trajectory(self.model, x, jump.steps - done)
            x, done = path[-1] + error, jump.steps
            parts.append(path[:-1])
        return np.concatenate([*parts, trajectory(self.model, x, self.counts[-1] - done)])

    def residuals(self, states: np.ndarray) -> np.ndarray:
        """R^-1/2 (y - h(M(x))) of all observations, (observation,)."""
        parts = [
            (y - self.observation.see(states[count][None], variance, sites)[0]) / np.sqrt(variance)
            for count, (y, variance, sites) in zip(self.counts, self.observations, strict=True)
        ]
        return np.concatenate(parts)

    def cost(self, v: np.ndarray) -> float:
        """J."""
        d = self.residuals(self.states(v))
        return float(v @ v + d @ d) / 2

    def tangents(self, states: np.ndarray, linearization: Linearization) -> np.ndarray:
        """Derivatives of the states at the times with new observations by the controls, (time, site, control)."""
        n = len(self.start)
        X = np.hstack([self.root, np.zeros((n, self.controls - n))])
        carried, jumps = {}, {jump.steps: j for j, jump in enumerate(self.jumps)}
        for step, M in enumerate(jacobians(self.model, states[:-1], linearization), start=1):
            X = M @ X
            if step in jumps:
                X[:, self.part(jumps[step])] = self.jumps[jumps[step]].std * np.eye(n)
            carried[step] = X
        return np.array([carried[count] for count in self.counts])

    def sensitivities(self, tangents: np.ndarray, states: np.ndarray) -> np.ndarray:
        """S, (observation, control), with the derivative of h at ``states (step, site)``."""
        parts = [
            self.observation.tangents(X, states[count], variance, sites) / np.sqrt(variance)[:, None]
            for X, count, (_, variance, sites) in zip(tangents, self.counts, self.observations, strict=True)
        ]
        return np.concatenate(parts)

    def cost_and_gradient(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        """J and its gradient (control,) by the adjoint model: torch carries the residuals back through the steps."""
        import torch

        control = torch.tensor(v, requires_grad=True)
        x = torch.tensor(self.start) + torch.tensor(self.root) @ control[: len(self.start)]
        total, jumps = control @ control / 2, {jump.steps: j for j, jump in enumerate(self.jumps)}
        new = dict(zip(self.counts, self.observations, strict=True))
        for step in range(1, self.counts[-1] + 1):
            x = differentiable_step(self.model, x)
            if step in jumps:
                jump = self.jumps[jumps[step]]
                x = x + torch.tensor(jump.guess) + jump.std * control[self.part(jumps[step])]
            if step in new:
                y, variance, sites = new[step]
                predicted = differentiable_values(x, sites, self.observation.operator)
                mix = self.observation.whitened(np.eye(y.size), variance, sites)
                residual = torch.tensor(y) - predicted @ torch.tensor(mix)
                total = total + (residual**2 / torch.tensor(variance)).sum() / 2
        (slope,) = torch.autograd.grad(total, control)
        return float(total.detach()), slope.numpy()


def minimize(window: Window, settings: FourDVarSettings) -> np.ndarray:
    """The v that minimizes J, (control,)."""
    if settings.minimizer == "l-bfgs":
        from scipy.optimize import minimize as search

        options = {"maxiter": 10 * settings.iterations, "gtol": settings.tolerance / 10, "ftol": 1e-15}
        zero = np.zeros(window.controls)
        return search(window.cost_and_gradient, zero, jac=True, method="L-BFGS-B", options=options).x
    v = np.zeros(window.controls)
    states = window.states(v)
    for _ in range(settings.iterations):
        S = window.sensitivities(window.tangents(states, settings.tangent_model), states)
        d = window.residuals(states)
        step = np.linalg.solve(np.eye(v.size) + S.T @ S, S.T @ d - v)
        here = (v @ v + d @ d) / 2
        for _ in range(HALVINGS):
            if window.cost(v + step) <= here:
                break
            step /= 2
        v = v + step
        states = window.states(v)
        if not np.sqrt(step @ step) > settings.tolerance:  # also where it is NaN
            break
    return v


def run(problem: Problem, settings: FourDVarSettings, rng: np.random.Generator) -> Record:
    """Slide the window over the observation times; nothing is drawn."""
    record, limit, K = empty_record(problem), check_limit(settings), problem.times.size
    error_std = model_error_std(settings, problem.model) * np.sqrt(problem.steps)
    path = first_analysis(problem, settings, first_state, record, rng)
    record.spread[0] = first_spread(problem, record)
    background = ScaledBackground(problem, settings, record)
    clock, start, newest = np.cumsum(problem.steps), 0, 0
    errors = np.zeros((K, problem.model.size))
    while newest < K - 1:
        new = range(newest + 1, min(newest + settings.shift, K - 1) + 1)
        newest = new[-1]
        slid = max(start, newest - settings.window)
        x, start = path[clock[slid] - clock[start]], slid
        erring = [k for k in range(start + 1, newest + 1) if error_std[k] > 0]
        jumps = [Jump(int(clock[k] - clock[start]), float(error_std[k]), errors[k]) for k in erring]
        counts = [int(clock[k] - clock[start]) for k in new]
        window = Window(problem.model, x, background.root(), counts, [], problem.observation, jumps)
        observations = write_forecasts(record, problem, window, new, limit, settings, background)
        if observations is None:
            give_up(record, new[0])
            return record
        window = replace(window, root=background.root(), observations=observations)
        v = minimize(window, settings)
        path = window.states(v)
        for k, error in zip(erring, window.errors(v), strict=True):
            errors[k] = error
        if not write_window(record, window, v, path, new, settings):
            give_up(record, new[0])
            return record
    return record


class ScaledBackground:
    """B, a multiple of a fixed covariance; the factor is given, or follows the innovations.

    Parameters
    ----------
    problem : Problem
    settings : FourDVarSettings
    record : Record
        Its spread at the first time, relative to that of the climatology, is the first guess.
    """

    def __init__(self, problem: Problem, settings: FourDVarSettings, record: Record) -> None:
        shape = unscaled_covariance(problem.background, settings)
        self.unscaled_root = symmetric_root(shape)
        self.adaptive = isinstance(settings.background_scale, str)
        if not isinstance(settings.background_scale, str):
            given = settings.background_scale**0.5
            self.state = scale(given, std=0.0, walk=0.0, low=given, high=given)
            return
        high = float(np.sqrt(problem.background.variance.mean() / np.diag(shape).mean()))
        first = float(np.sqrt(np.square(record.spread[0], dtype=float).mean() / np.diag(shape).mean()))
        low = SMALLEST * high
        self.state = scale(min(max(first, low), high), low=low, high=high, **ADAPTIVE)
        record.adapts({SCALE: "estimated factor on the unscaled background covariance"})
        record.adapted[0] = factor(self.state) ** 2

    def root(self) -> np.ndarray:
        """L, (site, site)."""
        return factor(self.state) * self.unscaled_root

    def adapt(self, record: Record, k: int, from_start: np.ndarray) -> None:
        """Follow the innovations of time k, in which the background has the variance ``from_start (observation,)``."""
        if not self.adaptive:
            return
        innovation, deviation = record.innovation[k].astype(float), record.innovation_std[k].astype(float)
        adapt(self.state, innovation, deviation, deviation**2 - from_start, record.used[k])
        record.adapted[k] = factor(self.state) ** 2


def write_forecasts(
    record: Record,
    problem: Problem,
    window: Window,
    new: range,
    limit: float,
    settings: FourDVarSettings,
    background: ScaledBackground,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]] | None:
    """Write the forecasts of the new times, and their innovations; the observations, or None if one is no state."""
    states, observations = window.states(np.zeros(window.controls)), []
    for k, count, X in zip(new, window.counts, window.tangents(states, settings.tangent_model), strict=True):
        mean, variance = states[count], (X**2).sum(axis=1)
        if not write_forecast(record, k, mean, variance):
            return None
        H = jacobian(mean, problem.sites[k], problem.observation.operator)
        predicted, parts = observed(mean[None], problem.sites[k], problem.observation.operator)[0], (H @ X) ** 2
        expected = predicted, parts.sum(axis=1)
        observations.append(observations_at(problem, record, k, mean, variance, limit, expected))
        background.adapt(record, k, parts[:, : mean.size].sum(axis=1))
    return observations


def write_window(
    record: Record, window: Window, v: np.ndarray, states: np.ndarray, new: range, settings: FourDVarSettings
) -> bool:
    """Write the analyses of the new times, from the trajectory of v; False if one is no state."""
    if not np.isfinite(states).all():
        return False
    tangents = window.tangents(states, settings.tangent_model)
    S = window.sensitivities(tangents, states)
    covariance = np.linalg.inv(np.eye(v.size) + S.T @ S)
    variances = [((X @ covariance) * X).sum(axis=1) for X in tangents]
    means = [states[count] for count in window.counts]
    return all(write_analysis(record, k, m, s) for k, m, s in zip(new, means, variances, strict=True))


def symmetric_root(B: np.ndarray) -> np.ndarray:
    """The symmetric square root; B of a short run may be singular."""
    values, vectors = np.linalg.eigh(B)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
