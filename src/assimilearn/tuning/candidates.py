"""Candidates of a search: all combinations of listed values, or random draws from laws."""

import itertools
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from assimilearn.settings import Settings


class Law(Settings):
    """The law from which a random search draws a setting."""

    law: Literal["uniform", "log_uniform", "integer"] = Field(description="how values are drawn; integer is uniform")
    low: float = Field(description="smallest value")
    high: float = Field(description="largest value")

    @model_validator(mode="after")
    def _ordered(self) -> "Law":
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.law == "log_uniform" and self.low <= 0:
            raise ValueError("a log_uniform law needs low > 0")
        return self

    def draw(self, rng: np.random.Generator) -> float | int:
        """One value."""
        if self.law == "integer":
            return int(rng.integers(round(self.low), round(self.high), endpoint=True))
        if self.law == "log_uniform":
            return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return float(rng.uniform(self.low, self.high))


def grid_candidates(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of the listed values; the last name varies fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def random_candidates(
    grid: dict[str, list[Any]], laws: dict[str, Law], samples: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """``samples`` candidates: a value of each list and of each law, drawn independently."""
    return [
        {
            **{name: values[int(rng.integers(len(values)))] for name, values in grid.items()},
            **{name: law.draw(rng) for name, law in laws.items()},
        }
        for _ in range(samples)
    ]
