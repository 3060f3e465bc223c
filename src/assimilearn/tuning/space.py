"""The space of a search: the settings that are sought, each with a list of values or a distribution.

A setting may be conditional: with ``when`` it is sought only where other settings have certain values, and is otherwise
left as it is. Names that begin with ``model.`` are settings of the emulator that is the model of an analysis.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from assimilearn.settings import Settings

OF_MODEL = "model."
"""How names of settings of the forecast model of an analysis begin."""
EDGE = 0.02  # of a range: a chosen value this near to its end lies on the edge

Values = dict[str, Any]
"""Setting -> value: one point of the space."""


class Distribution(Settings):
    """Distribution from which a setting is drawn."""

    distribution: Literal["uniform", "log_uniform", "integer", "choice"] = Field(
        description="how values are drawn; integer is uniform over whole numbers, choice over the listed values"
    )
    low: float | None = Field(None, description="smallest value")
    high: float | None = Field(None, description="largest value")
    values: list[Any] = Field([], description="values of a choice")
    when: dict[str, list[Any]] = Field(
        {}, description="seek this setting only where each of these others has one of the listed values"
    )

    @model_validator(mode="after")
    def _complete(self) -> "Distribution":
        if self.distribution == "choice":
            if not self.values or self.low is not None or self.high is not None:
                raise ValueError("values: a choice needs values, and neither low nor high")
            return self
        if self.low is None or self.high is None or self.values:
            raise ValueError(f"low: the distribution {self.distribution} needs low and high, and no values")
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.distribution == "log_uniform" and self.low <= 0:
            raise ValueError("a log_uniform distribution needs low > 0")
        return self

    @property
    def ends(self) -> list[Any]:
        """Values that must be valid for all others to be: both ends, or every choice."""
        if self.distribution == "choice":
            return list(self.values)
        assert self.low is not None and self.high is not None
        return [round(self.low), round(self.high)] if self.distribution == "integer" else [self.low, self.high]

    def drawn_by(self, trial: Any, name: str) -> Any:
        """A value that an Optuna trial suggests."""
        if self.distribution == "choice":
            return chosen_by(trial, name, self.values)
        low, high = self.ends
        if self.distribution == "integer":
            return int(trial.suggest_int(name, low, high))
        return float(trial.suggest_float(name, low, high, log=self.distribution == "log_uniform"))


def chosen_by(trial: Any, name: str, values: Sequence[Any]) -> Any:
    """One of ``values`` that an Optuna trial suggests, by its number: Optuna takes no lists as choices."""
    return values[int(trial.suggest_categorical(name, list(range(len(values)))))]


def suggested(trial: Any, grid: Mapping[str, Sequence[Any]], distributions: Mapping[str, Distribution]) -> Values:
    """A point of the space that an Optuna trial suggests; settings whose condition does not hold are left out."""
    point = {name: chosen_by(trial, name, values) for name, values in grid.items()}
    for name, distribution in distributions.items():
        if all(point.get(other) in allowed for other, allowed in distribution.when.items()):
            point[name] = distribution.drawn_by(trial, name)
    return point


def grid_points(grid: Mapping[str, Sequence[Any]]) -> list[Values]:
    """Every combination of the listed values; the last name varies fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def corners(grid: Mapping[str, Sequence[Any]], distributions: Mapping[str, Distribution]) -> list[tuple[str, Any]]:
    """Every listed value and every end of a range: what must be valid before a search begins."""
    listed = [(name, value) for name, values in grid.items() for value in values]
    return listed + [(name, value) for name, distribution in distributions.items() for value in distribution.ends]


def beyond_edge(
    name: str, value: Any, grid: Mapping[str, Sequence[Any]], distributions: Mapping[str, Distribution]
) -> float | None:
    """A value beyond the end of the range that the chosen ``value`` of a setting lies on; None where it lies inside.

    Of a list of numbers the ends are its smallest and largest one; lists of two have no inside.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    distribution = distributions.get(name)
    if distribution is None or distribution.distribution == "choice":
        numbers = sorted({v for v in (grid[name] if distribution is None else distribution.values) if _is_number(v)})
        if len(numbers) < 3 or value not in (numbers[0], numbers[-1]):
            return None
        end, inside = (numbers[0], numbers[1]) if value == numbers[0] else (numbers[-1], numbers[-2])
        return end**2 / inside if numbers[0] > 0 else 2 * end - inside
    low, high = distribution.ends
    if distribution.distribution == "log_uniform":
        place = np.log(value / low) / np.log(high / low)
        steps = low**2 / high, high**2 / low
    else:
        place, steps = (value - low) / (high - low), (2 * low - high, 2 * high - low)
    if EDGE < place < 1 - EDGE:
        return None
    return float(steps[0] if place <= EDGE else steps[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def column(values: Sequence[Any]) -> np.ndarray:
    """Values of a setting as an array: numbers (NaN where it was not sought), texts, or JSON texts of anything else."""
    if all(value is None or _is_number(value) for value in values):
        if all(isinstance(value, int) for value in values):
            return np.array(values)
        return np.array([np.nan if value is None else float(value) for value in values])
    if all(isinstance(value, str) for value in values):
        return np.array(values)
    return np.array([json.dumps(value) for value in values])
