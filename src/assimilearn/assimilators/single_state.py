"""A trained network as the analysis of one state: innovations on the grid, the graph, its memory, its errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from assimilearn.assimilation.problem import Problem
from assimilearn.assimilators.exported import Graph
from assimilearn.assimilators.gridded import AtSites
from assimilearn.assimilators.network import grid_of, inputs
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import Model

Array = np.ndarray
SHAPES = {
    "graph": ("byte",),
    **dict.fromkeys(("mean", "std", "scale", "forecast_std", "analysis_std"), ("field",)),
}
"""What a file holds: the graph, the scaling, and the rms errors of forecast and analysis."""


@dataclass(frozen=True)
class SingleState:
    """The analysis step of a trained network.

    Attributes
    ----------
    weights : name -> array, see :data:`SHAPES`
    geometry : Geometry
        Of the states that it was trained on.
    """

    weights: Mapping[str, Array]
    geometry: Geometry
    members = 1
    draws = 0

    @cached_property
    def graph(self) -> Graph:
        """The network."""
        return Graph(self.weights["graph"])

    def forecaster(self, model: Model) -> Model:
        """The given model: only the analysis was learned."""
        return model

    def begin(self, problem: Problem) -> "SingleStateRun":
        """A run over the observations of a problem, without any memory yet.

        Raises
        ------
        SettingsError
            If its states are not those of training: other fields, or another size where points are not alike.
        """
        ours, theirs = self.geometry, problem.geometry
        if ours.names != theirs.names or len(ours.axes) != len(theirs.axes):
            raise SettingsError("the assimilator was trained on states of other fields")
        if ours.size != theirs.size and not (ours.homogeneous and len(ours.axes) == 1):
            raise SettingsError(
                f"the assimilator was trained on states of {ours.size} sites, and these have {theirs.size}"
            )
        return SingleStateRun(self, problem)


class SingleStateRun:
    """One run: it remembers.

    Attributes
    ----------
    forecast_variance, analysis_variance : ndarray (site,)
        The same at all times.
    """

    def __init__(self, step: SingleState, problem: Problem):
        self.graph, self.grid = step.graph, grid_of(problem.geometry)
        self.sees = AtSites.of(problem)
        field = problem.geometry.field_of
        self.scaling = tuple(step.weights[name][field] for name in ("mean", "std", "scale"))
        self.forecast_variance = step.weights["forecast_std"][field] ** 2
        self.analysis_variance = step.weights["analysis_std"][field] ** 2
        self.memory = np.zeros((1, self.graph.memory, *self.grid[1:]), dtype=np.float32)

    def analyse(self, E: Array, Y: Array, y: Array, variance: Array, sites: Array, noise: Array) -> None:
        """Move the one state E (1, site) in place to its analysis; signature of the update of a filter."""
        gridded = self.sees.gridded(y[None], variance[None], sites[None], np.ones((1, y.size)))
        observed = gridded.observed.astype(float)
        given: Any = inputs(E, self.sees.seen(E), gridded.value, gridded.error_std, observed, self.scaling, self.grid)
        increment, self.memory = self.graph(given, self.memory)
        E += self.scaling[1] * increment.reshape(E.shape)
