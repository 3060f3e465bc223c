"""When observations are made: after a number of model steps, the same each time or several in turn."""

from typing import Annotated

import numpy as np
from pydantic import Field

Steps = Annotated[int, Field(ge=1)]
Every = Steps | Annotated[list[Steps], Field(min_length=1)]
"""Model steps between two observation times; a list is gone through again and again."""


def intervals(every: Every, count: int) -> np.ndarray:
    """Model steps from each of ``count`` observation times to the next, (time,), int64."""
    return np.resize(np.atleast_1d(np.asarray(every, dtype=np.int64)), count)


def observation_steps(every: Every, count: int) -> np.ndarray:
    """The first ``count`` observation times in model steps, from 0 on, (time,), int64."""
    return np.cumsum(np.append(0, intervals(every, count)))[:count]


def are_observed(steps: np.ndarray, every: Every) -> np.ndarray:
    """Which of ``steps (step,)``, counted from 0, are observation times."""
    turn = np.atleast_1d(np.asarray(every, dtype=np.int64))
    return np.isin(steps % turn.sum(), np.cumsum(turn) - turn)
