"""The classical fourth-order Runge-Kutta scheme, written once: for arrays, and for compiled kernels.

    k1 = f(x), k2 = f(x + dt/2 k1), k3 = f(x + dt/2 k2), k4 = f(x + dt k3), x' = x + dt/6 (k1 + 2 k2 + 2 k3 + k4)

A model is its tendency f. :func:`rk4` takes f of NumPy or torch arrays; :func:`rk4_rows` takes f as a compiled kernel
and is inlined into the model's own step, so that the step is one kernel, as fast as if it were written out, and is kept
on disk::

    @njit(cache=True, fastmath=FAST, nogil=True)
    def rk4_step(E, parameters):
        rk4_rows(_tendency, E, parameters[-1], parameters)

Cost: 4 tendencies a step.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numba import njit

from assimilearn.errors import SettingsError
from assimilearn.kernels import FAST, compile_alike
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep, Model

compile_alike()


def rk4(tendency: Callable[..., Any], x: Any, dt: float, *parameters: Any) -> Any:
    """One step of ``x (..., site)``, NumPy or torch, which is left as it was; gradients flow through.

    Parameters
    ----------
    tendency : callable
        ``tendency(x, *parameters)`` gives dx/dt in the shape of x.
    x : array or tensor (..., site)
    dt : float
        Length of the step.
    *parameters
        Handed on to the tendency.
    """
    k1 = tendency(x, *parameters)
    k2 = tendency(x + dt / 2 * k1, *parameters)
    k3 = tendency(x + dt / 2 * k2, *parameters)
    k4 = tendency(x + dt * k3, *parameters)
    return x + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


@njit(fastmath=FAST, inline="always")
def rk4_rows(tendency, E, dt, parameters):
    """Advance every row of E (member, site) by one step, in place; tendency(x, parameters, k) writes dx/dt to k."""
    n = E.shape[1]
    k, stage, total = np.empty(n), np.empty(n), np.empty(n)
    for member in range(E.shape[0]):
        x = E[member]
        tendency(x, parameters, k)
        for i in range(n):
            total[i] = k[i]
            stage[i] = x[i] + dt / 2 * k[i]
        tendency(stage, parameters, k)
        for i in range(n):
            total[i] += 2 * k[i]
            stage[i] = x[i] + dt / 2 * k[i]
        tendency(stage, parameters, k)
        for i in range(n):
            total[i] += 2 * k[i]
            stage[i] = x[i] + dt * k[i]
        tendency(stage, parameters, k)
        for i in range(n):
            x[i] += dt / 6 * (total[i] + k[i])


@dataclass(frozen=True)
class RungeKuttaModel:
    """A model that is its tendency, integrated by RK4; a subclass gives the tendency twice and the geometry.

    Attributes
    ----------
    settings : ModelSettings
        With a ``time_step``, and a number for each of ``parameters``.
    """

    settings: Any

    parameters: ClassVar[tuple[str, ...]]
    """The settings that the tendency takes, in this order."""
    tendency: ClassVar[Callable[..., Any]]
    """dx/dt of an array or tensor (..., site), given the parameters; a static method."""
    kernel: ClassVar[Any]
    """Compiled step(E (member, site), (*parameters, time step)), in place; a static method."""

    @property
    @abstractmethod
    def geometry(self) -> Geometry:
        """Where the numbers of a state are."""

    @property
    def size(self) -> int:
        """Number of sites."""
        return self.geometry.size

    @property
    def time_step(self) -> float:
        """Length of one step in MTU."""
        return float(self.settings.time_step)

    @property
    def values(self) -> tuple[float, ...]:
        """Values of the parameters."""
        return tuple(getattr(self.settings, name) for name in self.parameters)

    @cached_property
    def compiled(self) -> CompiledStep:
        """The step for the compiled cycle."""
        return CompiledStep(self.kernel, np.array([*self.values, self.time_step]))

    def augmented(self, names: Sequence[str]) -> Model:
        """The same model for states that carry these parameters, each its own, after their sites.

        Raises
        ------
        SettingsError
            If there are others among them than the settings say can be estimated.
        """
        if unknown := [name for name in names if name not in self.settings.estimable]:
            raise SettingsError(f"{self.settings.method} cannot estimate {', '.join(unknown)}")
        return OwnParameters(self, tuple(names))

    def step(self, states: Any) -> Any:
        """One step of ``states (..., site)``, NumPy or torch."""
        return rk4(self.tendency, states, self.time_step, *self.values)

    def differentiable(self, tensor: Any) -> Any:
        """One step of a torch tensor (..., site) that gradients flow through."""
        return self.step(tensor)

    def differentiable_at(self, tensor: Any, values: Mapping[str, Any]) -> Any:
        """One step of a torch tensor (..., site) with some parameters at other values, tensors too."""
        parameters = [values.get(name, value) for name, value in zip(self.parameters, self.values, strict=True)]
        return rk4(self.tendency, tensor, self.time_step, *parameters)


@dataclass(frozen=True)
class OwnParameters:
    """A model for states (..., site + parameter) with parameters of their own, which a step leaves as they are."""

    model: RungeKuttaModel
    names: tuple[str, ...]
    compiled: None = None

    @property
    def size(self) -> int:
        """Number of sites and parameters."""
        return self.model.size + len(self.names)

    @property
    def time_step(self) -> float:
        """Length of one step in MTU."""
        return self.model.time_step

    def step(self, states: np.ndarray) -> np.ndarray:
        """One RK4 step of ``states (..., site + parameter)``."""
        n = self.model.size
        x, own = states[..., :n], states[..., n:]
        values = {name: own[..., k : k + 1] for k, name in enumerate(self.names)}
        return np.concatenate([self.model.differentiable_at(x, values), own], axis=-1)
