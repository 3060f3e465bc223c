"""Which settings to try next: of a grid, at random, or given the scores so far.

Bergstra et al. (2011), NeurIPS 24 (tree-structured Parzen estimator, tpe); Snoek, Larochelle & Adams (2012), NeurIPS 25
(Gaussian process and expected improvement, gp): by Optuna, in memory, asked and told by one process.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from assimilearn.tuning.space import Distribution, Values, grid_points, suggested


class Proposals(Protocol):
    """A source of trials."""

    def ask(self, count: int) -> list[Values]:
        """The next settings to try, at most ``count``; none where there are no more."""
        ...

    def tell(self, losses: Iterable[float]) -> None:
        """Losses of all that was asked for since the last time, in that order; infinite for a failure."""
        ...


class Grid:
    """All combinations of listed values, the last name varying fastest."""

    def __init__(self, grid: Mapping[str, Sequence[Any]]):
        self.rest = iter(grid_points(grid))

    def ask(self, count: int) -> list[Values]:
        """The next combinations."""
        return [point for point, _ in zip(self.rest, range(count), strict=False)]

    def tell(self, losses: Iterable[float]) -> None:
        """Nothing is learned."""


class Sampled:
    """Trials that a sampler of Optuna draws from lists and distributions.

    Parameters
    ----------
    method : "random", "tpe" or "gp"
    grid, distributions : the space
    seed : of the sampler
    startup : number of trials that are drawn at random before tpe and gp look at scores
    """

    def __init__(
        self,
        method: str,
        grid: Mapping[str, Sequence[Any]],
        distributions: Mapping[str, Distribution],
        seed: int,
        startup: int,
    ):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        samplers = optuna.samplers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler: Any = {
                "random": lambda: samplers.RandomSampler(seed=seed),
                "tpe": lambda: samplers.TPESampler(
                    seed=seed,
                    n_startup_trials=startup,
                    multivariate=True,
                    group=True,  # conditional settings are modelled apart
                    constant_liar=True,  # trials of one batch are taken for bad ones until they are told
                ),
                "gp": lambda: samplers.GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False),
            }[method]()
        self.study = optuna.create_study(sampler=sampler)
        self.grid, self.distributions = grid, distributions
        self.asked: list[Any] = []

    def ask(self, count: int) -> list[Values]:
        """The next trials."""
        points = []
        for _ in range(count):
            trial = self.study.ask()
            self.asked.append(trial)
            points.append(suggested(trial, self.grid, self.distributions))
        return points

    def tell(self, losses: Iterable[float]) -> None:
        """Losses of the trials that were asked for."""
        for trial, loss in zip(self.asked, losses, strict=True):
            self.study.tell(trial, loss)
        self.asked = []
