"""One search for everything: settings are asked for in batches of fixed size, scored by workers, told in order.

What is asked next depends on scores and on nothing else, so the result is the same for any number of workers, and one
that was killed goes on to the result of an undisturbed run (:mod:`assimilearn.tuning.journal`).

With a budget most trials are given little of it, and only those that do well there more: successive halving (Jamieson
& Talwalkar 2016, AISTATS), in the brackets of Hyperband (Li et al. 2018, J. Mach. Learn. Res. 18, 1-52, algorithm 1),
which hedge against a small budget that misleads. A rung is finished before the next begins: Optuna's pruners decide in
the order of arrival, and let the first trials pass whatever their scores.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from assimilearn.errors import SettingsError
from assimilearn.settings import Settings
from assimilearn.tuning.journal import Journal
from assimilearn.tuning.objective import KILLED, OK, Attempt, Attempts, Objective
from assimilearn.tuning.proposals import Grid, Proposals, Sampled
from assimilearn.tuning.space import OF_MODEL, Distribution, Values, beyond_edge, corners
from assimilearn.tuning.workers import AnyWorkers, Pool, pool

log = logging.getLogger(__name__)

MOST = 1000
LEARNS = ("tpe", "gp")
"""Methods for which scores say what to try next."""


class Budget(Settings):
    """What a trial is given more of when it does well: successive halving."""

    of: Literal["epochs", "cycles", "length"] = Field(
        description="epochs of training, analysis cycles, or length of the record that is learned from and assimilated"
    )
    smallest: int = Field(ge=1, description="what every trial is given at first")
    factor: int = Field(3, ge=2, description="how many times more the best are given; one in so many goes on")


class SearchSettings(Settings):
    """Search of settings: of all combinations of the listed values, unless another method is named."""

    method: Literal["grid", "random", "tpe", "gp", "hyperband"] = Field(
        "grid",
        description="all combinations; independent draws; tree-structured Parzen estimator; Gaussian process with "
        "expected improvement; successive halving over a budget, of all combinations or, with `trials`, of draws",
    )
    grid: dict[str, list[Any]] = Field({}, description="values to try, by setting")
    distributions: dict[str, Distribution] = Field(
        {}, description="distributions from which settings are drawn, by setting"
    )
    trials: int | None = Field(None, ge=1, description="number of settings to try, for every method but the grid")
    batch: int = Field(
        4, ge=1, description="trials that tpe and gp ask for at a time: more keep more workers busy, fewer learn faster"
    )
    budget: Budget | None = Field(None, description="what hyperband gives trials more or less of")
    limit: int = Field(MOST, ge=1, description="largest number of fits or runs that this search may take")

    @model_validator(mode="after")
    def _something_to_search(self) -> "SearchSettings":
        if not self.grid and not self.distributions:
            raise ValueError("grid: name at least one setting and the values to try")
        if empty := [name for name, values in self.grid.items() if not values]:
            raise ValueError(f"grid: no values for {', '.join(empty)}")
        if both := set(self.grid) & set(self.distributions):
            raise ValueError(f"distributions: {', '.join(sorted(both))} is in the grid as well")
        if self.distributions and (self.method == "grid" or self.trials is None):
            raise ValueError(
                "trials: distributions are drawn from: say how many, with method random, tpe, gp or hyperband"
            )
        if self.method == "grid" and self.trials is not None:
            raise ValueError("trials: a grid tries all combinations: name another method, or leave it out")
        if self.method in ("random", *LEARNS) and self.trials is None:
            raise ValueError(f"trials: say how many settings {self.method} is to try")
        if (self.method == "hyperband") != (self.budget is not None):
            raise ValueError("budget: hyperband needs one, and no other method takes any")
        return self

    @model_validator(mode="after")
    def _conditions_come_first(self) -> "SearchSettings":
        before = set(self.grid)
        for name, distribution in self.distributions.items():
            if unknown := set(distribution.when) - before:
                raise ValueError(
                    f"distributions: {name} depends on {', '.join(sorted(unknown))}, which must stand before it"
                )
            before.add(name)
        return self

    @property
    def reaches_model(self) -> bool:
        """Whether it seeks settings of the forecast model too."""
        return any(name.startswith(OF_MODEL) for name in [*self.grid, *self.distributions])

    @property
    def points(self) -> int:
        """Number of trials."""
        return self.trials if self.trials is not None else math.prod(len(values) for values in self.grid.values())


@dataclass
class Trial:
    """One point of the space and what became of it.

    Attributes
    ----------
    number : from 0, in the order in which trials were asked for
    values : its settings
    scores : rung -> name of the score -> ndarray (fold,)
    order : rung -> how many evaluations were told before this one
    status, reason : of :data:`assimilearn.tuning.objective.STATUS`, and in words
    """

    number: int
    values: Values
    scores: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    order: dict[int, int] = field(default_factory=dict)
    status: int = OK
    reason: str = ""


@dataclass(frozen=True)
class Found:
    """The outcome of a search.

    Attributes
    ----------
    trials : all of them, in their order
    rungs : the budgets, from small to large; [0] where there is none
    best : number of the trial with the smallest loss at the largest budget, the first of equals
    edges : settings whose chosen value lies on the edge of what was sought, though more would be valid
    """

    trials: list[Trial]
    rungs: list[int]
    best: int
    edges: list[str]


def find(
    objective: Objective,
    search: SearchSettings,
    seed: int,
    workers: AnyWorkers = "threads",
    count: int = 1,
    journal: Journal | None = None,
) -> Found:
    """Search.

    Parameters
    ----------
    objective : Objective
    search : SearchSettings
    seed : int
        Of the sampler, below 2^32.
    workers, count : as of :func:`assimilearn.tuning.workers.pool`; they change no result
    journal : Journal, optional
        Of finished trials.

    Raises
    ------
    SettingsError
        If a value cannot be used, the search would take more fits or runs than its limit, or none has worked.
    """
    refuse_bad_values(objective, search)
    rungs = rungs_of(objective, search)
    log.info(cost_of(search, objective.parts, rungs))
    refuse_costly(search, objective.parts, rungs)
    with pool(workers, count, Attempts(objective)) as hands:
        run = _Run(objective, rungs, hands, journal or Journal())
        if search.budget is None:
            run.in_batches(proposals_of(search, seed), search)
        else:
            run.by_halving(proposals_of(search, seed), search)
    return found(run.trials, rungs, objective, search)


def refuse_bad_values(objective: Objective, search: SearchSettings) -> None:
    """Raise one SettingsError that lists every value that cannot be used, once."""
    problems: dict[str, None] = {}
    for name, value in corners(search.grid, search.distributions):
        problems.update(dict.fromkeys(objective.problem({name: value}).splitlines()))
    if problems:
        raise SettingsError("\n".join(problems))


def rungs_of(objective: Objective, search: SearchSettings) -> list[int]:
    """Budgets from small to large, each ``factor`` times the last."""
    if search.budget is None:
        return [0]
    full, smallest, factor = objective.full(search.budget.of), search.budget.smallest, search.budget.factor
    if smallest > full:
        raise SettingsError(f"budget: the smallest, {smallest}, is more than all there is ({full})")
    count = int(math.log(full / smallest) / math.log(factor) + 1e-9) + 1
    return [round(full / factor**k) for k in reversed(range(count))]


def brackets_of(search: SearchSettings, rungs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """How many trials begin together, and at which rung."""
    assert search.budget is not None
    if search.trials is None:
        yield search.points, 0
        return
    left, highest, factor = search.trials, len(rungs) - 1, search.budget.factor
    while left:
        for s in range(highest, -1, -1):
            count = min(left, math.ceil((highest + 1) / (s + 1) * factor**s))
            if count:
                yield count, highest - s
            left -= count


def evaluations(search: SearchSettings, rungs: Sequence[int]) -> list[int]:
    """Number of trials that are evaluated at each rung."""
    counts = [0] * len(rungs)
    if search.budget is None:
        return [search.points]
    for count, first in brackets_of(search, rungs):
        for rung in range(first, len(rungs)):
            counts[rung] += count
            count = max(1, count // search.budget.factor)
    return counts


def cost_of(search: SearchSettings, parts: int, rungs: Sequence[int]) -> str:
    """What a search will cost, in words."""
    counts = evaluations(search, rungs)
    total = f"{sum(counts) * parts} fits or runs: {search.points} trials"
    if search.budget is None:
        return f"{total} x {parts}"
    spent = sum(count * rung for count, rung in zip(counts, rungs, strict=True))
    all_of_it = search.points * rungs[-1]
    return f"{total}, {parts} parts each, with {spent / all_of_it:.0%} of the {search.budget.of} that all would take"


def refuse_costly(search: SearchSettings, parts: int, rungs: Sequence[int]) -> None:
    """Raise SettingsError if a search would take more than its limit allows."""
    total = sum(evaluations(search, rungs)) * parts
    if total > search.limit:
        raise SettingsError(
            f"limit: the search would take {total:,} fits or runs and may take {search.limit:,}: "
            "shorten it, or raise `limit`"
        )


def proposals_of(search: SearchSettings, seed: int) -> Proposals:
    """The source of trials."""
    if search.method == "grid" or search.trials is None:
        return Grid(search.grid)
    method = search.method if search.method in LEARNS else "random"
    return Sampled(
        method, search.grid, search.distributions, seed, startup=min(10, max(search.batch, search.points // 3))
    )


class _Run:
    """A search under way."""

    def __init__(self, objective: Objective, rungs: Sequence[int], hands: Pool, journal: Journal):
        self.objective, self.rungs, self.hands, self.journal = objective, rungs, hands, journal
        self.trials: list[Trial] = []
        self.told = 0

    def in_batches(self, proposals: Proposals, search: SearchSettings) -> None:
        """Ask, evaluate and tell; all at once where scores teach nothing."""
        left, size = search.points, search.batch if search.method in LEARNS else search.points
        while left:
            trials = self.begin(proposals.ask(min(size, left)))
            self.evaluate(trials, 0)
            proposals.tell([self.loss(trial, 0) for trial in trials])
            left -= len(trials)

    def by_halving(self, proposals: Proposals, search: SearchSettings) -> None:
        """Take each bracket to its end: after every rung but the last, one trial in ``factor`` goes on."""
        assert search.budget is not None
        for count, first in brackets_of(search, self.rungs):
            trials = self.begin(proposals.ask(count))
            self.evaluate(trials, first)
            for rung in range(first + 1, len(self.rungs)):
                ranked = sorted((self.loss(trial, rung - 1), trial.number) for trial in trials)
                kept = {number for _, number in ranked[: max(1, len(trials) // search.budget.factor)]}
                trials = [trial for trial in trials if trial.number in kept]
                self.evaluate(trials, rung)

    def begin(self, batch: list[Values]) -> list[Trial]:
        """New trials."""
        begun = [Trial(len(self.trials) + k, values) for k, values in enumerate(batch)]
        self.trials += begun
        return begun

    def loss(self, trial: Trial, rung: int) -> float:
        """Of the score that chooses."""
        chosen = self.objective.scores[0]
        return chosen.loss(trial.scores[rung][chosen.name]) if rung in trial.scores else float("inf")

    def evaluate(self, trials: list[Trial], rung: int) -> None:
        """Evaluate some trials at one budget, on all workers, and take their scores in order."""
        trials = [trial for trial in trials if trial.status == OK]
        calls = [(t.values, t.number, part, self.rungs[rung]) for t in trials for part in range(self.objective.parts)]
        attempts = iter(self.attempts(calls))
        for trial in trials:
            parts = [next(attempts) for _ in range(self.objective.parts)]
            trial.order[rung] = self.told
            self.told += 1
            failed = next((part for part in parts if part.status != OK), None)
            if failed is not None:
                trial.status, trial.reason = failed.status, failed.reason
                continue
            trial.scores[rung] = {
                score.name: np.concatenate([part.scores[score.name] for part in parts])
                for score in self.objective.scores
            }

    def attempts(self, calls: list[tuple[Any, ...]]) -> list[Attempt]:
        """What became of each call, looked up or computed."""
        from tqdm import tqdm

        results = [self.journal.find(*call) for call in calls]
        new = [k for k, result in enumerate(results) if result is None]
        computed = self.hands.results((calls[k] for k in new), died=lambda reason: Attempt({}, KILLED, reason))
        for k, attempt in zip(
            new, tqdm(computed, total=len(new), disable=None, leave=False, desc="tuning"), strict=True
        ):
            self.journal.add(attempt, *calls[k])
            results[k] = attempt
        return [result for result in results if result is not None]


def found(trials: list[Trial], rungs: list[int], objective: Objective, search: SearchSettings) -> Found:
    """The outcome, with a warning where the chosen value lies on an edge."""
    chosen, last = objective.scores[0], len(rungs) - 1
    losses = [chosen.loss(t.scores[last][chosen.name]) if last in t.scores else float("inf") for t in trials]
    if not np.isfinite(losses).any():
        reason = next((trial.reason for trial in trials if trial.reason), f"{chosen.name} is not finite")
        raise SettingsError(f"no candidate can be used: each failed on some fold (the first: {reason})")
    best = int(np.argmin(losses))
    edges = []
    for name, value in trials[best].values.items():
        beyond = beyond_edge(name, value, search.grid, search.distributions)
        if beyond is not None and not objective.problem({name: type(value)(beyond)}):
            edges.append(name)
            log.warning("the chosen %s = %s lies on the edge of what was sought: widen the search", name, value)
    return Found(trials, rungs, best, edges)
