"""Observation operators in compiled loops: observations of members, and their derivative.

``sites (observation,)`` are numbers of sites, or of rows of the operator's table where it has one
(:class:`assimilearn.observations.rows.Operator`).
"""

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from assimilearn.kernels import compile_alike
from assimilearn.observations.rows import ABSOLUTE, ARCTAN, CUBE, FLOOR, LOG, OWN, SQUARE, Operator, Rows

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
    if function == CUBE:
        return z * z * z
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
    if function == CUBE:
        return 3 * z * z
    return 1.0


@njit(cache=True, error_model="numpy", nogil=True)
def observe_rows(E, sites, rows, Y):
    """Write h of every row of E (row, site) to Y (row, observation); of functions of the user, their weighted sums."""
    if rows.function.size == 0:
        for j in range(E.shape[0]):
            for o in range(sites.size):
                Y[j, o] = E[j, sites[o]]
        return
    for j in range(E.shape[0]):
        for o in range(sites.size):
            Y[j, o] = transformed(rows.function[sites[o]], weighted_sum(E[j], sites[o], rows))


def observed(E: np.ndarray, sites: np.ndarray, operator: Operator) -> np.ndarray:
    """h of every row of E (row, site), (row, observation)."""
    if operator.direct:
        return E.take(sites, axis=1)
    Y = np.empty((len(E), sites.size))
    observe_rows(E, sites, operator.rows, Y)
    return operator.with_own(operator.function[sites], Y) if operator.own else Y


def observing(operator: Operator) -> tuple[Any, bool]:
    """The kernel ``observe(E, sites, rows, Y)`` of the cycle for an operator, and whether it is compiled."""
    if not operator.own:
        return observe_rows, True
    if len(operator.own) == 1 and operator.own[0].compiled is not None:
        return with_compiled(*operator.own[0].compiled), True

    def observe(E: np.ndarray, sites: np.ndarray, rows: Rows, Y: np.ndarray) -> None:
        Y[:] = observed(E, sites, operator)

    return observe, False


@cache
def with_compiled(function: Any, parameters: tuple[float, ...]) -> Any:
    """:func:`observe_rows` with one compiled function of the user, ``function(z, *parameters)``."""

    @njit(error_model="numpy", nogil=True)
    def observe(E, sites, rows, Y):
        observe_rows(E, sites, rows, Y)
        for o in range(sites.size):
            if rows.function[sites[o]] == OWN:
                for j in range(E.shape[0]):
                    Y[j, o] = function(Y[j, o], *parameters)

    return observe


@njit(cache=True, error_model="numpy")
def weighted_sum(x, row, rows):
    """The sum over the corners of one row, of the state x (site,)."""
    total = 0.0
    for c in range(rows.site.shape[1]):
        total += rows.weight[row, c] * x[rows.site[row, c]]
    return total


def slopes(E: np.ndarray, sites: np.ndarray, operator: Operator) -> np.ndarray:
    """f'(z) of what every row of E (row, site) would observe, (row, observation)."""
    steep = np.empty((len(E), sites.size))
    slopes_of_rows(E, sites, operator.rows, steep)
    if not operator.own:
        return steep
    return steep * operator.own_slopes(operator.function[sites], observed(E, sites, operator.linear_part))


@njit(cache=True, error_model="numpy")
def slopes_of_rows(E, sites, rows, steep):
    """Write f'(z) to ``steep (row, observation)``; 1 for functions of the user."""
    for j in range(E.shape[0]):
        for o in range(sites.size):
            steep[j, o] = 1.0
            if rows.function.size > 0:
                steep[j, o] = slope(rows.function[sites[o]], weighted_sum(E[j], sites[o], rows))


def jacobian(x: np.ndarray, sites: np.ndarray, operator: Operator) -> np.ndarray:
    """The derivative of h at x (site,), (observation, site)."""
    H = np.zeros((sites.size, x.size))
    chain_rule(slopes(x[None], sites, operator)[0], sites, operator.rows, H)
    return H


@njit(cache=True, error_model="numpy")
def chain_rule(steep, sites, rows, H):
    """Add to H (observation, site) the weights of each row times its slope ``steep (observation,)``."""
    for o in range(sites.size):
        if rows.function.size == 0:
            H[o, sites[o]] = 1.0
            continue
        for c in range(rows.site.shape[1]):
            H[o, rows.site[sites[o], c]] += steep[o] * rows.weight[sites[o], c]
