"""Hybrid models: physics plus a learned correction of what it gets wrong over one interval.

    x_{k+1} = M(x_k) + c(x_k),      c fitted to x_{k+1} - M(x_k) over the analyses of the training period

Bonavita & Laloyaux (2020), J. Adv. Model. Earth Syst. 12, e2020MS002232; Farchi et al. (2021), Q. J. R. Meteorol. Soc.
147, 3067-3084, eq. 7: the additive correction of the resolvent. Any emulator serves as c: it learns the increments of
pairs in which the physical forecast stands for persistence. The file holds the settings of the physical model beside
the weights of the correction.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field, ValidationError, model_validator

from assimilearn.emulators.emulator import Emulator, Fitted, Step
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.train import emulator_of, method_of
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError, SettingsError
from assimilearn.models import build
from assimilearn.models.geometry import Geometry
from assimilearn.models.integrate import forecast
from assimilearn.models.protocol import Differentiable, PhysicalModel
from assimilearn.registry import part_in_file
from assimilearn.unions import OneOf

LOCAL = False
PHYSICS = "physics"  # weight that holds the settings of the physical model, and its steps in an interval


class HybridSettings(EmulatorSettings):
    """A physical model plus a learned correction."""

    compiles: ClassVar[bool] = False
    differentiates: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("analysis", "model")

    method: Literal["hybrid"] = "hybrid"
    model: str = Field(description="the physical model: a name under `models`")
    correction: Annotated[EmulatorSettings, OneOf("emulator", "network", without=("hybrid",))] = Field(
        description="the emulator that learns what the model gets wrong in one interval, with its settings"
    )

    @model_validator(mode="after")
    def _one_step(self) -> "HybridSettings":
        if self.correction.steps != 1:
            raise ValueError("correction: it is fitted to single steps: leave out its `lead`")
        if self.correction.needs != ("analysis",):
            raise ValueError(f"correction: {self.correction.method} is not learned from an analysis alone")
        return self

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where the correction does."""
        self.correction.refuse_unlike(geometry)


@dataclass(frozen=True)
class Physics:
    """A physical model over one interval.

    Attributes
    ----------
    model : PhysicalModel
    steps : int
        Of the model in an interval.
    """

    model: PhysicalModel
    steps: int

    def forecast(self, states: np.ndarray) -> np.ndarray:
        """``states (..., site)`` one interval later."""
        return forecast(self.model, states, self.steps)

    @property
    def stored(self) -> xr.DataArray:
        """What a file says of it, as bytes of JSON."""
        settings = self.model.settings
        told = {"method": settings.method, "settings": settings.canonical(), "steps": self.steps}
        content = np.frombuffer(json.dumps(told, sort_keys=True).encode(), dtype=np.uint8)
        return xr.DataArray(content, dims="character", attrs={"long_name": "settings of the physical model, JSON"})


def physics_over(model: PhysicalModel, interval: float) -> Physics:
    """The model over one interval, in MTU.

    Raises
    ------
    SettingsError
        If the interval is not a multiple of its time step.
    """
    steps = round(interval / model.time_step)
    if steps < 1 or abs(steps * model.time_step - interval) > 1e-6 * interval:
        raise SettingsError(f"the interval of {interval:g} MTU is not a multiple of the step {model.time_step:g} MTU")
    return Physics(model, steps)


def physics_from(weights: Mapping[str, np.ndarray], size: int) -> Physics:
    """The physical model that a file tells of.

    Raises
    ------
    FileError
        If it cannot be built, or has another number of sites.
    """
    try:
        told = json.loads(np.asarray(weights[PHYSICS], dtype=np.uint8).tobytes())
        part = part_in_file({"method": told["method"]}, "model")
        physics = Physics(build(part.settings.model_validate_json(told["settings"])), int(told["steps"]))  # type: ignore[arg-type]
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise FileError(f"the physical model in the emulator file cannot be built: {error}") from error
    if physics.model.size != size or not 1 <= physics.steps <= 1_000_000:
        raise FileError(f"the physical model in the emulator file is not one of {size} sites")
    return physics


def fit(
    training: Windows, validation: Windows, settings: HybridSettings, rng: np.random.Generator, *, physics: Physics
) -> Fitted:
    """Fit the correction to pairs (x, x + what the model gets wrong)."""
    method = method_of(settings.correction)
    pairs = [replace(given, states=as_persistence(given, physics)) for given in (training, validation)]
    fitted: Fitted = method.fit(*pairs, settings.correction, rng)
    return fitted._replace(weights={**fitted.weights, PHYSICS: physics.stored})


def as_persistence(given: Windows, physics: Physics) -> np.ndarray:
    """Pairs (window, 2, site) whose increments are the errors of the physical forecast."""
    wrong = given.targets - physics.forecast(given.inputs)
    return np.stack([given.inputs, given.inputs + wrong], axis=1)


def shapes(settings: HybridSettings, size: int) -> dict[str, Shape]:
    """What a file must hold."""
    method = method_of(settings.correction)
    return {**method.shapes(settings.correction, size), PHYSICS: ("character",)}


def problems(weights: Mapping[str, np.ndarray], settings: HybridSettings) -> list[str]:
    """What is wrong with weights of the right shapes."""
    method = method_of(settings.correction)
    found: list[str] = method.problems(without_physics(weights), settings.correction)
    return found


def without_physics(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of the correction."""
    return {name: value for name, value in weights.items() if name != PHYSICS}


def correction_of(weights: Mapping[str, np.ndarray], settings: HybridSettings, geometry: Geometry) -> Emulator:
    """The correction as an emulator of its own: x + c(x)."""
    return emulator_of(settings.correction, without_physics(weights), geometry, 1.0)


def mapping(weights: Mapping[str, np.ndarray], settings: HybridSettings, geometry: Geometry) -> Step:
    """The step: the physical forecast plus the correction of the state before it."""
    physics, correction = physics_from(weights, geometry.size), correction_of(weights, settings, geometry)

    def step(states: np.ndarray) -> np.ndarray:
        return physics.forecast(states) + (correction.step(states) - states)

    return step


def tensor_step(
    weights: Mapping[str, np.ndarray], settings: HybridSettings, geometry: Geometry
) -> Callable[[Any], Any]:
    """The step of a torch tensor (..., site) through which gradients flow.

    Raises
    ------
    SettingsError
        If the correction has none.
    """
    physics, correction = physics_from(weights, geometry.size), correction_of(weights, settings, geometry)
    if not isinstance(correction, Differentiable):
        raise SettingsError(f"{settings.correction.method} has no derivatives: choose differences instead")
    model = physics.model
    once = model.differentiable if isinstance(model, Differentiable) else model.step

    def step(x: Any) -> Any:
        y: Any = x
        for _ in range(physics.steps):
            y = once(y)
        return y + (correction.differentiable(x) - x)

    return step
