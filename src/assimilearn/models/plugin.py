"""Models of users: a function that maps named fields one step forward, as a Model of flat states.

    @model("pond", fields={"height": (32, 32)}, time_step=0.1, draws=1, memory=2, remember=begin, error_std=spread)
    def pond(fields, memory, noise, *, damping: float = 0.1):
        return {"height": ...}, memory

``fields`` is {name: array (..., *grid)}. With ``memory``, the number of entries that a member carries after its sites,
the function also asks for ``memory (..., entry)`` and returns it after the fields; ``remember(fields)`` gives that of a
first state, by default zeros. With ``draws`` it asks for ``noise (..., draws)``, standard normal numbers.
``error_std(fields)`` gives the standard deviation of the error of the step that begins there. All take the settings.

A function that numba compiles is given flat rows (member, site + memory + draws) instead, the fields one after the
other, and changes them in place: ``pond(rows, damping: float = 0.1)``. It runs in the compiled cycle.
"""

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from assimilearn.errors import AssimilearnError
from assimilearn.kernels import compile_alike
from assimilearn.models.geometry import Geometry, grid, without_space
from assimilearn.models.protocol import CompiledStep, WithErrorStd, with_memory
from assimilearn.models.settings import ModelSettings
from assimilearn.registry import Plugged, first_line, is_compiled

OPTIONS = ("fields", "spacing", "periodic", "time_step", "start", "draws", "memory", "remember", "error_std")
FUNCTIONS = ("start", "remember", "error_std")
"""Keywords of the decorator ``@model``."""


@dataclass(frozen=True)
class PluginModel:
    """A model made of a function of a user, which is given each field as a NumPy array that it cannot change.

    Attributes
    ----------
    part : the plug-in's part
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
        """The step of a function that numba compiles, whose settings are numbers."""
        if not is_compiled(self.part.target):
            return None
        values = settings_of(self.settings).values()
        return CompiledStep(compiled_step(self.part.target, len(values)), np.array([*values], dtype=float))

    @property
    def draws(self) -> int:
        """Standard normal numbers that a member needs in each step."""
        return int(self.part.options.get("draws", 0))

    @property
    def memory(self) -> int:
        """Entries that a member carries after its sites."""
        return int(self.part.options.get("memory", 0))

    def begin(self, states: np.ndarray) -> np.ndarray:
        """``states (..., site)`` with their first memory: that of ``remember``, or zeros.

        Raises
        ------
        PluginError
            If ``remember`` fails or returns another shape.
        """
        remember, shape = self.part.options.get("remember"), (*states.shape[:-1], self.memory)
        first = np.zeros(shape) if remember is None else self._of_fields(remember, states)
        if np.shape(first) != shape:
            raise self.part.error(f"returns a memory of the shape {np.shape(first)} from its start, not {shape}")
        return np.concatenate([states, first], axis=-1)

    def step(self, states: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """Map ``states (..., site + memory)`` one step forward, given ``noise (..., draws)``; the input stays.

        Raises
        ------
        PluginError
            If the function fails, changes its input, or returns other fields or shapes than it is given.
        """
        states = np.asarray(states, dtype=float)
        rows = np.array(states.reshape(-1, self.size + self.memory))
        chance = np.zeros((len(rows), self.draws)) if noise is None else np.reshape(noise, (len(rows), self.draws))
        if self.compiled is not None:
            whole = np.hstack([rows, chance])
            self.compiled.step(whole, self.compiled.parameters)
            return whole[:, : rows.shape[1]].reshape(states.shape)
        if self.of_tensors:
            return self._step_tensors(rows).reshape(states.shape)
        given, before = self.geometry.split(_frozen(rows[:, : self.size])), rows[:, self.size :]
        more = {"memory": _frozen(before), "noise": _frozen(chance)}
        returned = self._called(self.part.target, given, *(more[name] for name in _asked(self.part)))
        stepped, after = self._parted(returned, before)
        self._check(stepped, given)
        joined = self.geometry.join({name: np.asarray(stepped[name], dtype=float) for name in given})
        return np.concatenate([joined, after], axis=-1).reshape(states.shape)

    def _parted(self, returned: Any, before: np.ndarray) -> tuple[Any, np.ndarray]:
        """Fields and memory of what the function of the user returned, whose memory was ``before (row, entry)``."""
        if self.memory == 0:
            return returned, before
        if not isinstance(returned, tuple) or len(returned) != 2 or np.shape(returned[1]) != before.shape:
            raise self.part.error(f"must return its fields and then its memory, of the shape {before.shape}")
        return returned[0], np.asarray(returned[1], dtype=float)

    def _of_fields(self, function: Any, states: np.ndarray) -> Any:
        """What a function of fields (..., *grid) and settings makes of ``states (..., site)``."""
        rows = _frozen(np.array(states, dtype=float).reshape(-1, self.size))
        made = self._called(function, self.geometry.split(rows))
        if isinstance(made, Mapping):
            self._check(made, self.geometry.split(rows), function.__name__)
            made = self.geometry.join({name: np.asarray(made[name], dtype=float) for name in self.geometry.names})
        made = np.asarray(made, dtype=float)
        return made.reshape(*states.shape[:-1], made.shape[-1]) if made.ndim == 2 else made

    def differentiable(self, tensor: Any) -> Any:
        """One step of a torch tensor (..., site) that gradients flow through.

        Raises
        ------
        PluginError
            If the function cannot take torch tensors.
        """
        given = self.geometry.split(tensor.reshape(-1, self.size))
        stepped = self._called(self.part.target, given)
        self._check(stepped, given)
        return self.geometry.join(stepped).reshape(tensor.shape)

    @cached_property
    def of_tensors(self) -> bool:
        """Whether the function is written in torch: it takes tensors, and fails with NumPy arrays."""
        if _asked(self.part):  # then it is called with arrays alone
            return False
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

    def _called(self, function: Any, given: Mapping[str, Any], *more: np.ndarray) -> Any:
        """What a function of the user makes of the fields."""
        try:
            return function(given, *more, **settings_of(self.settings))
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


@dataclass(frozen=True)
class UncertainPluginModel(PluginModel):
    """A model of a user that says how wrong its next step is."""

    def error_std(self, states: np.ndarray) -> np.ndarray:
        """Standard deviation, (..., site), of the error of the step that begins at ``states (..., site + memory)``.

        Raises
        ------
        PluginError
            If the function of the user fails, or does not give one for every site.
        """
        std: np.ndarray = self._of_fields(self.part.options["error_std"], states[..., : self.size])
        if std.shape != (*states.shape[:-1], self.size):
            raise self.part.error("returns no fields from its error_std, like those of a state")
        return std


def _frozen(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _asked(part: Plugged) -> tuple[str, ...]:
    """What the function of a user asks for besides its fields, in order."""
    parameters = inspect.signature(part.target).parameters.values()
    return tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)[1:]


def _needed(part: Plugged) -> set[str]:
    """What it must ask for."""
    return {other for name, other in (("memory", "memory"), ("draws", "noise")) if part.options.get(name, 0)}


@cache
def compiled_step(function: Any, count: int) -> Any:
    """The kernel of a compiled function of a user with ``count`` settings."""
    from numba import njit
    from numba.np.unsafe.ndarray import to_fixed_tuple

    compile_alike()

    @njit(nogil=True)
    def step(E, parameters):  # type: ignore[no-untyped-def]
        function(E, *to_fixed_tuple(parameters, count))  # type: ignore[call-arg]

    return step


def adapted(part: Plugged) -> "Adapter":
    """What stands for the module of a model of the package.

    Raises
    ------
    PluginError
        If the keywords of the decorator cannot be used.
    """
    geometry_of(part)
    for name in FUNCTIONS:
        if not callable(part.options.get(name, geometry_of)):
            what = "a numpy Generator and returns fields" if name == "start" else "fields and the settings"
            raise part.error(f"has a {name} that is no function: name one that takes {what}")
    for name in ("draws", "memory"):
        if not (isinstance(part.options.get(name, 0), int) and part.options.get(name, 0) >= 0):
            raise part.error(f"needs a whole number as its {name}, 0 or more")
    if not is_compiled(part.target) and (wrong := set(_asked(part)) ^ _needed(part)):
        names = " and ".join(sorted(_needed(part))) or "nothing else"
        raise part.error(f"must ask for its fields and for {names}: {', '.join(sorted(wrong))} is in question")
    if not (isinstance(part.options["time_step"], int | float) and part.options["time_step"] > 0):
        raise part.error("needs a time_step above 0")
    return Adapter(part)


@dataclass(frozen=True)
class Adapter:
    """Builds the models of a plug-in."""

    part: Plugged

    def build(self, settings: ModelSettings) -> PluginModel:
        """The model that ``settings`` describe."""
        uncertain = "error_std" in self.part.options
        return UncertainPluginModel(self.part, settings) if uncertain else PluginModel(self.part, settings)

    def try_out(self, settings: ModelSettings) -> None:
        """Take one step from random numbers, to see that it can be done."""
        model, rng = self.build(settings), np.random.default_rng(0)
        start = with_memory(model, model.start(rng))
        states = np.stack([start, start])
        if np.shape(model.step(states, rng.standard_normal((2, model.draws)))) != states.shape:
            raise self.part.error("changes the shape of its states")
        if isinstance(model, WithErrorStd):
            model.error_std(states)


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
