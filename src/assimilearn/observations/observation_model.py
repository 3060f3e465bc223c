"""What observations tell of a state: the operator, and errors that may be correlated, together."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from assimilearn.models.geometry import Geometry
from assimilearn.observations.correlation import NOWHERE, Correlation, correlation_of
from assimilearn.observations.correlation_kernels import whiten
from assimilearn.observations.operator_kernels import jacobian, observed
from assimilearn.observations.operators import operator_of
from assimilearn.observations.rows import DIRECT, Operator


class ObservationModel(NamedTuple):
    """Operator and error correlation of all observations of a file.

    Attributes
    ----------
    operator : Operator
        What observations are made from.
    correlation : Correlation
        Where they are, and the correlation of the errors of one time.
    names : tuple of str
        Of the instruments, where there are several.
    kind : ndarray (row,)
        Which of them a row of the operator's table is of; empty where there is one.
    """

    operator: Operator = DIRECT
    correlation: Correlation = NOWHERE
    names: tuple[str, ...] = ()
    kind: np.ndarray = np.empty(0, dtype=np.int64)

    @property
    def correlated(self) -> bool:
        """Whether errors of one time are correlated."""
        return self.correlation.length > 0

    @property
    def direct(self) -> bool:
        """Whether observations are the values of sites, with independent errors."""
        return self.operator.direct and not self.correlated

    def see(self, E: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """h of each row of E (row, site), whitened by the error correlation, (row, observation)."""
        Y = observed(np.ascontiguousarray(E), sites, self.operator)
        return self.whitened(Y, variance, sites)

    def tangents(self, X: np.ndarray, x: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """H X for X (site, column), (observation, column), H the derivative of what is seen of the state x (site,)."""
        if self.direct:
            return X[sites]
        rows = (jacobian(x, sites, self.operator) @ X).T.copy()
        return self.whitened(rows, variance, sites).T

    def whitened(self, rows: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """``rows (row, observation)``, whitened by the error correlation in place."""
        if self.correlated:
            whiten(rows, variance, sites, self.correlation)
        return rows


SITES = ObservationModel()
"""The values of sites, with independent errors."""


def observation_model_of(observations: xr.Dataset, geometry: Geometry) -> ObservationModel:
    """Operator and error correlation that a file of observations tells of.

    Raises
    ------
    FileError
        If what it says of operator or error correlation cannot be used.
    """
    operator, correlation = operator_of(observations, geometry), correlation_of(observations, geometry)
    if "instrument" not in observations:
        return ObservationModel(operator, correlation)
    kind = observations["instrument"]
    return ObservationModel(operator, correlation, tuple(kind.attrs["flag_meanings"].split()), kind.values.reshape(-1))
