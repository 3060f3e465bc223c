"""Successive halving over analysis cycles: short experiments for all settings, long ones for those that do well.

Jamieson & Talwalkar (2016), AISTATS, for the settings of a filter: all of them are run over a few cycles, the best over
more, and one in ``factor`` goes on each time. A longer experiment from the same random numbers begins with the shorter
one, so that settings are compared on the same observations at every length. For each value of the settings in ``by``
the choice is made apart: every ensemble size finds its own inflation.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field

from assimilearn.assimilation.problem import Problem
from assimilearn.periods import GAP, TEST
from assimilearn.settings import Settings


class SweepBudget(Settings):
    """Cycles that settings of a sweep are given, the most to those that do well."""

    smallest: int = Field(ge=2, description="observation times of the first, shortest experiments")
    factor: int = Field(4, ge=2, description="how many times longer the next are; one setting in so many goes on")


def lengths(budget: SweepBudget, full: int) -> list[int]:
    """Lengths of the experiments, the last one the whole."""
    count = int(math.log(max(full / budget.smallest, 1)) / math.log(budget.factor) + 1e-9) + 1
    return [round(full / budget.factor**k) for k in reversed(range(count))]


def kept(medians: np.ndarray, groups: Sequence[object], alive: Sequence[int], factor: int) -> list[int]:
    """Numbers of the settings that go on.

    Parameters
    ----------
    medians : ndarray (setting,)
        Error of those that are ``alive``; infinite where they diverged.
    groups : what the choice is made apart for, of all settings
    alive : sequence (setting,)
        Numbers of the settings that were run.
    factor : one in so many of each group goes on, rounded up
    """
    chosen: list[int] = []
    for group in dict.fromkeys(groups[i] for i in alive):
        members = [
            (np.nan_to_num(error, nan=np.inf), i) for error, i in zip(medians, alive, strict=True) if groups[i] == group
        ]
        chosen += [i for _, i in sorted(members)[: math.ceil(len(members) / factor)]]
    return sorted(chosen)


def shortened(problem: Problem, length: int) -> Problem:
    """The first ``length`` times of an experiment, of which the same share counts as of the whole."""
    share = float(np.argmax(problem.period == TEST)) / problem.period.size
    flags = np.where(np.arange(length) < round(share * length), GAP, TEST).astype(np.int8)
    return replace(problem.window(0, length), period=flags)
