"""Standardisation of states and increments, from training data only, the same for every site."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr

from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.weights import Shape


@dataclass(frozen=True)
class Scaling:
    """Numbers that make states and one-step increments of order one."""

    state_mean: float
    state_std: float
    increment_std: float

    def standardise(self, states: np.ndarray) -> np.ndarray:
        """States in units of their standard deviation about their mean."""
        return (states - self.state_mean) / self.state_std

    def arrays(self) -> dict[str, xr.DataArray]:
        """The three numbers as they are stored with an emulator."""
        names = {
            "state_mean": "mean of the training states over times and sites",
            "state_std": "standard deviation of the training states over times and sites",
            "increment_std": "root mean square of the one-step increments in training",
        }
        return {name: xr.DataArray(getattr(self, name), attrs={"long_name": text}) for name, text in names.items()}


def scaling_of(training: Windows) -> Scaling:
    """Scaling from the first two states of the training windows; a constant field scales by 1."""
    increments = training.targets - training.inputs
    state_std, increment_std = training.inputs.std(), np.sqrt(np.mean(increments**2))
    return Scaling(float(training.inputs.mean()), float(state_std) or 1.0, float(increment_std) or 1.0)


def scaling_from(weights: Mapping[str, np.ndarray]) -> Scaling:
    """The scaling that is stored with the weights of an emulator."""
    return Scaling(**{field.name: float(weights[field.name]) for field in fields(Scaling)})


SHAPES: dict[str, Shape] = {field.name: () for field in fields(Scaling)}
"""Its weights are single numbers."""


def scaling_problems(weights: Mapping[str, np.ndarray]) -> list[str]:
    """Standard deviations in a file by which nothing can be divided."""
    wrong = [name for name in ("state_std", "increment_std") if not weights[name] > 0]
    return [f"weight_{name} is not positive" for name in wrong]
