"""Emulators of users: a class with ``fit`` and ``predict``, in the way of scikit-learn.

    @emulator("nearest")
    class Nearest:
        def __init__(self, geometry, *, neighbours: int = 5): ...
        def fit(self, states, targets): ...        # (row, site), and the states one interval later
        def predict(self, states): ...             # (row, site) -> the states one interval later

What ``fit`` learned are the attributes whose names end in an underscore: numbers, or arrays of them. They are kept in
the file as arrays, and set again on a new object when it is opened; no object is pickled. ``fit`` may ask for ``rng``.
A method ``differentiable(states)`` of torch tensors, float64, which does what ``predict`` does, gives 4D-Var and the
EKF their derivatives.
"""

import inspect
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from assimilearn.emulators.emulator import Fitted, Step
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.errors import AssimilearnError, FileError
from assimilearn.models.geometry import Geometry
from assimilearn.registry import Plugged

LEARNED = "learned"  # the weight that holds all arrays, as the bytes of an uncompressed npz file
TRIED = 20  # states of the trial


class LearnerSettings(EmulatorSettings):
    """Settings of an emulator of a user, which has no compiled step."""

    compiles: ClassVar[bool] = False


def adapted(part: Plugged) -> "Learner":
    """What stands for the module of an emulator of the package.

    Raises
    ------
    PluginError
        If it is no class with ``fit`` and ``predict``.
    """
    if not inspect.isclass(part.target):
        raise part.error("is no class: it needs the methods fit(states, targets) and predict(states)")
    if missing := [name for name in ("fit", "predict") if not callable(getattr(part.target, name, None))]:
        raise part.error(f"has no method {missing[0]}")
    return Learner(part)


@dataclass(frozen=True)
class Learner:
    """The functions that an emulator method consists of, for a class of a user."""

    part: Plugged
    LOCAL: ClassVar[bool] = False

    def fit(
        self, training: Windows, validation: Windows, settings: LearnerSettings, rng: np.random.Generator
    ) -> Fitted:
        """Make an object, fit it to the pairs of training, and take what it learned."""
        made = self._made(training.geometry, settings)
        states, targets = _read_only(training.inputs), _read_only(training.targets)
        asked = {"rng": rng} if "rng" in inspect.signature(made.fit).parameters else {}
        self._called(made.fit, states, targets, **asked)
        learned = {name: value for name, value in vars(made).items() if name.endswith("_") and name[0] != "_"}
        if not learned:
            raise self.part.error("learns nothing: fit must set attributes whose names end in an underscore")
        for name, value in learned.items():
            if np.asarray(value).dtype.kind not in "fiub":
                raise self.part.error(f"learns {name}, which is no number or array of numbers")
        file = io.BytesIO()
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in sorted(learned.items())}
        np.savez(file, **arrays)
        content = np.frombuffer(file.getvalue(), dtype=np.uint8)
        return Fitted({LEARNED: xr.DataArray(content, dims="byte", attrs={"long_name": "what was learned, as npz"})})

    def shapes(self, settings: LearnerSettings, size: int) -> dict[str, Shape]:
        """What a file must hold."""
        return {LEARNED: ("byte",)}

    def problems(self, weights: Mapping[str, np.ndarray], settings: LearnerSettings) -> list[str]:
        """Nothing that is not found when the arrays are read."""
        return []

    def mapping(self, weights: Mapping[str, np.ndarray], settings: LearnerSettings, geometry: Geometry) -> Step:
        """The step: ``predict`` of a new object with what was learned."""
        made = self._learned(weights, settings, geometry)

        def step(states: np.ndarray) -> np.ndarray:
            found = np.asarray(self._called(made.predict, _read_only(states)), dtype=float)
            if found.shape != states.shape:
                raise self.part.error(f"predicts the shape {found.shape}, given {states.shape}")
            return found

        return step

    def _learned(self, weights: Mapping[str, np.ndarray], settings: LearnerSettings, geometry: Geometry) -> Any:
        """A new object with what was learned.

        Raises
        ------
        FileError
            If the arrays cannot be read.
        """
        made = self._made(geometry, settings)
        try:
            content = np.asarray(weights[LEARNED], dtype=np.uint8).tobytes()
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                for name, value in arrays.items():
                    setattr(made, name, value[()])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise FileError(f"what the emulator {self.part.name} learned cannot be read: {error}") from error
        return made

    @property
    def differentiates(self) -> bool:
        """Whether the class has a step of tensors."""
        return callable(getattr(self.part.target, "differentiable", None))

    def tensor_step(
        self, weights: Mapping[str, np.ndarray], settings: LearnerSettings, geometry: Geometry
    ) -> Callable[[Any], Any]:
        """The step of tensors: ``differentiable`` of a new object with what was learned."""
        return partial(self._called, self._learned(weights, settings, geometry).differentiable)

    def try_out(self, settings: LearnerSettings, geometry: Geometry) -> None:
        """Learn from a few random states and forecast two, to see that it can be done."""
        states = np.random.default_rng(0).standard_normal((TRIED, 2, geometry.size))
        windows = Windows(states, np.ones((TRIED, 1, geometry.size)), geometry)
        fitted = self.fit(windows, windows, settings, np.random.default_rng(0))
        weights = {name: array.values for name, array in fitted.weights.items()}
        self.mapping(weights, settings, geometry)(states[:2, 0])

    def _made(self, geometry: Geometry, settings: LearnerSettings) -> Any:
        """An object that has learned nothing yet."""
        names = set(type(settings).model_fields) & set(self.part.parameters)
        return self._called(self.part.target, geometry, **{name: getattr(settings, name) for name in sorted(names)})

    def _called(self, function: Any, *given: Any, **named: Any) -> Any:
        """What the code of the user gives, its errors with the line of its file."""
        try:
            return function(*given, **named)
        except AssimilearnError:
            raise
        except Exception as error:
            raise self.part.failure(error) from error


def _read_only(states: np.ndarray) -> np.ndarray:
    """A copy that cannot be changed."""
    copied = np.array(states, dtype=float)
    copied.flags.writeable = False
    return copied
