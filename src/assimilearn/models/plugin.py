"""Models of users: a function that maps named fields one step forward, as a Model of flat states."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from assimilearn.errors import AssimilearnError
from assimilearn.models.geometry import Geometry, grid, without_space
from assimilearn.models.protocol import CompiledStep
from assimilearn.models.settings import ModelSettings
from assimilearn.registry import Plugged, first_line

OPTIONS = ("fields", "spacing", "periodic", "time_step", "start")
"""Keywords of the decorator ``@model``."""


@dataclass(frozen=True)
class PluginModel:
    """A model made of a function of a user, which is given each field as a NumPy array that it cannot change.

    Attributes
    ----------
    part : the plug-in's part; its function is called as ``step({name: array (..., *grid)}, **settings)``
    settings : its settings
    """

    part: Plugged
    settings: ModelSettings

    @cached_property
    def geometry(self) -> Geometry:
        """Where the numbers of a state are."""
        return geometry_of(self.part)

    @property
    def size(self) -> int:
        """Number of sites."""
        return self.geometry.size

    @property
    def time_step(self) -> float:
        """Length of one step in MTU."""
        return float(self.part.options["time_step"])

    @property
    def compiled(self) -> CompiledStep | None:
        """None: there is only the function of the user."""
        return None

    def step(self, states: np.ndarray) -> np.ndarray:
        """Map ``states (..., site)`` one step forward; the input is left as it was.

        Raises
        ------
        PluginError
            If the function fails, changes its input, or returns other fields or shapes than it is given.
        """
        states = np.asarray(states, dtype=float)
        rows = np.array(states.reshape(-1, self.size))
        if self.of_tensors:
            return self._step_tensors(rows).reshape(states.shape)
        rows.flags.writeable = False
        given = self.geometry.split(rows)
        stepped = self._called(given)
        self._check(stepped, given)
        return self.geometry.join({name: np.asarray(stepped[name], dtype=float) for name in given}).reshape(
            states.shape
        )

    def differentiable(self, tensor: Any) -> Any:
        """One step of a torch tensor (..., site) that gradients flow through.

        Raises
        ------
        PluginError
            If the function cannot take torch tensors.
        """
        given = self.geometry.split(tensor.reshape(-1, self.size))
        stepped = self._called(given)
        self._check(stepped, given)
        return self.geometry.join(stepped).reshape(tensor.shape)

    @cached_property
    def of_tensors(self) -> bool:
        """Whether the function is written in torch: it takes tensors, and fails with NumPy arrays."""
        module = sys.modules.get(self.part.target.__module__)
        if module is None or not any(getattr(value, "__name__", "") == "torch" for value in vars(module).values()):
            return False
        given = self.geometry.split(np.random.default_rng(0).standard_normal((2, self.size)))
        try:
            stepped = self.part.target(given, **settings_of(self.settings))
        except (TypeError, AttributeError):
            return True
        return any(type(value).__module__.startswith("torch") for value in dict(stepped).values())

    def _step_tensors(self, rows: np.ndarray) -> np.ndarray:
        """One step of ``rows (row, site)`` by a function written in torch."""
        import torch

        before = torch.tensor(rows)
        with torch.no_grad():
            stepped = self.differentiable(before).numpy()
        if not np.array_equal(before.numpy(), rows):
            raise self.part.error("changes its input: make new tensors instead")
        return np.asarray(stepped, dtype=float)

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """One state, (site,), from which free runs spin up: that of ``start``, or standard normal numbers.

        Raises
        ------
        PluginError
            If ``start`` fails, or returns other fields or shapes than the model has.
        """
        begin = self.part.options.get("start")
        if begin is None:
            return rng.standard_normal(self.size)
        try:
            fields = {name: np.asarray(values, dtype=float) for name, values in begin(rng).items()}
        except Exception as error:
            raise self.part.failure(error) from error
        self._check(fields, self.geometry.split(np.empty(self.size)), "start")
        return np.asarray(self.geometry.join(fields))

    def _called(self, given: Mapping[str, Any]) -> Any:
        """What the function of the user makes of the fields."""
        try:
            return self.part.target(given, **settings_of(self.settings))
        except AssimilearnError:
            raise
        except Exception as error:
            raise self.part.failure(error) from error

    def _check(self, stepped: Any, given: Mapping[str, Any], what: str = "step") -> None:
        """Raise PluginError unless the fields that came back are like those that went in."""
        if not isinstance(stepped, Mapping):
            raise self.part.error(f"returns {type(stepped).__name__} from its {what}, not fields by name")
        if set(stepped) != set(given):
            names, others = ", ".join(given), ", ".join(map(str, stepped)) or "none"
            raise self.part.error(f"has the fields {names}, and its {what} returns {others}")
        for name, before in given.items():
            if tuple(np.shape(stepped[name])) != tuple(before.shape):
                shape, expected = tuple(np.shape(stepped[name])), tuple(before.shape)
                raise self.part.error(f"returns {name!r} of the shape {shape} from its {what}, given {expected}")


def adapted(part: Plugged) -> "Adapter":
    """What stands for the module of a model of the package.

    Raises
    ------
    PluginError
        If the keywords of the decorator cannot be used.
    """
    geometry_of(part)
    if not callable(part.options.get("start", geometry_of)):
        raise part.error("has a start that is no function: name one that takes a numpy Generator and returns fields")
    if not (isinstance(part.options["time_step"], int | float) and part.options["time_step"] > 0):
        raise part.error("needs a time_step above 0")
    return Adapter(part)


@dataclass(frozen=True)
class Adapter:
    """Builds the models of a plug-in."""

    part: Plugged

    def build(self, settings: ModelSettings) -> PluginModel:
        """The model that ``settings`` describe."""
        return PluginModel(self.part, settings)

    def try_out(self, settings: ModelSettings) -> None:
        """Take one step from random numbers, to see that it can be done."""
        model = self.build(settings)
        start = model.start(np.random.default_rng(0))
        model.step(np.stack([start, start]))


def settings_of(settings: ModelSettings) -> dict[str, Any]:
    """The keyword arguments of the user's function."""
    return {name: getattr(settings, name) for name in type(settings).model_fields if name != "method"}


def geometry_of(part: Plugged) -> Geometry:
    """Fields and axes, from the keywords of ``@model``.

    Raises
    ------
    PluginError
        If a keyword is unknown or missing, or they do not describe fields.
    """
    options = part.options
    if unknown := [name for name in options if name not in OPTIONS]:
        raise part.error(f"has the keyword {unknown[0]!r}; there are {', '.join(OPTIONS)}")
    if missing := [name for name in ("fields", "time_step") if name not in options]:
        raise part.error(f"needs the keyword {missing[0]!r}")
    fields: Mapping[str, Any] | Sequence[str] = options["fields"]
    try:
        if not isinstance(fields, Mapping) or all(isinstance(shape, int) for shape in fields.values()):
            return without_space(fields)
        return grid(fields, options.get("spacing", 1.0), options.get("periodic", True))
    except (AssimilearnError, TypeError, ValueError) as error:
        raise part.error(f"has fields that cannot be used: {first_line(error)}") from error
