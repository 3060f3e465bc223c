"""Train what corrects an ensemble filter, through the cycle, with many ensembles side by side."""

import copy
import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from assimilearn.assimilation.cycling.start import first_ensemble
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilators.distances import distances
from assimilearn.assimilators.filters import scores, updates
from assimilearn.assimilators.settings import NetworkSettings
from assimilearn.assimilators.training import FAR, Cycle, Trained, rate_factor, series_of
from assimilearn.errors import SettingsError
from assimilearn.periods import TRAIN, VALIDATION

logger = logging.getLogger(__name__)

STARTS, VALIDATION_ROWS, VALIDATION_SPINUP = 60, 10, 50


class Ensembles:
    """Ensembles under way through the training period, and the cycle that moves them.

    Parameters
    ----------
    problem : Problem
    settings : settings with ``members``, ``inflation``, ``localization_radius`` and ``weight``
    module : torch.nn.Module
        ``module(features (ensemble, member, channel, *grid)) -> correction (ensemble, member, field, *grid)``
    features : callable
        What it sees, see :func:`assimilearn.assimilators.set_correction.features`.
    truth : ndarray (time, site) or None
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        problem: Problem,
        settings: Any,
        module: Any,
        features: Callable[..., list[Any]],
        truth: np.ndarray | None,
        rng: np.random.Generator,
    ):
        import torch

        self.problem, self.settings, self.module, self.features, self.rng = problem, settings, module, features, rng
        self.cycle = Cycle(problem, module)
        self.series = series_of(problem, truth, self.cycle.scaling)
        self.by_truth = truth is not None
        self.distance = torch.as_tensor(distances(problem.geometry), dtype=torch.float32)
        period = np.flatnonzero(problem.period == TRAIN)
        self.last, self.ahead = int(period[-1]), settings.unroll + 1
        if period.size <= self.ahead:
            raise SettingsError(f"the training period is too short for {settings.unroll} cycles (setting `unroll`)")
        places = rng.choice(period[: -self.ahead], min(STARTS, period.size - self.ahead), replace=False)
        self.starts, self.pool = torch.as_tensor(places), self.started(places)
        chosen = rng.integers(len(places), size=settings.batch_size)
        self.E, self.at = self.pool[chosen].clone(), self.starts[chosen].clone()

    def started(self, places: np.ndarray) -> Any:
        """What the first observations make of the climatology, (ensemble, member, site)."""
        import torch

        found = []
        for k in places:
            here = self.problem.window(int(k), int(k) + 1)
            found.append(first_ensemble(here, here.valid[0] != 0, self.rng, self.settings.members)[1])
        return torch.as_tensor(np.array(found), dtype=torch.float32)

    def analysed(self, E: Any, at: Any) -> tuple[Any, Any]:
        """Forecast and corrected analysis of the ensembles at the times ``at``."""
        import torch

        cycle, series = self.cycle, self.series
        forecast = cycle.forecast(E)
        value, error_std, observed = series.value[at], series.error_std[at], series.observed[at]
        Y = cycle.scaling.sees.differentiable(forecast)
        variance = torch.where(observed > 0, error_std**2, torch.full_like(error_std, np.inf))
        analysis = updates.letkf(forecast, Y, value, variance, self.distance, self.settings.localization_radius)
        mean = analysis.mean(dim=1, keepdim=True)
        analysis = mean + self.settings.inflation * (analysis - mean)
        innovation = observed * (value - Y.mean(dim=1)) / (error_std + (1 - observed))
        told = (innovation, observed, error_std / cycle.scale)
        parts = self.features(analysis, forecast, *told, (cycle.mean, cycle.std), cycle.grid)
        correction = self.module(torch.cat(parts, dim=2)).reshape(analysis.shape)
        corrected = analysis + self.settings.weight * cycle.std * correction
        return forecast, corrected.clamp(cycle.mean - FAR * cycle.std, cycle.mean + FAR * cycle.std)

    def loss(self, forecast: Any, analysis: Any, at: Any) -> Any:
        """CRPS of the analysis over the climatological deviation, or minus the log likelihood of each observation."""
        if self.by_truth:
            members = (analysis / self.cycle.std).transpose(0, 1).flatten(1)
            return scores.crps(members, (self.series.truth[at] / self.cycle.std).flatten())
        observed = self.series.observed[at]
        Y = self.cycle.scaling.sees.differentiable(forecast)
        variance = Y.var(dim=1) + self.series.error_std[at] ** 2
        each = (self.series.value[at] - Y.mean(dim=1)) ** 2 / variance.clamp(min=1e-6) + variance.clamp(min=1e-6).log()
        return 0.5 * (observed * each).sum() / observed.sum().clamp(min=1)

    def unrolled(self) -> Any:
        """Mean loss of ``unroll`` cycles, which move the ensembles on."""
        E, at, total = self.E, self.at, 0.0
        for k in range(self.settings.unroll):
            at = at + 1
            forecast, E = self.analysed(E, at)
            if self.by_truth or k > 0:  # the first forecast tells of an analysis that this iteration has not made
                total = total + self.loss(forecast, E, at)
        if not self.by_truth:
            total = total + self.loss(self.cycle.forecast(E), E, at + 1)
        self.E, self.at = E.detach(), at
        return total / self.settings.unroll

    def replace_lost(self) -> None:
        """Start anew what is lost, what has reached the end, and a random share of the rest."""
        import torch

        far = ~torch.isfinite(self.E) | ((self.E - self.cycle.mean).abs() > 0.9 * FAR * self.cycle.std)
        chance = torch.as_tensor(self.rng.random(len(self.E)) < self.settings.restarts * self.settings.unroll)
        new = far.flatten(1).any(dim=1) | (self.at + self.ahead > self.last) | chance
        count = int(new.sum())
        if count:
            chosen = self.rng.integers(len(self.starts), size=count)
            self.E[new], self.at[new] = self.pool[chosen], self.starts[chosen]

    def validation(self) -> float:
        """Mean loss over pieces of the validation period side by side."""
        import torch

        period = np.flatnonzero(self.problem.period == VALIDATION)
        length = max(period.size // VALIDATION_ROWS, min(period.size, 2 * VALIDATION_SPINUP))
        firsts = period[: max(period.size - length, 0) + 1 : length]
        total, count = 0.0, 0
        with torch.no_grad():
            E, at = self.started(firsts), torch.as_tensor(firsts)
            for k in range(1, length):
                at = at + 1
                forecast, E = self.analysed(E, at)
                if k >= min(VALIDATION_SPINUP, length // 2):
                    total, count = total + float(self.loss(forecast, E, at)), count + 1
        return total / max(count, 1)


def train_correction(ensembles: Ensembles, settings: NetworkSettings) -> Trained:
    """Train the module in place; at the end it has the weights of the best stage, by the validation period."""
    import torch

    module = ensembles.module
    optimizer = torch.optim.Adam(module.parameters(), lr=settings.learning_rate)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: rate_factor(settings, k))
    best, best_score = copy.deepcopy(module.state_dict()), ensembles.validation()
    ends = np.unique(np.linspace(0, settings.iterations, settings.validations + 1).astype(int)[1:])
    stages, total, count = [], 0.0, 0
    for k in range(1, settings.iterations + 1):
        optimizer.zero_grad()
        loss = ensembles.unrolled()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), settings.clip)
        if torch.isfinite(norm):
            optimizer.step()
            total, count = total + float(loss.detach()), count + 1
        rate.step()
        ensembles.replace_lost()
        if k in ends:
            score = ensembles.validation()
            stages.append((total / max(count, 1), score, k))
            logger.info("%d of %d iterations: loss %.5f, validation %.5f", k, settings.iterations, *stages[-1][:2])
            total, count = 0.0, 0
            if score < best_score:
                best, best_score = copy.deepcopy(module.state_dict()), score
    module.load_state_dict(best)
    module.eval()
    history = np.array(stages)
    failure = "" if np.isfinite(best_score) else "the analyses of the validation period diverged at every stage"
    return Trained(history[:, 0], history[:, 1], history[:, 2].astype(int), failure)
