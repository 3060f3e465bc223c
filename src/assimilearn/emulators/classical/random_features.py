"""Random features: one hidden layer of fixed random weights, and a ridge regression on what it gives.

    x(t+1) = x(t) + V tanh(W z + b)      (`skip`),      or      x(t+1) = V tanh(W z + b),      z = (x - mean) / std

Rahimi & Recht (2007), NIPS 20; for forecasts of chaotic models, with the internal weights drawn as here, Mandal &
Gottwald (2025), Nat. Commun. 16 (arXiv 2501.06661). Internal weights are drawn by their hit-and-run scheme: the bias is
uniform between `lowest` and `highest`, where tanh is neither linear nor saturated, the direction of a row of W is
random, its length uniform up to the largest for which the argument of tanh stays between these two on the box that
holds the training data, and the sign of the whole row is random.

Localized, one function gives a `block` of grid points from itself and the points up to `radius` beyond its edges; the
weights are the same for all blocks. Their Lorenz-96 has blocks of 2 points that see 2 blocks to either side: radius 4.

Cost of the fit: samples x features^2; of a step: features x (inputs + outputs) a block and member.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from assimilearn.emulators.classical.tensors import regression
from assimilearn.emulators.classical.threads import one_thread
from assimilearn.emulators.classical.triangular import ridge
from assimilearn.emulators.emulator import Fitted, Step
from assimilearn.emulators.fields import SCALING_SHAPES, field_scaling, field_scaling_from, scaling_problems, view
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry

LOCAL = True
BATCH = 4000  # samples whose features are held at once


class RandomFeatureSettings(EmulatorSettings):
    """Random features with internal weights that suit the data."""

    compiles: ClassVar[bool] = False
    differentiates: ClassVar[bool] = True

    method: Literal["random-features"] = "random-features"
    features: int = Field(512, ge=1, le=20_000, description="number of features")
    radius: int | None = Field(
        4,
        ge=0,
        le=100,
        description="grid points seen beyond the edges of a block; null, or without space: the whole state",
    )
    block: int = Field(2, ge=1, le=100, description="grid points along each axis that are given together")
    skip: bool = Field(True, description="the increment is learned, not the state that follows")
    alpha: float = Field(1e-3, ge=0, description="ridge penalty, added to sums over samples; less for cleaner analyses")
    samples: int = Field(100_000, ge=1, description="most training samples (times x blocks), drawn at random")
    lowest: float = Field(0.4, ge=0, description="least argument of tanh, in size, in the training data")
    highest: float = Field(3.5, gt=0, description="largest argument of tanh, in size, in the training data")

    @model_validator(mode="after")
    def _in_order(self) -> "RandomFeatureSettings":
        if self.lowest >= self.highest:
            raise ValueError("lowest: must be below `highest`")
        return self

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where one function cannot serve all blocks."""
        view(geometry, self.radius, self.block)


def fit(training: Windows, validation: Windows, settings: RandomFeatureSettings, rng: np.random.Generator) -> Fitted:
    """Draw the internal weights, and solve for the external ones."""
    scaling, seen = field_scaling(training), view(training.geometry, settings.radius, settings.block)
    inputs, targets = training.inputs, training.targets
    weights = training.weights[:, 0]
    times = min(len(inputs), -(-settings.samples // len(seen.inputs)))
    if times < len(inputs):
        chosen = np.sort(rng.choice(len(inputs), times, replace=False))
        inputs, targets, weights = inputs[chosen], targets[chosen], weights[chosen]
    rows = seen.rows(scaling.standardised(inputs))
    wanted = scaling.increments(targets - inputs) if settings.skip else scaling.standardised(targets)
    lowest, highest = rows.min(axis=0), rows.max(axis=0)
    if times < len(training.inputs):  # the box is that of all training data
        every = seen.rows(scaling.standardised(training.inputs))
        lowest, highest = every.min(axis=0), every.max(axis=0)
    internal, bias = hit_and_run(lowest, highest, settings, rng)
    with one_thread():
        external = regress(rows, seen.targets(wanted), seen.targets(weights).mean(axis=1), internal, bias, settings)
    texts = {
        "internal": (("input", "feature"), internal, "internal weights, drawn at random"),
        "bias": ("feature", bias, "internal biases, drawn at random"),
        "external": (("feature", "output"), external, "external weights, fitted"),
    }
    arrays = {name: xr.DataArray(v, dims=d, attrs={"long_name": text}) for name, (d, v, text) in texts.items()}
    return Fitted({**scaling.arrays(), **arrays})


def hit_and_run(
    lowest: np.ndarray, highest: np.ndarray, settings: RandomFeatureSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Internal weights (input, feature) and biases (feature,) for data between ``lowest`` and ``highest (input,)``.

    For all points of the box the argument of tanh has one sign, and a size between ``settings.lowest`` and ``highest``.
    """
    count = settings.features
    bias = rng.uniform(settings.lowest, settings.highest, count)
    direction = rng.standard_normal((lowest.size, count))
    direction /= np.linalg.norm(direction, axis=0)
    at_ends = np.stack([direction * lowest[:, None], direction * highest[:, None]])
    most, least = at_ends.max(axis=0).sum(axis=0), at_ends.min(axis=0).sum(axis=0)  # over the box, per unit of length
    upwards = np.where(most > 0, (settings.highest - bias) / np.where(most > 0, most, 1), np.inf)
    downwards = np.where(least < 0, (settings.lowest - bias) / np.where(least < 0, least, -1), np.inf)
    longest = np.minimum(upwards, downwards)  # infinite where the box is the point 0: then any length will do
    length = rng.uniform(0, 1, count) * np.where(np.isfinite(longest), longest, 0.0)
    sign = rng.choice([-1.0, 1.0], count)
    return direction * length * sign, bias * sign


def regress(
    rows: np.ndarray,
    wanted: np.ndarray,
    weights: np.ndarray,
    internal: np.ndarray,
    bias: np.ndarray,
    settings: RandomFeatureSettings,
) -> np.ndarray:
    """External weights (feature, output) by ridge regression on the features of ``rows (row, input)``."""
    parts = (slice(first, first + BATCH) for first in range(0, len(rows), BATCH))
    batches = ((np.tanh(rows[part] @ internal + bias), wanted[part], weights[part]) for part in parts)
    return ridge(batches, bias.size, wanted.shape[1], settings.alpha)


def shapes(settings: RandomFeatureSettings, size: int) -> dict[str, Shape]:
    """The scaling, and the two layers."""
    count = settings.features
    layers: dict[str, Shape] = {
        "internal": ("input", count),
        "bias": (count,),
        "external": (count, "output"),
    }
    return {**SCALING_SHAPES, **layers}


def problems(weights: Mapping[str, np.ndarray], settings: RandomFeatureSettings) -> list[str]:
    """What is wrong with weights of the right shapes."""
    return scaling_problems(weights)


def mapping(weights: Mapping[str, np.ndarray], settings: RandomFeatureSettings, geometry: Geometry) -> Step:
    """The step: all members and blocks at once.

    Raises
    ------
    FileError
        If the layers are not those of this geometry.
    """
    seen, scaling = view(geometry, settings.radius, settings.block), field_scaling_from(weights, geometry)
    internal, bias, external = weights["internal"], weights["bias"], weights["external"]
    if len(internal) != seen.inputs.shape[1] or external.shape[1] != seen.outputs.shape[1]:
        raise FileError(
            "the weights of this random-features emulator are not those of its settings: internal, external"
        )

    def step(states: np.ndarray) -> np.ndarray:
        with one_thread():
            rows = seen.rows(scaling.standardised(states))
            found = seen.states(np.tanh(rows @ internal + bias) @ external)
        return scaling.added(states, found) if settings.skip else scaling.unstandardised(found)

    return step


def tensor_step(
    weights: Mapping[str, np.ndarray], settings: RandomFeatureSettings, geometry: Geometry
) -> Callable[[Any], Any]:
    """The step of a torch tensor (..., site) through which gradients flow."""
    import torch

    seen, scaling = view(geometry, settings.radius, settings.block), field_scaling_from(weights, geometry)
    internal, bias, external = (torch.as_tensor(weights[name]) for name in ("internal", "bias", "external"))
    return regression(seen, scaling, lambda rows: torch.tanh(rows @ internal + bias) @ external, settings.skip)
