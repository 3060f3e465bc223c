"""What stands between a network and the cycle: scaling, innovations on the grid, one analysis.

A network is a ``torch.nn.Module`` with an attribute ``memory``, the number of channels that it carries from one
analysis to the next, and

    forward(state, innovation, observed, error, memory) -> increment, memory

on fields: ``state (row, field, *grid)`` is the forecast about its climatological mean, in climatological standard
deviations; ``innovation`` is y - h(x_f) in standard deviations of the observation error, 0 where nothing is observed;
``observed`` is 1 where something is; ``error`` is the standard deviation of the observation error over the
climatological one of what is observed, 0 where nothing is. ``memory (row, memory, *grid)`` begins with zeros. The
increment is in climatological standard deviations.
"""

from typing import Any, NamedTuple

import numpy as np

from assimilearn.assimilation.problem import Problem
from assimilearn.assimilators.gridded import AtSites
from assimilearn.models.geometry import Geometry


class Scaling(NamedTuple):
    """Climatological mean and standard deviation of each site, and what is observed there; each (site,)."""

    mean: np.ndarray
    std: np.ndarray
    sees: AtSites

    @classmethod
    def of(cls, problem: Problem) -> "Scaling":
        """Those of the climatology, pooled over the sites of a field."""
        mean, std = np.empty(problem.model.size), np.empty(problem.model.size)
        for part in problem.geometry.slices.values():
            mean[part] = problem.background.mean[part].mean()
            std[part] = np.sqrt(problem.background.variance[part].mean())
        sees = AtSites.of(problem)
        scale = sees.scale.copy()
        for part in problem.geometry.slices.values():
            scale[part] = np.sqrt((scale[part] ** 2).mean())
        return cls(mean, std, sees._replace(scale=scale))


def grid_of(geometry: Geometry) -> tuple[int, ...]:
    """Shape (field, *grid) of a state."""
    return (len(geometry.fields), *geometry.fields[0].shape)


def inputs(forecast: Any, seen: Any, value: Any, error_std: Any, observed: Any, scaling: Any, grid: Any) -> list[Any]:
    """State, innovation, observed and error as a network takes them, from arrays or tensors (row, site).

    Parameters
    ----------
    forecast, seen : (row, site)
        x_f and h(x_f).
    value, error_std, observed : (row, site)
    scaling : mean, std and scale, each (site,)
    grid : shape (field, *grid)
    """
    mean, std, scale = scaling
    innovation = observed * (value - seen) / (error_std + (1 - observed))
    fields = ((forecast - mean) / std, innovation, observed, error_std / scale)
    return [field.reshape(-1, *grid) for field in fields]
