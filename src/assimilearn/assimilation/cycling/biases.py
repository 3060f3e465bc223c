"""Biases of observations that are estimated with the state: y = h(x) + b + error, every member with a b of its own.

State augmentation (Friedland 1969, IEEE Trans. Autom. Control 14, 359-367; Dee & da Silva 1998, Q. J. R. Meteorol. Soc.
124, 269-295): a bias is an entry of the state, which a forecast leaves as it is but for a random walk. It stands after
the sites, the memory and the parameters of a member, and every observation of its kind has it as one more corner of
weight 1, so that H of the augmented state is (H, 1). A bias and the mean of the state are told apart only by what the
model, or instruments without one, say of the state.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from assimilearn.assimilation.problem import FirstTime, Problem
from assimilearn.assimilation.settings import AnalysisSettings, ObservationBiasSettings, ParameterSettings
from assimilearn.errors import SettingsError
from assimilearn.models.protocol import CompiledStep, Model, draws_of, memory_of, with_memory
from assimilearn.observations.rows import Operator

ONLY = "observations"
"""Name of the bias of observations that are all of one kind."""


@dataclass(frozen=True)
class Kinds:
    """Which bias an observation has.

    Attributes
    ----------
    names : of the biases
    of_rows : ndarray (row,), int64
        Their numbers, for sites or for the rows of the operator's table.
    """

    names: Sequence[str]
    of_rows: np.ndarray


def kinds(problem: Problem, settings: ObservationBiasSettings) -> Kinds:
    """The kinds of the observations of a problem: their instruments, or the fields that they are of."""
    observation, geometry = problem.observation, problem.geometry
    rows = geometry.size if observation.operator.direct else len(observation.operator.site)
    if settings.by == "field":
        first = np.arange(rows) if observation.operator.direct else observation.operator.site[:, 0]
        return Kinds(geometry.names, geometry.field_of[first].astype(np.int64))
    if not observation.names:
        return Kinds((ONLY,), np.zeros(rows, dtype=np.int64))
    return Kinds(observation.names, observation.kind.astype(np.int64))


def with_biases(problem: Problem, settings: AnalysisSettings) -> Problem:
    """The problem whose observations see biases after the members' other entries; as it is where none are estimated.

    The distribution of the state before the first observation knows no bias: there the errors are wider by its first
    guess.

    Raises
    ------
    SettingsError
        If observations are not linear in the state.
    """
    bias = settings.bias_estimated
    if bias is None:
        return problem
    plain = problem.observation
    if not plain.operator.linear:
        raise SettingsError("observation_bias: that of a nonlinear function of the state cannot be estimated")
    found = kinds(problem, bias)
    first = problem.model.size + memory_of(problem.model) + len(settings.estimates)
    return replace(
        problem,
        observation=plain._replace(operator=seeing(plain.operator, first + found.of_rows)),
        at_first=FirstTime(plain, bias.std**2),
        biases={name: ParameterSettings(mean=0.0, std=bias.std, walk=bias.walk) for name in found.names},
    )


def seeing(operator: Operator, entry: np.ndarray) -> Operator:
    """The operator whose row r sees ``entry[r]`` of a member too, with weight 1."""
    rows = np.arange(entry.size)[:, None]
    site, weight = (rows, np.ones(rows.shape)) if operator.direct else (operator.site, operator.weight)
    more = np.hstack([site, entry[:, None]]), np.hstack([weight, np.ones((entry.size, 1))])
    return Operator(*more, np.zeros(entry.size, dtype=np.int64))


@dataclass(frozen=True)
class Augmented:
    """A model for states that carry some entries more, which a step leaves as they are.

    Attributes
    ----------
    model : Model
    entries : int
        How many there are, after all that the model itself steps.
    """

    model: Model
    entries: int

    @property
    def size(self) -> int:
        """That of the model."""
        return self.model.size

    @property
    def time_step(self) -> float:
        """Length of one step in MTU."""
        return self.model.time_step

    @property
    def draws(self) -> int:
        """That of the model."""
        return draws_of(self.model)

    @property
    def memory(self) -> int:
        """That of the model."""
        return memory_of(self.model)

    def begin(self, states: np.ndarray) -> np.ndarray:
        """As the model begins."""
        return with_memory(self.model, states)

    @property
    def compiled(self) -> CompiledStep | None:
        """The step of the model on what comes before; None for models whose random numbers would come in between."""
        own = self.model.compiled
        if own is None or self.draws > 0:
            return None
        return CompiledStep(stepping_all_but(own.step, self.entries), own.parameters)

    def step(self, states: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """One step of ``states (..., entry)``, given ``noise (..., draws)`` if the model needs some."""
        own, rest = states[..., : -self.entries], states[..., -self.entries :]
        stepped = self.model.step(own) if noise is None else self.model.step(own, noise)  # type: ignore[call-arg]
        return np.concatenate([stepped, rest], axis=-1)


@cache
def stepping_all_but(step: Any, entries: int) -> Any:
    """The compiled ``step`` on all but the last ``entries`` of every row."""

    @njit(error_model="numpy", nogil=True)
    def stepped(E, parameters):
        own = E[:, : E.shape[1] - entries].copy()
        step(own, parameters)
        for j in range(own.shape[0]):
            for i in range(own.shape[1]):
                E[j, i] = own[j, i]

    return stepped
