"""What observations tell of a state: the operator, and errors that may be correlated, together."""

from typing import NamedTuple

import numpy as np

from assimilearn.observations.correlation_kernels import make_independent
from assimilearn.observations.operator_kernels import jacobian, observed
from assimilearn.observations.rows import DIRECT, Operator


class Instrument(NamedTuple):
    """Operator and error correlation of all observations of a file.

    Attributes
    ----------
    operator : Operator
        What observations are made from.
    correlation : ndarray (distance,)
        Of the errors of one time, as in :mod:`assimilearn.observations.correlation`; empty if they are independent.
    """

    operator: Operator = DIRECT
    correlation: np.ndarray = np.empty(0)

    @property
    def direct(self) -> bool:
        """Whether observations are the values of sites, with independent errors."""
        return self.operator.direct and self.correlation.size == 0

    def see(self, E: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """h of each row of E (row, site) with the errors made independent, (row, observation)."""
        Y = observed(np.ascontiguousarray(E), sites, self.operator)
        return self.independent(Y, variance, sites, E.shape[1])

    def tangents(self, X: np.ndarray, x: np.ndarray, variance: np.ndarray, sites: np.ndarray) -> np.ndarray:
        """H X for X (site, column), (observation, column), H the derivative of what is seen of the state x (site,)."""
        if self.direct:
            return X[sites]
        rows = (jacobian(x, sites, self.operator) @ X).T.copy()
        return self.independent(rows, variance, sites, x.size).T

    def independent(self, rows: np.ndarray, variance: np.ndarray, sites: np.ndarray, size: int) -> np.ndarray:
        """``rows (row, observation)``, changed in place so that observation errors in them are independent."""
        if self.correlation.size > 0:
            make_independent(rows, variance, sites, self.correlation, size)
        return rows


SITES = Instrument()
"""The values of sites, with independent errors."""
