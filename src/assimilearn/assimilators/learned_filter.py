"""A filter whose settings, and perhaps the parameters of its model, are learned by gradients through many cycles.

Chen, Sanz-Alonso & Willett (2022), SIAM J. Math. Data Sci. 4, 801-833 (auto-differentiable ensemble Kalman filter,
algorithm 4.2): windows of the record one after the other, the ensemble carried on from one to the next; of each window
the innovation likelihood is a function of the settings and the parameters, whose gradient flows through forecasts and
analyses. They learn the model; inflation and localization are learned here by the same gradient, together with it.

What is learned is positive, and its logarithm is what moves, but for parameters of the model, which move in units of
their first guess. With the objective rmse the truth is asked for, with the others the observations are all.
The file holds numbers; the analysis runs the compiled filter with them, and the model with its parameters.
Cost of training: 3 to 4 times that of the filter in torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from assimilearn.assimilation.cycling.inflation import inflate
from assimilearn.assimilation.cycling.start import first_ensemble
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.methods.enkf import enkf_update
from assimilearn.assimilation.methods.etkf import etkf_update
from assimilearn.assimilation.methods.letkf import letkf_update
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilators.distances import distances
from assimilearn.assimilators.files import Fitted, stored
from assimilearn.assimilators.filters import scores
from assimilearn.assimilators.filters.cycle import Cycle, Observed, run
from assimilearn.assimilators.gridded import AtSites
from assimilearn.assimilators.settings import AssimilatorSettings
from assimilearn.emulators.networks.training import reproducibly
from assimilearn.errors import SettingsError
from assimilearn.models import build
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import DifferentiableInParameters, Model
from assimilearn.periods import TRAIN

Setting = Literal["inflation", "localization_radius", "error_scale"]
KERNELS = {"etkf": etkf_update, "enkf": enkf_update, "letkf": letkf_update}


class LearnedFilterSettings(AssimilatorSettings):
    """An ensemble filter whose settings, and parameters of its model, are learned."""

    method: Literal["learned-filter"] = "learned-filter"
    filter: Literal["etkf", "enkf", "letkf"] = Field("etkf", description="the method, as among the analyses")
    members: int = Field(30, ge=2, description="size N of the ensemble")
    inflation: float = Field(1.05, ge=1, description="factor on the anomalies, with which training begins")
    localization_radius: float = Field(4.0, gt=0, description="radius of the letkf, with which training begins")
    error_scale: float = Field(
        1.0, gt=0, description="factor on the stated observation error std, with which training begins"
    )
    learn: list[Setting] = Field(["inflation"], description="settings of the filter that are learned")
    parameters: dict[str, float] = Field(
        {}, description="parameters of the model that are learned, with their first guesses"
    )
    objective: Literal["likelihood", "crps", "energy_score", "rmse"] = Field(
        "likelihood",
        description="what is to be small: minus the log likelihood of the innovations, proper scores of the forecast "
        "of observations, or the rmse of the analysis, which needs the truth",
    )
    iterations: int = Field(200, ge=1, description="steps of the gradient method, each on a window of its own")
    window: int = Field(20, ge=1, le=1000, description="cycles that the gradient goes back through")
    learning_rate: float = Field(0.03, gt=0, description="largest step of Adam; it falls as a cosine")
    checkpoints: bool = Field(False, description="recompute each cycle in the backward pass, to save memory")

    @model_validator(mode="after")
    def _something_is_learned(self) -> "LearnedFilterSettings":
        if not self.learn and not self.parameters:
            raise ValueError("learn: name a setting to learn, or parameters of the model")
        if "localization_radius" in self.learn and self.filter != "letkf":
            raise ValueError(f"learn: {self.filter} has no localization_radius; letkf has")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        """With the truth only if the analysis is held against it."""
        return (*super().needs, *(["truth"] if self.objective == "rmse" else []))

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there are no distances for the letkf."""
        if self.filter == "letkf":
            geometry.need_space("localization (learned-filter)")


def fit(
    problem: Problem, settings: LearnedFilterSettings, rng: np.random.Generator, truth: np.ndarray | None = None
) -> Fitted:
    """Learn the numbers; ``loss`` is the mean over the iterations of each tenth of training."""
    with reproducibly(0):
        names = [*settings.learn, *settings.parameters]
        unknowns = Unknowns(settings, names)
        history = learn(problem, settings, unknowns, rng, truth)
        values = unknowns.values()
    stages = np.array_split(np.array(history), min(10, len(history)))
    loss = np.array([stage.mean() for stage in stages])
    found = {name: float(value.detach()) for name, value in values.items()}
    numbers = {name: getattr(settings, name) for name in ("inflation", "localization_radius", "error_scale")} | found
    arrays = {
        name: xr.DataArray(float(v), attrs={"long_name": f"{name}, learned or given"}) for name, v in numbers.items()
    }
    failure = "" if np.isfinite([*loss, *found.values()]).all() else "the filter diverged in training"
    done = np.cumsum([len(stage) for stage in stages])
    counted = {"parameters": len(names), "training_analyses": settings.iterations * settings.window}
    return Fitted(
        arrays, loss, loss, done, counted | {f"learned_{name}": value for name, value in found.items()}, failure
    )


class Unknowns:
    """What is learned, as one vector in which it moves freely."""

    def __init__(self, settings: LearnedFilterSettings, names: list[str]):
        import torch

        self.names, self.own = names, settings.parameters
        start = [0.0 if n in self.own else np.log(_above(settings, n)) for n in names]
        self.vector = torch.tensor(start, dtype=torch.float64, requires_grad=True)

    def values(self) -> dict[str, Any]:
        """Name -> tensor."""
        found = {}
        for k, name in enumerate(self.names):
            if name in self.own:
                found[name] = self.own[name] + max(abs(self.own[name]), 1.0) * self.vector[k]
            elif name == "inflation":
                found[name] = 1 + self.vector[k].exp()
            else:
                found[name] = self.vector[k].exp()
        return found


def _above(settings: LearnedFilterSettings, name: str) -> float:
    """What is positive of the first guess: of the inflation what is above 1."""
    value: float = getattr(settings, name)
    return max(value - 1, 1e-3) if name == "inflation" else value


def learn(
    problem: Problem,
    settings: LearnedFilterSettings,
    unknowns: Unknowns,
    rng: np.random.Generator,
    truth: np.ndarray | None,
) -> list[float]:
    """Move the unknowns; the loss of every window, per cycle."""
    import torch

    windows = Windows(problem, settings, rng, truth)
    optimizer = torch.optim.Adam([unknowns.vector], lr=settings.learning_rate)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 0.5 * (1 + np.cos(np.pi * k / settings.iterations)))
    history = []
    for _ in range(settings.iterations):
        optimizer.zero_grad()
        loss = windows.next(unknowns.values()) / settings.window
        loss.backward()
        torch.nn.utils.clip_grad_norm_([unknowns.vector], 10.0)
        gradient = unknowns.vector.grad
        if gradient is not None and bool(torch.isfinite(gradient).all()):
            optimizer.step()
        rate.step()
        history.append(float(loss.detach()))
    return history


class Windows:
    """The windows of the training period one after the other, and the ensemble that goes through them."""

    def __init__(
        self, problem: Problem, settings: LearnedFilterSettings, rng: np.random.Generator, truth: np.ndarray | None
    ):
        import torch

        self.problem, self.settings, self.rng, self.truth = problem, settings, rng, truth
        self.sees, self.step = AtSites.of(problem), differentiable_step(problem.model, settings.parameters)
        self.period = np.flatnonzero(problem.period == TRAIN)
        if self.period.size <= settings.window:
            raise SettingsError(f"the training period is too short for a window of {settings.window} times")
        local = settings.filter == "letkf"
        self.distance = torch.as_tensor(distances(problem.geometry)) if local else None
        self.begin()

    def begin(self) -> None:
        """Start anew from what the first observations of the period make of the climatology."""
        import torch

        self.at = int(self.period[0])
        here = self.problem.window(self.at, self.at + 1)
        E = first_ensemble(here, here.valid[0] != 0, self.rng, self.settings.members)[1]
        self.E = torch.as_tensor(E)

    def next(self, values: dict[str, Any]) -> Any:
        """The score of the next window as a function of the ``values``; the ensemble goes on to its end."""
        import torch

        if self.at + self.settings.window > self.period[-1]:
            self.begin()
        observed = [self.observed(self.at + 1 + k) for k in range(self.settings.window)]
        given = {
            n: values.get(n, getattr(self.settings, n)) for n in ("inflation", "localization_radius", "error_scale")
        }
        own = {n: values[n] for n in self.settings.parameters}
        steps = self.problem.steps[self.at + 1 : self.at + 1 + self.settings.window]
        if np.unique(steps).size != 1:
            raise SettingsError("a filter is learned on observation times that are equally far apart")
        cycle = Cycle(
            step=lambda E: self.step(E, own, int(steps[0])),
            method=self.settings.filter,
            inflation=given["inflation"],
            distance=self.distance,
            radius=given["localization_radius"],
            error_scale=given["error_scale"],
            sees=self.sees.differentiable,
        )
        total, E = run(self.E, cycle, observed, self.scored(given["error_scale"]), self.settings.checkpoints)
        self.at += self.settings.window
        self.E = E.detach()
        if not bool(torch.isfinite(self.E).all()):
            self.begin()
        return total

    def observed(self, k: int) -> Observed:
        """The observations of time k, with random numbers."""
        import torch

        chosen = self.problem.valid[k] != 0
        y, variance, rows = (a[k, chosen] for a in (self.problem.value, self.problem.variance, self.problem.sites))
        noise = self.rng.standard_normal((self.settings.members, self.problem.model.size + y.size))
        arrays = (np.ascontiguousarray(y), np.ascontiguousarray(variance), self.sees.site[rows], noise)
        return Observed(*(torch.as_tensor(a) for a in arrays))

    def scored(self, error_scale: Any) -> Callable[[Any, Any, Observed, int], Any]:
        """The objective as a function of forecast, analysis and observations of one time."""
        import torch

        objective, first = self.settings.objective, self.at + 1

        def score(forecast: Any, analysis: Any, at: Observed, k: int) -> Any:
            if objective == "rmse":
                assert self.truth is not None
                return scores.rmse(analysis, torch.as_tensor(self.truth[first + k]))
            seen, variance = self.sees.differentiable(forecast)[:, at.sites], at.variance * error_scale**2
            if objective == "likelihood":
                return scores.innovation_likelihood(seen, at.y, variance)
            noisy = seen + variance**0.5 * at.noise[:, forecast.shape[1] :]
            return (scores.crps if objective == "crps" else scores.energy_score)(noisy, at.y)

        return score


def differentiable_step(model: Model, parameters: dict[str, float]) -> Callable[[Any, dict[str, Any], int], Any]:
    """``step(E, values, steps)``: some model steps with the parameters at these values.

    Raises
    ------
    SettingsError
        If torch cannot differentiate the model, or it has no such parameters.
    """
    if not isinstance(model, DifferentiableInParameters):
        raise SettingsError("a filter is learned with a physical model that torch can differentiate")
    for name in parameters:
        if name not in model.parameters:
            raise SettingsError(f"the model has no parameter {name!r} to learn; it has {', '.join(model.parameters)}")

    def step(E: Any, values: dict[str, Any], steps: int) -> Any:
        for _ in range(steps):
            E = model.differentiable_at(E, values)
        return E

    return step


# ---- in the cycle --------------------------------------------------------------------------------------------------

NUMBERS = {name: () for name in ("inflation", "localization_radius", "error_scale")}


@dataclass(frozen=True)
class LearnedFilter:
    """The compiled filter with what was learned.

    Attributes
    ----------
    settings : LearnedFilterSettings
    numbers : name -> value
    sites : number of sites, for random numbers
    """

    settings: LearnedFilterSettings
    numbers: dict[str, float]
    sites: int

    @property
    def members(self) -> int:
        """Size of the ensemble."""
        return self.settings.members

    @property
    def draws(self) -> int:
        """Those of perturbed observations, at most one a site."""
        return self.settings.members * self.sites if self.settings.filter == "enkf" else 0

    def forecaster(self, model: Model) -> Model:
        """The model with the parameters that were learned."""
        learned = {name: self.numbers[name] for name in self.settings.parameters}
        if not learned:
            return model
        if not isinstance(model, DifferentiableInParameters):
            raise SettingsError("the learned filter has parameters for a physical model: give it that model")
        physical: Any = model
        return build(physical.settings.model_copy(update=learned))

    def begin(self, problem: Problem) -> "LearnedFilterRun":
        """A run over the observations of a problem."""
        if problem.observation.correlated:
            raise SettingsError("a learned filter takes observations with independent errors only")
        if self.settings.filter == "enkf" and problem.value.shape[1] > self.sites:
            raise SettingsError("the learned enkf takes no more observations at a time than there are sites")
        return LearnedFilterRun(self, problem)


class LearnedFilterRun:
    """One run of the compiled update, and the inflation after it."""

    def __init__(self, step: LearnedFilter, problem: Problem):
        self.update, self.numbers = KERNELS[step.settings.filter], step.numbers
        self.parameters = np.empty(0)
        self.forecast_variance = self.analysis_variance = np.empty(0)
        if step.settings.filter == "letkf":
            geometry, radius = problem.geometry, self.numbers["localization_radius"]
            direct = problem.observation.operator.direct
            places = None if direct else problem.observation.correlation.places
            self.parameters = encoded("gaspari_cohn", radius, geometry.positions, geometry.periods, places)

    def analyse(self, E: Any, Y: Any, y: Any, variance: Any, sites: Any, noise: Any) -> None:
        """The update of the filter, in place on E; nothing without observations."""
        if y.size == 0:
            return
        self.update(E, Y, y, variance * self.numbers["error_scale"] ** 2, sites, self.parameters, noise)
        inflate(E, E, E[0], np.array([self.numbers["inflation"]]), noise)


def opened(dataset: xr.Dataset) -> LearnedFilter:
    """The filter of a file."""
    settings = LearnedFilterSettings.model_validate_json(dataset.attrs["settings"])
    weights, geometry = stored(dataset, NUMBERS | {name: () for name in settings.parameters})
    return LearnedFilter(settings, {name: float(value) for name, value in weights.items()}, geometry.size)
