"""Observation operators of users: a function of what a place has, element by element.

    @operator("sensor")
    def sensor(z, *, gain: float = 1.0):
        return gain * np.tanh(z)                                # z: array of any shape -> the same shape

z is the value of a site, or what ``weights`` or interpolation make of several. Its derivative, for methods that
linearise, is taken by central differences, or from the keyword ``derivative`` of the decorator, a function with the
same parameters. A function that numba compiles is one of a number, ``f(z, gain: float = 1.0)``, and runs in the
compiled cycle; other functions have the cycle interpreted, and are called once for all members and observations.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from assimilearn.errors import AssimilearnError
from assimilearn.kernels import compile_alike
from assimilearn.observations.operators import FootprintSettings
from assimilearn.observations.rows import OwnFunction
from assimilearn.registry import Plugged, is_compiled

STEP = 1e-5  # of central differences, relative to a number above 1


class OwnOperatorSettings(FootprintSettings):
    """Settings of every operator of a plug-in, which it adds its own to."""

    @property
    def own(self) -> tuple[OwnFunction, ...]:
        """The function of the user."""
        return (PluginFunction(self),)


@dataclass(frozen=True)
class PluginFunction:
    """The function of an operator of a plug-in, with its settings."""

    settings: Any

    @property
    def part(self) -> Plugged:
        """The part that it comes from."""
        found: Plugged = self.settings.part
        return found

    @cached_property
    def options(self) -> dict[str, Any]:
        """Its keyword arguments."""
        return {name: getattr(self.settings, name) for name in self.part.parameters}

    @property
    def compiled(self) -> tuple[Any, tuple[float, ...]] | None:
        """Kernel and parameters of a function that numba compiles."""
        return (self.part.target, tuple(self.options.values())) if is_compiled(self.part.target) else None

    def values(self, z: np.ndarray) -> np.ndarray:
        """f(z).

        Raises
        ------
        PluginError
            If the function fails, changes what it is given, or returns another shape.
        """
        return self._called(self.part.target, z)

    def slope(self, z: np.ndarray) -> np.ndarray:
        """f'(z)."""
        derivative = self.part.options.get("derivative")
        if derivative is not None:
            return self._called(derivative, z)
        step = STEP * np.maximum(1.0, np.abs(z))
        return (self.values(z + step) - self.values(z - step)) / (2 * step)

    def _called(self, function: Any, z: np.ndarray) -> np.ndarray:
        given = np.array(z, dtype=float)
        given.flags.writeable = False
        try:
            if is_compiled(function):
                result = np.reshape(element_by_element(function)(given.ravel(), *self.options.values()), given.shape)
            else:
                result = np.asarray(function(given, **self.options), dtype=float)
        except AssimilearnError:
            raise
        except Exception as error:
            raise self.part.failure(error) from error
        if result.shape != given.shape:
            raise self.part.error(f"returns an array of the shape {result.shape}, given {given.shape}")
        return result


@cache
def element_by_element(function: Any) -> Any:
    """A loop over numbers around a compiled function of one."""
    from numba import njit

    compile_alike()

    @njit
    def loop(z, *parameters):  # type: ignore[no-untyped-def]
        result = np.empty(z.size)
        for i in range(z.size):
            result[i] = function(z[i], *parameters)
        return result

    return loop


def adapted(part: Plugged) -> "Adapter":
    """What stands for the module of an operator of the package.

    Raises
    ------
    PluginError
        If the decorator has another keyword than ``derivative``, or that is no function.
    """
    if unknown := [name for name in part.options if name != "derivative"]:
        raise part.error(f"has the keyword {unknown[0]!r}; there is derivative")
    if not callable(part.options.get("derivative", adapted)):
        raise part.error("has a derivative that is no function")
    return Adapter(part)


@dataclass(frozen=True)
class Adapter:
    """Tries an operator of a plug-in."""

    part: Plugged

    def try_out(self, settings: Any) -> None:
        """Observe random numbers, and see that each is observed by itself.

        Raises
        ------
        PluginError
            If that fails.
        """
        function, z = PluginFunction(settings), np.random.default_rng(0).standard_normal((2, 3))
        together, alone = function.values(z), function.values(z[:1, :1])
        if not np.allclose(together[0, 0], alone[0, 0], equal_nan=True):
            raise self.part.error("mixes its numbers: what is observed of one must not depend on the others")
        function.slope(z)
