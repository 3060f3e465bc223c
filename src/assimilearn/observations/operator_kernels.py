"""Observation operators in compiled loops: observations of members, and their derivative.

``sites (observation,)`` are numbers of sites, or of rows of the operator's table where it has one
(:class:`assimilearn.observations.rows.Operator`).
"""

import numpy as np
from numba import njit

from assimilearn.kernels import compile_alike
from assimilearn.observations.rows import ABSOLUTE, ARCTAN, FLOOR, LOG, SQUARE

compile_alike()


@njit(cache=True, error_model="numpy")
def transformed(function, z):
    """f(z) for a number."""
    if function == SQUARE:
        return z * z
    if function == ABSOLUTE:
        return np.abs(z)
    if function == LOG:
        return np.log(np.maximum(np.abs(z), FLOOR))
    if function == ARCTAN:
        return np.arctan(z)
    return z


@njit(cache=True, error_model="numpy")
def slope(function, z):
    """The derivative of f at the number z; 0 in the kink of the absolute value."""
    if function == SQUARE:
        return 2 * z
    if function == ABSOLUTE:
        return np.sign(z)
    if function == LOG:
        return 1 / z if abs(z) > FLOOR else 0.0
    if function == ARCTAN:
        return 1 / (1 + z * z)
    return 1.0


@njit(cache=True, error_model="numpy")
def observed(E, sites, operator):
    """h of every row of E (row, site), (row, observation)."""
    Y = np.empty((E.shape[0], sites.size))
    for j in range(E.shape[0]):
        for o in range(sites.size):
            if operator.function.size == 0:
                Y[j, o] = E[j, sites[o]]
            else:
                Y[j, o] = transformed(operator.function[sites[o]], weighted_sum(E[j], sites[o], operator))
    return Y


@njit(cache=True, error_model="numpy")
def weighted_sum(x, row, operator):
    """The sum over the corners of one row, of the state x (site,)."""
    total = 0.0
    for c in range(operator.site.shape[1]):
        total += operator.weight[row, c] * x[operator.site[row, c]]
    return total


@njit(cache=True, error_model="numpy")
def jacobian(x, sites, operator):
    """The derivative of h at x (site,), (observation, site)."""
    H = np.zeros((sites.size, x.size))
    for o in range(sites.size):
        if operator.function.size == 0:
            H[o, sites[o]] = 1.0
            continue
        row = sites[o]
        steep = slope(operator.function[row], weighted_sum(x, row, operator))
        for c in range(operator.site.shape[1]):
            H[o, operator.site[row, c]] += steep * operator.weight[row, c]
    return H
