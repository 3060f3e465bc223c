"""Assimilation methods of users: a function that makes the analysis ensemble of one time, run by the cycle of filters.

    @method("my-filter")
    def analyse(ensemble, observed, value, variance, *, strength: float = 1.0):
        ...                                                                # -> ensemble (member, site)

It asks by name for what it needs: ``ensemble (member, site)``, the forecast; ``observed (member, observation)``, what
its members would observe; ``value`` and ``variance (observation,)``, the observations and their error variances, with
correlated errors whitened; ``sites (observation,)``, the sites that they are nearest to; ``noise (member, draws)``,
standard normal numbers, as many a member as the keyword ``draws`` of the decorator says; ``geometry``, which knows
where sites are and how far apart. Inflation, rotation, model error and estimated parameters are those of every filter.
"""

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from assimilearn.assimilation.cycling.filtering import Filter, run_filter
from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.cycling.start import first_ensemble
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import FilterSettings
from assimilearn.errors import AssimilearnError
from assimilearn.models.geometry import Geometry
from assimilearn.registry import Plugged

ARRAYS = ("ensemble", "observed", "value", "variance", "sites", "noise")
ARGUMENTS = (*ARRAYS, "geometry")
"""What the function of a user may ask for, by name."""


class MethodSettings(FilterSettings):
    """Settings of every method of a plug-in: those of the filters, which it adds its own to."""

    any_operator: ClassVar[bool] = True
    correlated_errors: ClassVar[bool] = True


def adapted(part: Plugged) -> "Adapter":
    """What stands for the module of a method of the package.

    Raises
    ------
    PluginError
        If the decorator has another keyword than ``draws``, or the function asks for something unknown.
    """
    draws = part.options.get("draws", 0)
    if unknown := [name for name in part.options if name != "draws"]:
        raise part.error(f"has the keyword {unknown[0]!r}; there is draws")
    if not (isinstance(draws, int) and draws >= 0):
        raise part.error("needs a whole number of draws, 0 or more")
    parameters = inspect.signature(part.target).parameters.values()
    asked = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
    if unknown := [name for name in asked if name not in ARGUMENTS]:
        raise part.error(f"asks for {unknown[0]!r}; there are {', '.join(ARGUMENTS)}")
    return Adapter(part, asked, draws)


@dataclass(frozen=True)
class Adapter:
    """Runs a method of a plug-in.

    Attributes
    ----------
    part : its function is called as ``analyse(*asked, **settings)``
    asked : names of its arguments
    draws : standard normal numbers for each member and time
    """

    part: Plugged
    asked: tuple[str, ...]
    draws: int

    def run(self, problem: Problem, settings: Any, rng: np.random.Generator) -> Record:
        """Cycle the ensemble."""

        def update(E: Any, Y: Any, y: Any, variance: Any, sites: Any, parameters: Any, noise: Any) -> None:
            noise = noise.reshape(settings.members, self.draws)
            E[:] = self.analysed(settings, problem.geometry, E, Y, y, variance, sites, noise)

        start = partial(first_ensemble, members=settings.members)
        method = Filter(update, np.empty(0), start, settings.members * self.draws, compiled=False)
        return run_filter(problem, method, settings, rng)

    def analysed(self, settings: Any, geometry: Geometry, *given: np.ndarray) -> np.ndarray:
        """The analysis ensemble of one time.

        Parameters
        ----------
        settings : of the method
        geometry : of the states
        *given : arrays in the order of :data:`ARRAYS`, which the function of the user cannot change

        Raises
        ------
        PluginError
            If the function fails, changes what it is given, or returns another shape than that of the ensemble.
        """
        arguments = {name: _read_only(array) for name, array in zip(ARRAYS, given, strict=True)}
        arguments["geometry"] = geometry
        options = {name: getattr(settings, name) for name in self.part.parameters}
        try:
            analysis = self.part.target(*(arguments[name] for name in self.asked), **options)
        except AssimilearnError:
            raise
        except Exception as error:
            raise self.part.failure(error) from error
        shape, expected = np.shape(analysis), given[0].shape
        if shape != expected:
            raise self.part.error(f"returns an ensemble of the shape {shape}, given {expected}")
        return np.asarray(analysis, dtype=float)

    def try_out(self, settings: Any, geometry: Geometry) -> None:
        """Make one analysis out of random numbers, to see that it can be done."""
        rng = np.random.default_rng(0)
        E, count = rng.standard_normal((settings.members, geometry.size)), max(geometry.size // 2, 1)
        value, noise = rng.standard_normal(count), rng.standard_normal((settings.members, self.draws))
        self.analysed(settings, geometry, E, E[:, :count].copy(), value, np.ones(count), np.arange(count), noise)


def _read_only(array: np.ndarray) -> Any:
    view = array.view()
    view.flags.writeable = False
    return view
