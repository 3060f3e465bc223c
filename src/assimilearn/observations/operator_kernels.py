"""Observation operators in compiled loops: a row of sites, its observations, and their derivative.

An operator is the vector that :attr:`OperatorSettings.encoded` gives.
"""

import numpy as np
from numba import njit

from assimilearn.kernels import compile_alike
from assimilearn.observations.operators import ABSOLUTE, ARCTAN, FLOOR, LOG, SQUARE

compile_alike()


@njit(cache=True, error_model="numpy")
def transformed(function, z):
    """f(z) for a number; as ``transformed.py_func`` for arrays too."""
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
    """h of every row of E (row, site) at ``sites (observation,)``, (row, observation)."""
    Y = np.empty((E.shape[0], sites.size))
    for j in range(E.shape[0]):
        for o in range(sites.size):
            if operator.size == 0:
                Y[j, o] = E[j, sites[o]]
            else:
                Y[j, o] = transformed(operator[0], footprint(E[j], sites[o], operator))
    return Y


@njit(cache=True, error_model="numpy")
def footprint(x, site, operator):
    """The weighted sum over the sites of x (site,) around one of them."""
    n, reach, total = x.size, operator.size // 2 - 1, 0.0
    for m in range(operator.size - 1):
        total += operator[1 + m] * x[(site + m - reach) % n]
    return total


@njit(cache=True, error_model="numpy")
def jacobian(x, sites, operator):
    """The derivative of h at x (site,), (observation, site)."""
    n = x.size
    H = np.zeros((sites.size, n))
    for o in range(sites.size):
        if operator.size == 0:
            H[o, sites[o]] = 1.0
            continue
        steep, reach = slope(operator[0], footprint(x, sites[o], operator)), operator.size // 2 - 1
        for m in range(operator.size - 1):
            H[o, (sites[o] + m - reach) % n] += steep * operator[1 + m]
    return H
