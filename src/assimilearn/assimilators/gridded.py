"""Observations as fields on the grid of the state: what a network sees of them, besides a mask of where they are."""

from typing import Any, NamedTuple

import numpy as np

from assimilearn.assimilation.problem import Problem
from assimilearn.errors import SettingsError
from assimilearn.observations.rows import ABSOLUTE, ARCTAN, CUBE, FLOOR, IDENTITY, LOG, SQUARE, transformed


class AtSites(NamedTuple):
    """What is observed at a site: h_i(x) = f_i(x_i).

    Attributes
    ----------
    function : ndarray (site,), int64
        Numbers of the functions f.
    site : ndarray (row,), int64
        The site that a row of the operator's table is made from.
    scale : ndarray (site,)
        Climatological standard deviation of h_i.
    """

    function: np.ndarray
    site: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, problem: Problem) -> "AtSites":
        """The operator of a problem.

        Raises
        ------
        SettingsError
            If observations are made from several sites, their errors are correlated, or two functions meet at a site.
        """
        size, operator = problem.model.size, problem.observation.operator
        if problem.observation.correlated:
            raise SettingsError("a learned analysis step takes observations with independent errors only")
        if operator.own:
            raise SettingsError("a learned analysis step takes the operators of the package, not those of a plug-in")
        if operator.direct:
            return cls(np.zeros(size, np.int64), np.arange(size), np.sqrt(problem.background.variance))
        if ((operator.weight != 0).sum(axis=1) != 1).any() or (operator.weight.sum(axis=1) != 1).any():
            raise SettingsError("a learned analysis step takes observations of single sites, not of sums over several")
        site = operator.site[np.arange(len(operator.site)), operator.weight.argmax(axis=1)]
        function = np.zeros(size, np.int64)
        function[site] = operator.function
        if (function[site] != operator.function).any():
            raise SettingsError("a learned analysis step takes one kind of observation at a site, and here are several")
        scale = np.sqrt(problem.background.variance)
        scale[site] = np.sqrt(problem.expected.variance)
        return cls(function, site, scale)

    @property
    def linear(self) -> bool:
        """Whether the sites themselves are observed."""
        return not self.function.any()

    def gridded(self, y: np.ndarray, variance: np.ndarray, sites: np.ndarray, valid: np.ndarray) -> "Gridded":
        """Observations (time, observation) on the grid; several of one site at a time become one, by their precision.

        Parameters
        ----------
        y, variance, sites, valid : ndarray (time, observation)
            Values, error variances, rows of the operator's table, and which of them count.
        """
        times, size = len(y), self.function.size
        weight = np.where(valid != 0, 1 / variance, 0.0)
        place = (np.arange(times)[:, None], self.site[sites])
        precision, total = np.zeros((times, size)), np.zeros((times, size))
        np.add.at(precision, place, weight)
        np.add.at(total, place, weight * y)
        observed = precision > 0
        safe = np.where(observed, precision, 1.0)
        return Gridded(total / safe, np.where(observed, 1 / np.sqrt(safe), 0.0), observed)

    def seen(self, x: np.ndarray) -> np.ndarray:
        """h of states (..., site)."""
        return x if self.linear else transformed(self.function, x)

    def differentiable(self, x: Any) -> Any:
        """h of the torch tensor ``x (..., site)``, through which gradients flow."""
        import torch

        if self.linear:
            return x
        functions: dict[int, Any] = {
            IDENTITY: lambda z: z,
            SQUARE: torch.square,
            ABSOLUTE: torch.abs,
            LOG: lambda z: torch.log(torch.clamp(torch.abs(z), min=FLOOR)),
            ARCTAN: torch.arctan,
            CUBE: lambda z: z**3,
        }
        result = x
        for code in np.unique(self.function):
            result = torch.where(torch.as_tensor(self.function == code), functions[int(code)](x), result)
        return result


class Gridded(NamedTuple):
    """Observations on the grid, each (time, site): values, error standard deviations and where there are any.

    Values and errors are 0 where there are none.
    """

    value: np.ndarray
    error_std: np.ndarray
    observed: np.ndarray
