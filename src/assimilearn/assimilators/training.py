"""Train a network through the cycle: forecast, analysis, forecast, ..., with the gradient of it all.

The forecast model stands in the loop, so the network learns from the errors that its own analyses lead to, and not from
those of another method. Each of many trajectories starts at a random time of the training period, from what the first
observations make of the climatology, as every run does; the states are kept from one iteration to the next. The loss
of a cycle is

    |x_a - x|^2 / (n s^2)                           held against the truth x, or
    |(y - h(x_f)) / sigma|^2 / p    of the next time held against observations alone:

the error of an observation is independent of the forecast, so that the forecast with the smallest innovations is the
best one, and no truth is needed. s is the climatological, sigma the observation error's standard deviation.

Trajectories that have just begun are far from the truth, and their squares would outweigh those of all others: above
``CAP`` times the median the loss of a trajectory counts as its square root does (Huber 1964, Ann. Math. Statist. 35).
What is validated and kept is a running mean of the weights (Polyak & Juditsky 1992, SIAM J. Control Optim. 30).
"""

import copy
import logging
from typing import Any, NamedTuple

import numpy as np

from assimilearn.assimilation.cycling.start import first_state
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilators.network import Scaling, grid_of, inputs
from assimilearn.assimilators.settings import NetworkSettings
from assimilearn.errors import SettingsError
from assimilearn.models.protocol import Differentiable
from assimilearn.periods import TRAIN, VALIDATION

logger = logging.getLogger(__name__)

STARTS = 500  # places in the training period where trajectories may start
CAP = 4.0  # times the median loss of trajectories, from which on one has less weight
FAR = 10.0  # climatological standard deviations beyond which a trajectory is lost, and starts anew
VALIDATION_ROWS, VALIDATION_SPINUP = 8, 125  # pieces of the validation period, and their first analyses, not scored


class Trained(NamedTuple):
    """What training leaves.

    Attributes
    ----------
    loss, validation_loss : ndarray (stage,)
        Mean over the iterations since the last stage, and of the validation period after them.
    iteration : ndarray (stage,)
        Iterations done.
    failure : str
        Why the weights are unusable; empty if they are not.
    """

    loss: np.ndarray
    validation_loss: np.ndarray
    iteration: np.ndarray
    failure: str = ""


class Series(NamedTuple):
    """A period as tensors (time, site), float32; ``truth`` is empty where it is not to be seen."""

    value: Any
    error_std: Any
    observed: Any
    truth: Any


class Cycle:
    """One cycle of many trajectories with a network, in torch.

    Parameters
    ----------
    problem : Problem
        Its model can be differentiated, and its observation times are equally many steps apart.
    module : torch.nn.Module
    """

    def __init__(self, problem: Problem, module: Any):
        import torch

        steps = np.unique(problem.steps[1:])
        if steps.size != 1:
            raise SettingsError("an assimilator is trained on observation times that are equally far apart")
        if not isinstance(problem.model, Differentiable):
            raise SettingsError("an assimilator is trained with a forecast model that torch can differentiate")
        self.scaling = Scaling.of(problem)
        self.module, self.model, self.steps = module, problem.model, int(steps[0])
        self.grid = grid_of(problem.geometry)
        self.mean, self.std, self.scale = (
            torch.as_tensor(a, dtype=torch.float32)
            for a in (self.scaling.mean, self.scaling.std, self.scaling.sees.scale)
        )

    def forecast(self, x: Any) -> Any:
        """The states (row, site) at the next observation time."""
        for _ in range(self.steps):
            x = self.model.differentiable(x)
        return x

    def analysis(self, forecast: Any, memory: Any, series: Series, at: Any) -> tuple[Any, Any, Any]:
        """Analysis, innovations over sigma, both (row, site), and the memory, for rows at the times ``at``."""
        value, error_std, observed = series.value[at], series.error_std[at], series.observed[at]
        seen = self.scaling.sees.differentiable(forecast)
        given = inputs(forecast, seen, value, error_std, observed, (self.mean, self.std, self.scale), self.grid)
        increment, memory = self.module(*given, memory)
        analysis = forecast + self.std * increment.reshape(forecast.shape)
        inside = analysis.clamp(self.mean - FAR * self.std, self.mean + FAR * self.std)  # lost, but not yet overflowing
        return inside, given[1].reshape(forecast.shape), memory

    def no_memory(self, rows: int) -> Any:
        """The memory with which a trajectory begins."""
        import torch

        return torch.zeros(rows, self.module.memory, *self.grid[1:])


def series_of(problem: Problem, truth: np.ndarray | None, scaling: Scaling) -> Series:
    """Everything that is observed, and the truth if it may be seen, (time, site)."""
    import torch

    gridded = scaling.sees.gridded(problem.value, problem.variance, problem.sites, problem.valid)
    state = np.empty((0, problem.model.size)) if truth is None else truth
    return Series(*(torch.as_tensor(np.asarray(a, dtype=np.float32)) for a in (*gridded, state)))


def train_network(
    problem: Problem, truth: np.ndarray | None, module: Any, settings: NetworkSettings, rng: np.random.Generator
) -> Trained:
    """Train the module in place; at the end it has the weights of the best stage, by the validation period.

    Parameters
    ----------
    problem : Problem
    truth : ndarray (time, site) or None
    module : torch.nn.Module
    settings : NetworkSettings
    rng : numpy.random.Generator
    """
    import torch

    module.to(memory_format=torch.channels_last)
    cycle = Cycle(problem, module)
    series = series_of(problem, truth, cycle.scaling)
    rows = Trajectories(problem, cycle, settings, rng)
    optimizer = torch.optim.Adam(module.parameters(), lr=settings.learning_rate)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: rate_factor(settings, k))
    averaged = running_mean(module, settings.averaging)
    judged = Cycle(problem, averaged.module)
    best, best_score = copy.deepcopy(module.state_dict()), np.inf
    stages, total, count = [], 0.0, 0
    ends = np.unique(np.linspace(0, settings.iterations, settings.validations + 1).astype(int)[1:])
    module.train()
    for k in range(1, settings.iterations + 1):
        optimizer.zero_grad()
        loss = unrolled_loss(cycle, series, rows, settings)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), settings.clip)
        if torch.isfinite(norm):  # else some forecast has blown up: its trajectory starts anew, this step is not taken
            optimizer.step()
            averaged.update_parameters(module)
            total, count = total + float(loss.detach()), count + 1
        rate.step()
        rows.replace_lost()
        if k in ends:
            averaged.eval()
            score = validation_score(judged, series, problem, truth is not None)
            stages.append((total / max(count, 1), score, k))
            logger.info("%d of %d iterations: loss %.5f, validation %.5f", k, settings.iterations, *stages[-1][:2])
            total, count = 0.0, 0
            if score < best_score:
                best, best_score = copy.deepcopy(averaged.module.state_dict()), score
    module.load_state_dict(best)
    module.eval()
    history = np.array(stages)
    failure = "" if np.isfinite(best_score) else "the analyses of the validation period diverged at every stage"
    return Trained(history[:, 0], history[:, 1], history[:, 2].astype(int), failure)


def running_mean(module: Any, decay: float) -> Any:
    """The running mean of the weights of a module; at the beginning over the few steps that there are."""
    import torch
    from torch.optim.swa_utils import AveragedModel

    def move(mean: Any, now: Any, count: Any) -> None:
        torch._foreach_lerp_(mean, now, 1 - min(decay, (1 + float(count)) / (10 + float(count))))

    return AveragedModel(module, multi_avg_fn=move)


def rate_factor(settings: NetworkSettings, iteration: int) -> float:
    """Factor on the step size in an iteration, counted from 0: a rise, then half a cosine."""
    rise = min(1.0, (iteration + 1) / (settings.warm_up + 1))
    return rise * 0.5 * (1 + np.cos(np.pi * iteration / settings.iterations))


class Trajectories:
    """States and memories of trajectories under way, and the times that they have reached.

    Attributes
    ----------
    x : tensor (row, site)
        Analyses.
    memory : tensor (row, memory, *grid)
    at : tensor (row,), int64
        Index of the observation time of each.
    """

    def __init__(self, problem: Problem, cycle: Cycle, settings: NetworkSettings, rng: np.random.Generator):
        import torch

        period = np.flatnonzero(problem.period == TRAIN)
        self.last, self.ahead = int(period[-1]), settings.unroll + 1
        if period.size <= self.ahead:
            raise SettingsError(f"the training period is too short for {settings.unroll} cycles (setting `unroll`)")
        places = rng.choice(period[: -self.ahead], min(STARTS, period.size - self.ahead), replace=False)
        self.starts = torch.as_tensor(places)
        self.states = torch.as_tensor(np.array([start_at(problem, k) for k in places]), dtype=torch.float32)
        self.cycle, self.rng, self.restarts = cycle, rng, settings.restarts
        chosen = rng.integers(len(places), size=settings.batch_size)
        self.x, self.at = self.states[chosen].clone(), self.starts[chosen].clone()
        self.memory = cycle.no_memory(settings.batch_size)

    def replace_lost(self) -> None:
        """Start anew what is lost, what has reached the end, and a random share of the rest."""
        import torch

        far = ~torch.isfinite(self.x) | ((self.x - self.cycle.mean).abs() > 0.9 * FAR * self.cycle.std)
        chance = torch.as_tensor(self.rng.random(len(self.x)) < self.restarts * (self.ahead - 1))
        new = far.any(dim=1) | (self.at + self.ahead > self.last) | chance
        count = int(new.sum())
        if count:
            chosen = self.rng.integers(len(self.starts), size=count)
            self.x[new], self.at[new] = self.states[chosen], self.starts[chosen]
            self.memory[new] = 0


def start_at(problem: Problem, k: int) -> np.ndarray:
    """What the observations of time k make of the climatological mean, (site,)."""
    here = problem.window(k, k + 1)
    return first_state(here, here.valid[0] != 0, np.random.default_rng(0))[1][0]


def unrolled_loss(cycle: Cycle, series: Series, rows: Trajectories, settings: NetworkSettings) -> Any:
    """Mean loss of ``unroll`` cycles, which move the trajectories on."""
    import torch
    from torch.utils.checkpoint import checkpoint

    x, memory, at, total = rows.x, rows.memory, rows.at, 0.0
    against_truth = settings.learns_from == "truth"

    def one(x: Any, memory: Any, at: Any) -> tuple[Any, Any, Any]:
        return cycle.analysis(cycle.forecast(x), memory, series, at)

    for k in range(settings.unroll):
        at = at + 1
        if settings.checkpoints:
            x, innovation, memory = checkpoint(one, x, memory, at, use_reentrant=False)
        else:
            x, innovation, memory = one(x, memory, at)
        if against_truth:
            total = total + tempered((((x - series.truth[at]) / cycle.std) ** 2).mean(dim=1))
        elif k > 0:  # the first innovation tells of an analysis that this iteration has not made
            total = total + innovation_loss(innovation, series.observed[at])
    rows.x, rows.memory, rows.at = x.detach(), memory.detach(), at
    if not against_truth:
        forecast = cycle.forecast(x)
        seen, observed = cycle.scaling.sees.differentiable(forecast), series.observed[at + 1]
        innovation = observed * (series.value[at + 1] - seen) / (series.error_std[at + 1] + (1 - observed))
        total = total + innovation_loss(innovation, observed)
    assert isinstance(total, torch.Tensor)
    return total / settings.unroll


def innovation_loss(innovation: Any, observed: Any) -> Any:
    """Mean square of the innovations over sigma, of those there are."""
    return tempered((innovation**2).sum(dim=1) / observed.sum(dim=1).clamp(min=1))


def tempered(loss: Any) -> Any:
    """Mean of the losses (row,) of which none has more than its share, see the top of this file."""
    given = loss.detach()
    return (loss * (CAP * given.median() / given.clamp(min=1e-12)).clamp(max=1.0).sqrt()).mean()


def validation_score(cycle: Cycle, series: Series, problem: Problem, against_truth: bool) -> float:
    """Rms error over s, or rms innovation over sigma, of runs through pieces of the validation period side by side."""
    import torch

    period = np.flatnonzero(problem.period == VALIDATION)
    length = max(period.size // VALIDATION_ROWS, min(period.size, 2 * VALIDATION_SPINUP))
    firsts = torch.as_tensor(period[: max(period.size - length, 0) + 1 : length])
    total, count = 0.0, 0
    with torch.no_grad():
        starts = np.array([start_at(problem, int(k)) for k in firsts])
        x, memory = torch.as_tensor(starts, dtype=torch.float32), cycle.no_memory(len(firsts))
        for k in range(1, length):
            at = firsts + k
            x, innovation, memory = cycle.analysis(cycle.forecast(x), memory, series, at)
            if k >= min(VALIDATION_SPINUP, length // 2):
                if against_truth:
                    total, count = total + float((((x - series.truth[at]) / cycle.std) ** 2).sum()), count + x.numel()
                else:
                    total, count = total + float((innovation**2).sum()), count + int(series.observed[at].sum())
    return float(np.sqrt(total / max(count, 1)))
