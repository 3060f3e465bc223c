"""What a search asks of that which it tunes: scores of settings, fold by fold, and how they are to be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from assimilearn.errors import AssimilearnError
from assimilearn.tuning.space import Values

OK, DIVERGED, FAILED, OUT_OF_MEMORY, KILLED = 0, 1, 2, 3, 4
STATUS = {"ok": OK, "diverged": DIVERGED, "failed": FAILED, "out_of_memory": OUT_OF_MEMORY, "killed": KILLED}


@dataclass(frozen=True)
class Score:
    """One number for each fold.

    Attributes
    ----------
    name : as files and settings call it
    long_name, units : as files describe it
    best : whether small or large values are good
    mean : how folds are summarized: the mean, or for root mean squares the root of the mean square
    """

    name: str
    long_name: str
    units: str = "1"
    best: Literal["smallest", "largest"] = "smallest"
    mean: Literal["mean", "root_mean_square"] = "mean"

    def over_folds(self, scores: np.ndarray) -> float:
        """Summary of the scores of all folds; NaN unless all of them are there."""
        if self.mean == "mean":
            return float(np.mean(scores))
        return float(np.sqrt(np.mean(np.square(scores))))

    def loss(self, scores: np.ndarray) -> float:
        """The summary as something to be made small; infinite where it is not known."""
        summary = self.over_folds(scores)
        if not np.isfinite(summary):
            return float("inf")
        return summary if self.best == "smallest" else -summary


class Unusable(AssimilearnError):
    """A trial without scores: the search records why, and goes on.

    Parameters
    ----------
    reason : str
    status : int
        One of :data:`STATUS`.
    """

    def __init__(self, reason: str, status: int = FAILED):
        super().__init__(reason)
        self.reason, self.status = reason, status

    def __reduce__(self) -> Any:
        return Unusable, (self.reason, self.status)


class Objective(Protocol):
    """What is tuned. It is sent to every worker once, and changes nothing of itself."""

    @property
    def scores(self) -> tuple[Score, ...]:
        """Those that :meth:`evaluate` gives; the first is the one that chooses."""
        ...

    @property
    def parts(self) -> int:
        """Number of pieces that a trial is worked on in, at the same time on different workers."""
        ...

    @property
    def folds(self) -> int:
        """Number of scores of a trial, over all parts."""
        ...

    def problem(self, values: Values) -> str:
        """Why these values cannot be used, one line each; empty if they can."""
        ...

    def full(self, of: str) -> int:
        """The whole of a budget: epochs, cycles or length of record.

        Raises
        ------
        SettingsError
            If there is no such budget.
        """
        ...

    def evaluate(self, values: Values, trial: int, part: int, budget: int) -> dict[str, list[float]]:
        """Scores of the folds of one part.

        Parameters
        ----------
        values : settings to be tried
        trial : number of the trial, for its random numbers
        part : which part, from 0
        budget : how much to spend; 0 for all there is

        Raises
        ------
        Unusable
            If there are none.
        """
        ...


class Attempt(NamedTuple):
    """What became of one part of a trial.

    Attributes
    ----------
    scores : name -> scores of its folds; empty where there are none
    status, reason : of :data:`STATUS`, and in words
    seconds : that it took
    """

    scores: Mapping[str, list[float]]
    status: int = OK
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Attempts:
    """The task of the workers: evaluate, and record what goes wrong instead of raising it."""

    objective: Objective

    def __call__(self, values: Values, trial: int, part: int, budget: int) -> Attempt:
        """Evaluate one part of a trial."""
        begun = perf_counter()
        try:
            scores, status, reason = self.objective.evaluate(values, trial, part, budget), OK, ""
        except Unusable as error:
            scores, status, reason = {}, error.status, error.reason
        except MemoryError as error:
            scores, status, reason = {}, OUT_OF_MEMORY, f"out of memory: {error}"
        except AssimilearnError as error:
            scores, status, reason = {}, FAILED, str(error)
        except Exception as error:  # whatever a method does with such settings: the others are to be tried still
            scores, status, reason = {}, FAILED, f"{type(error).__name__}: {error}"
        return Attempt(scores, status, " ".join(reason.split()), perf_counter() - begun)
