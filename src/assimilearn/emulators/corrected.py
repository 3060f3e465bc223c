"""Hybrid models: physics plus a learned correction of what it gets wrong over one interval.

    x_{k+1} = M(x_k) + c(x_k),      c fitted to x_{k+1} - M(x_k) over the analyses of the training period

or, with `corrects: tendency`, x <- M_h(x) + c(x) / s after each of the s steps M_h of the physical model. With `noise`,
a random part follows the correction, independent from site to site:

    e_{k+1} = phi e_k + sigma sqrt(1 - phi^2) xi,      xi ~ N(0, 1)      (ar1; white: phi = 0)

sigma and phi, of each field, are standard deviation and lag-one correlation of what the corrected forecasts of the
validation period leave. Members carry e: Wilks (2005), Q. J. R. Meteorol. Soc. 131, 389-407, eq. 4.

Bonavita & Laloyaux (2020), J. Adv. Model. Earth Syst. 12, e2020MS002232; Farchi et al. (2021), Q. J. R. Meteorol. Soc.
147, 3067-3084: the additive corrections of the resolvent and of the tendency. Any emulator serves as c: it learns the
increments of pairs in which the physical forecast stands for persistence. The file holds the settings of the physical
model beside the weights of the correction.
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
NOISE = ("noise_std", "noise_correlation")
PHYSICS = "physics"  # weight that holds the settings of the physical model, and its steps in an interval


class HybridSettings(EmulatorSettings):
    """A physical model plus a learned correction."""

    compiles: ClassVar[bool] = False
    differentiates: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("analysis", "model")
    more: ClassVar[bool] = True

    method: Literal["hybrid"] = "hybrid"
    model: str = Field(description="the physical model: a name under `models`")
    correction: Annotated[EmulatorSettings, OneOf("emulator", "network", without=("hybrid",))] = Field(
        description="the emulator that learns what the model gets wrong in one interval, with its settings"
    )
    corrects: Literal["forecast", "tendency"] = Field(
        "forecast", description="the correction is added once an interval, or in equal parts after each model step"
    )
    noise: Literal["none", "white", "ar1"] = Field(
        "none", description="random part of the correction: none, independent in time, or autoregressive of first order"
    )

    @model_validator(mode="after")
    def _one_step(self) -> "HybridSettings":
        if self.correction.steps != 1:
            raise ValueError("correction: it is fitted to single steps: leave out its `lead`")
        if self.correction.training_times is not None:
            raise ValueError("correction: set `training_times` of the hybrid instead")
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
    weights = {**fitted.weights, PHYSICS: physics.stored}
    if settings.noise != "none" and not fitted.failure:
        learned = {name: array.values for name, array in weights.items()}
        weights |= noise_of(validation, mean_step(learned, settings, validation.geometry), settings)
    return fitted._replace(weights=weights)


def noise_of(given: Windows, step: Step, settings: HybridSettings) -> dict[str, xr.DataArray]:
    """Standard deviation and lag-one correlation, of each field, of the errors of ``step`` at the ``given`` pairs."""
    errors = given.targets - step(given.inputs)
    next_to = (given.inputs[1:] == given.targets[:-1]).all(axis=1)
    earlier, later = errors[:-1][next_to], errors[1:][next_to]
    parts = given.geometry.slices.values()
    std = np.array([errors[:, part].std() for part in parts])
    products = np.array([np.mean(earlier[:, part] * later[:, part]) if next_to.any() else 0.0 for part in parts])
    phi = np.clip(products / np.where(std > 0, std, 1.0) ** 2, -0.999, 0.999) * (settings.noise == "ar1")
    texts = {"noise_std": (std, "standard deviation"), "noise_correlation": (phi, "lag-one correlation")}
    return {
        name: xr.DataArray(v, dims="noise_field", attrs={"long_name": f"{text} of the random part of the correction"})
        for name, (v, text) in texts.items()
    }


def as_persistence(given: Windows, physics: Physics) -> np.ndarray:
    """Pairs (window, 2, site) whose increments are the errors of the physical forecast."""
    wrong = given.targets - physics.forecast(given.inputs)
    return np.stack([given.inputs, given.inputs + wrong], axis=1)


def shapes(settings: HybridSettings, size: int) -> dict[str, Shape]:
    """What a file must hold."""
    method = method_of(settings.correction)
    noise: dict[str, Shape] = {name: ("noise_field",) for name in NOISE} if settings.noise != "none" else {}
    return {**method.shapes(settings.correction, size), PHYSICS: ("character",), **noise}


def problems(weights: Mapping[str, np.ndarray], settings: HybridSettings) -> list[str]:
    """What is wrong with weights of the right shapes."""
    method = method_of(settings.correction)
    found: list[str] = method.problems(of_correction(weights), settings.correction)
    wrong = settings.noise != "none" and not (np.abs(weights["noise_correlation"]) < 1).all()
    return [*found, *(["weight_noise_correlation is not below 1"] if wrong else [])]


def of_correction(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of the correction."""
    return {name: value for name, value in weights.items() if name not in (PHYSICS, *NOISE)}


def correction_of(weights: Mapping[str, np.ndarray], settings: HybridSettings, geometry: Geometry) -> Emulator:
    """The correction as an emulator of its own: x + c(x)."""
    made = emulator_of(settings.correction, of_correction(weights), geometry, 1.0)
    if made.memory > 0:
        raise SettingsError(f"correction: {settings.correction.method} has a memory, which a correction cannot carry")
    return made


def mean_step(weights: Mapping[str, np.ndarray], settings: HybridSettings, geometry: Geometry) -> Step:
    """The step without its random part: the physical forecast plus the correction."""
    physics, correction = physics_from(weights, geometry.size), correction_of(weights, settings, geometry)
    if settings.corrects == "tendency":
        once = replace(physics, steps=1)

        def step_by_step(states: np.ndarray) -> np.ndarray:
            for _ in range(physics.steps):
                states = once.forecast(states) + (correction.step(states) - states) / physics.steps
            return states

        return step_by_step

    def step(states: np.ndarray) -> np.ndarray:
        return physics.forecast(states) + (correction.step(states) - states)

    return step


def more(weights: Mapping[str, np.ndarray], settings: HybridSettings, geometry: Geometry) -> dict[str, Any]:
    """What the random part needs: numbers to draw, and, where it is correlated in time, its last value."""
    n = geometry.size
    if settings.noise != "ar1":
        return {"draws": n if settings.noise == "white" else 0}

    def begin(states: np.ndarray) -> np.ndarray:
        return np.concatenate([states, np.zeros_like(states)], axis=-1)

    return {"draws": n, "memory": n, "begin": begin}


def mapping(
    weights: Mapping[str, np.ndarray], settings: HybridSettings, geometry: Geometry
) -> Callable[..., np.ndarray]:
    """The step of rows (row, site + memory), with noise (row, site) where there is a random part.

    Raises
    ------
    FileError
        If the random part is that of another number of fields.
    """
    mean = mean_step(weights, settings, geometry)
    if settings.noise == "none":
        return mean
    if weights["noise_std"].size != len(geometry.fields):
        raise FileError(f"the random part of the correction is not that of {len(geometry.fields)} fields")
    std, phi = (weights[name][geometry.field_of] for name in NOISE)
    n = geometry.size

    def step(rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
        random = std * np.sqrt(1 - phi**2) * noise
        if settings.noise == "white":
            return mean(rows) + random
        error = phi * rows[:, n:] + random
        return np.concatenate([mean(rows[:, :n]) + error, error], axis=1)

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
            part = (correction.differentiable(y) - y) / physics.steps if settings.corrects == "tendency" else 0.0
            y = once(y) + part
        return y if settings.corrects == "tendency" else y + (correction.differentiable(x) - x)

    return step
