"""Reservoir computing: an echo state network whose hidden state each member carries.

    r(t+1) = (1 - a) r(t) + a tanh(A r(t) + W z(t) + b),     z = (x - mean) / std
    x(t+1) = x(t) + V [r(t+1), z(t), 1]

Jaeger (2001), GMD Report 148; for chaotic models Pathak, Hunt, Girvan, Lu & Ott (2018), Phys. Rev. Lett. 120, 024102,
whose reservoirs in parallel are the local form here: every grid point (or block) has a reservoir that sees the points
around it. All points being alike, A, W, b and V are the same for all of them. Only V is fitted, by ridge regression on
a run of the reservoir along the analyses of the training period, of which the first `washout` steps of every stretch
without a gap are left out. Inputs go on to the output (`z`) as well, so that a linear model is a special case.

A forecast from a state alone begins with the hidden state that a linear regression on z expects; in a filter the hidden
state of a member goes on from cycle to cycle.

Cost of a step: units x (units + inputs) a grid point and member.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.emulators.classical.tensors import tensor_view
from assimilearn.emulators.classical.threads import one_thread
from assimilearn.emulators.classical.triangular import ridge
from assimilearn.emulators.emulator import Fitted, Step
from assimilearn.emulators.fields import SCALING_SHAPES, View, field_scaling, field_scaling_from, scaling_problems, view
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry

LOCAL = True
BEGINNING_PENALTY = 1e-6  # of the regression of hidden states on inputs, a share of the number of samples


class ReservoirSettings(EmulatorSettings):
    """Echo state network, of the whole state or in parallel."""

    compiles: ClassVar[bool] = False
    more: ClassVar[bool] = True
    differentiates: ClassVar[bool] = True

    method: Literal["reservoir"] = "reservoir"
    units: int = Field(200, ge=1, le=10_000, description="units of a reservoir")
    radius: int | None = Field(
        2,
        ge=0,
        le=100,
        description="grid points seen beyond the edges of a block; null, or without space: one reservoir of all",
    )
    block: int = Field(1, ge=1, le=100, description="grid points along each axis that a reservoir gives")
    spectral_radius: float = Field(0.5, ge=0, lt=1, description="of the connections of units; below 1 echoes die out")
    degree: float = Field(6.0, gt=0, description="mean number of units that a unit is connected to")
    input_scale: float = Field(0.5, gt=0, description="inputs are weighted by up to this, biases too")
    leak: float = Field(1.0, gt=0, le=1, description="share of the hidden state that a step makes anew")
    alpha: float = Field(1e-4, ge=0, description="ridge penalty, added to sums over samples")
    washout: int = Field(50, ge=0, description="steps of each stretch of analyses that are left out of the regression")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where one function cannot serve all blocks."""
        view(geometry, self.radius, self.block)

    @property
    def memory_steps(self) -> int:
        """Analyses after which the hidden state has forgotten how it began."""
        return self.washout

    def needed_times(self, period: Literal["train", "validation"]) -> int:
        """The washout of the training period comes before what is learned from."""
        return self.washout + 2 if period == "train" else 2


def fit(training: Windows, validation: Windows, settings: ReservoirSettings, rng: np.random.Generator) -> Fitted:
    """Draw the reservoir, run it along the training period, and solve for the output."""
    scaling, seen = field_scaling(training), view(training.geometry, settings.radius, settings.block)
    drawn = reservoir(seen.inputs.shape[1], settings, rng)
    wanted = scaling.increments(training.targets - training.inputs)
    z = scaling.standardised(training.inputs)
    gaps = np.append(True, (training.inputs[1:] != training.targets[:-1]).any(axis=1))
    count, points = settings.units + seen.inputs.shape[1] + 1, len(seen.inputs)
    hidden_sums = np.zeros((seen.inputs.shape[1] + 1,) * 2), np.zeros((seen.inputs.shape[1] + 1, settings.units))

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        age, hidden = 0, np.zeros((points, settings.units))
        kept: list[tuple[np.ndarray, ...]] = []
        for k in range(len(z)):
            age, hidden = (0, np.zeros_like(hidden)) if gaps[k] else (age + 1, hidden)
            rows = seen.rows(z[k : k + 1])
            if age >= settings.washout:  # the state before the step belongs to the input of the step
                ones = np.column_stack([rows, np.ones(points)])
                hidden_sums[0][:] += ones.T @ ones
                hidden_sums[1][:] += ones.T @ hidden
            hidden = driven(hidden, rows, drawn, settings)
            if age >= settings.washout:
                weights = seen.targets(training.weights[k : k + 1, 0]).mean(axis=1)
                kept.append((read_out(hidden, rows), seen.targets(wanted[k : k + 1]), weights))
            if kept and (len(kept) * points >= 4 * count or k == len(z) - 1):
                yield tuple(np.concatenate(part) for part in zip(*kept, strict=True))  # type: ignore[misc]
                kept.clear()

    with one_thread():
        output = ridge(batches(), count, seen.outputs.shape[1], settings.alpha)
    gram, moment = hidden_sums
    if not gram.any():
        return Fitted({}, failure=f"no stretch of the training period is longer than the washout of {settings.washout}")
    penalty = BEGINNING_PENALTY * gram[-1, -1] * np.eye(len(gram))
    texts = {
        "internal": (("input", "unit"), drawn["internal"], "weights of the inputs, drawn at random"),
        "bias": (("unit",), drawn["bias"], "biases of the units, drawn at random"),
        "connections": (("unit", "other_unit"), drawn["connections"], "connections of the units, drawn at random"),
        "output": (("feature", "output"), output, "weights of hidden state, inputs and the number one, fitted"),
        "beginning": (("term", "unit"), np.linalg.solve(gram + penalty, moment), "hidden state given the inputs"),
    }
    arrays = {name: xr.DataArray(v, dims=d, attrs={"long_name": text}) for name, (d, v, text) in texts.items()}
    return Fitted({**scaling.arrays(), **arrays})


def reservoir(inputs: int, settings: ReservoirSettings, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random weights of inputs, biases and connections; a unit's connections are uniform, then scaled together."""
    units, scale = settings.units, settings.input_scale
    connections = rng.uniform(-1, 1, (units, units)) * (rng.uniform(0, 1, (units, units)) < settings.degree / units)
    largest = np.abs(np.linalg.eigvals(connections)).max()
    connections *= settings.spectral_radius / largest if largest > 0 else 0.0
    return {
        "connections": connections,
        "internal": rng.uniform(-scale, scale, (inputs, units)),
        "bias": rng.uniform(-scale, scale, units),
    }


def driven(
    hidden: np.ndarray, rows: np.ndarray, weights: Mapping[str, np.ndarray], settings: ReservoirSettings
) -> np.ndarray:
    """Hidden states (row, unit) one step later, given the inputs ``rows (row, input)``."""
    argument = hidden @ weights["connections"] + rows @ weights["internal"] + weights["bias"]
    return (1 - settings.leak) * hidden + settings.leak * np.tanh(argument)


def read_out(hidden: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Features (row, feature): hidden state, inputs, and the number one."""
    return np.column_stack([hidden, rows, np.ones(len(rows))])


def shapes(settings: ReservoirSettings, size: int) -> dict[str, Shape]:
    """The scaling, the reservoir, the output, and how a forecast begins."""
    units = settings.units
    return {
        **SCALING_SHAPES,
        "internal": ("input", units),
        "bias": (units,),
        "connections": (units, units),
        "output": ("feature", "output"),
        "beginning": ("term", units),
    }


def problems(weights: Mapping[str, np.ndarray], settings: ReservoirSettings) -> list[str]:
    """What is wrong with weights of the right shapes."""
    inputs = len(weights["internal"])
    right = {"output": settings.units + inputs + 1, "beginning": inputs + 1}
    wrong = [f"weight_{name} has not the {rows} rows of its settings" for name, rows in right.items()
             if len(weights[name]) != rows]  # fmt: skip
    return scaling_problems(weights) + wrong


def checked_view(weights: Mapping[str, np.ndarray], settings: ReservoirSettings, geometry: Geometry) -> View:
    """What a reservoir sees.

    Raises
    ------
    FileError
        If the weights are not those of this geometry.
    """
    seen = view(geometry, settings.radius, settings.block)
    given = len(weights["internal"]), weights["output"].shape[1]
    if given != (seen.inputs.shape[1], seen.outputs.shape[1]):
        raise FileError("the weights of this reservoir emulator are not those of its settings: internal, output")
    return seen


def more(weights: Mapping[str, np.ndarray], settings: ReservoirSettings, geometry: Geometry) -> dict[str, Any]:
    """The hidden states of all reservoirs are the memory of a member."""
    seen, scaling = checked_view(weights, settings, geometry), field_scaling_from(weights, geometry)
    memory = len(seen.inputs) * settings.units

    def begin(states: np.ndarray) -> np.ndarray:
        rows = seen.rows(scaling.standardised(states.reshape(-1, geometry.size)))
        with one_thread():
            hidden = np.column_stack([rows, np.ones(len(rows))]) @ weights["beginning"]
        return np.concatenate([states, hidden.reshape(*states.shape[:-1], memory)], axis=-1)

    return {"memory": memory, "begin": begin}


def mapping(weights: Mapping[str, np.ndarray], settings: ReservoirSettings, geometry: Geometry) -> Step:
    """The step of rows (row, site + memory): all members and reservoirs at once."""
    seen, scaling = checked_view(weights, settings, geometry), field_scaling_from(weights, geometry)
    n = geometry.size

    def step(members: np.ndarray) -> np.ndarray:
        rows = seen.rows(scaling.standardised(members[:, :n]))
        with one_thread():
            hidden = driven(members[:, n:].reshape(-1, settings.units), rows, weights, settings)
            increments = seen.states(read_out(hidden, rows) @ weights["output"])
        return np.concatenate([scaling.added(members[:, :n], increments), hidden.reshape(len(members), -1)], axis=1)

    return step


def tensor_step(
    weights: Mapping[str, np.ndarray], settings: ReservoirSettings, geometry: Geometry
) -> Callable[[Any], Any]:
    """The step of a torch tensor (..., site + memory) through which gradients flow."""
    import torch

    seen = tensor_view(checked_view(weights, settings, geometry))
    scaling, n = field_scaling_from(weights, geometry), geometry.size
    mean, std, scale = (
        torch.as_tensor(part[scaling.field_of]) for part in (scaling.mean, scaling.std, scaling.increment_std)
    )
    given = {name: torch.as_tensor(weights[name]) for name in ("connections", "internal", "bias", "output")}

    def step(x: Any) -> Any:
        members = x.reshape(-1, x.shape[-1])
        rows, hidden = seen.rows((members[:, :n] - mean) / std), members[:, n:].reshape(-1, settings.units)
        argument = hidden @ given["connections"] + rows @ given["internal"] + given["bias"]
        hidden = (1 - settings.leak) * hidden + settings.leak * torch.tanh(argument)
        features = torch.cat([hidden, rows, rows.new_ones(len(rows), 1)], 1)
        after = members[:, :n] + scale * seen.states(features @ given["output"])
        return torch.cat([after, hidden.reshape(len(members), -1)], 1).reshape(x.shape)

    return step
