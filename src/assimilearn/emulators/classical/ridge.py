"""Ridge regression of the increment on polynomials of a local stencil, one set of weights for all sites.

    x_i(t+1) = x_i(t) + s (b + sum_k c_k m_k(z_{i-r}, ..., z_{i+r})),     z = (x - mean) / std

with all monomials m_k of degree 1 to `degree`, and b, c minimising sum w (increment / s - b - c m)^2 + alpha |c|^2.
One RK4 step of Lorenz-96 is, to first order in its time step, such a polynomial of degree 2 and radius 2; the higher
orders need more of both: with degree 3 and radius 4 long runs are stable, with degree 2 they overflow.

The fit adds up the normal equations block by block, so that memory does not grow with the record; the solution is that
of scikit-learn's Ridge. Cost of the fit: rows x monomials^2; of a step: one flop or two a monomial, site and member.
"""

from collections.abc import Mapping
from itertools import combinations_with_replacement
from math import comb
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.emulators.classical.stencil import check_radius, stencil
from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.scaling import SHAPES, scaling_of, scaling_problems
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.models.protocol import CompiledStep

LOCAL = True
MAX_DEGREE = 3
BLOCK = 1000  # rows of the regression whose features are held at once: they stay in the cache


class RidgeSettings(EmulatorSettings):
    """Ridge regression on a polynomial stencil."""

    homogeneous: ClassVar[bool] = True

    method: Literal["ridge"] = "ridge"
    radius: int = Field(4, ge=0, description="sites of the stencil to either side")
    degree: int = Field(3, ge=1, le=MAX_DEGREE, description="highest degree of the monomials; 1 is a linear model")
    alpha: float = Field(10.0, ge=0, description="ridge penalty on the weights of the standardised monomials")


def fit(training: Windows, validation: Windows, settings: RidgeSettings, rng: np.random.Generator) -> Fitted:
    """Solve the weighted ridge regression; nothing is drawn at random."""
    scaling = scaling_of(training)
    rows = stencil(scaling.standardise(training.inputs), settings.radius).reshape(-1, 2 * settings.radius + 1)
    increments = ((training.targets - training.inputs) / scaling.increment_std).reshape(-1)
    factors = monomials(rows.shape[1], settings.degree)
    coefficients = solve(rows, increments, training.weights[:, 0].reshape(-1), factors, settings.alpha)
    texts = {
        "coefficient": "weight of the monomial of standardised states",
        "factor": "factors of the monomial: 0 is the number one, k the k-th site of the stencil",
    }
    return Fitted(
        {
            **scaling.arrays(),
            "coefficient": xr.DataArray(coefficients, dims="monomial", attrs={"long_name": texts["coefficient"]}),
            "factor": xr.DataArray(factors, dims=("monomial", "place"), attrs={"long_name": texts["factor"]}),
        }
    )


def solve(rows: np.ndarray, target: np.ndarray, weights: np.ndarray, factors: np.ndarray, alpha: float) -> np.ndarray:
    """Ridge coefficients (monomial,), without penalty on the constant, which stands first.

    Parameters
    ----------
    rows : ndarray (row, place)
    target, weights : ndarray (row,)
    factors : ndarray (monomial, 3), as from :func:`monomials`
    alpha : float
    """
    count = len(factors)
    gram, moment = np.zeros((count, count)), np.zeros(count)
    for start in range(0, len(rows), BLOCK):
        block = slice(start, start + BLOCK)
        root = np.sqrt(weights[block])
        Z = np.vstack([np.ones_like(root), rows[block].T])
        features = (Z * root)[factors[:, 0]] * Z[factors[:, 1]] * Z[factors[:, 2]]
        gram += features @ features.T
        moment += features @ (root * target[block])
    penalty = np.full(count, alpha)
    penalty[0] = 0.0
    return np.linalg.lstsq(gram + np.diag(penalty), moment)[0]


def monomials(places: int, degree: int) -> np.ndarray:
    """Factors (monomial, 3) of every monomial up to ``degree``: 0 is the number one, k the k-th place; int64."""
    chosen = [
        (0,) * (MAX_DEGREE - d) + factors
        for d in range(degree + 1)
        for factors in combinations_with_replacement(range(1, places + 1), d)
    ]
    return np.array(chosen, dtype=np.int64)


def shapes(settings: RidgeSettings, size: int) -> dict[str, Shape]:
    """The scaling, and one row for each monomial."""
    check_radius(settings.radius, size)
    count = comb(2 * settings.radius + 1 + settings.degree, settings.degree)
    return {**SHAPES, "coefficient": (count,), "factor": (count, MAX_DEGREE)}


def problems(weights: Mapping[str, np.ndarray], settings: RidgeSettings) -> list[str]:
    """Factors that are not those of the monomials of the stencil: they are indices."""
    right = np.array_equal(weights["factor"], monomials(2 * settings.radius + 1, settings.degree))
    return scaling_problems(weights) + ([] if right else ["weight_factor is not that of its radius and degree"])


def compiled(weights: Mapping[str, np.ndarray], settings: RidgeSettings) -> CompiledStep:
    """Parameters: mean, std, increment std, radius, number of pairs, pairs (a, b), then a row of coefficients a pair.

    Monomials a b c that share a b are one row, so that the polynomial is sum of z_a z_b (T z)_ab with z_0 = 1.
    """
    factors = weights["factor"]
    pairs, row = np.unique(factors[:, :2], axis=0, return_inverse=True)
    table = np.zeros((len(pairs), 2 * settings.radius + 2))
    table[row.reshape(-1), factors[:, 2]] = weights["coefficient"]
    head = [float(weights[name]) for name in ("state_mean", "state_std", "increment_std")]
    return CompiledStep(
        polynomial_step, np.concatenate([head, [settings.radius, len(pairs)], pairs.ravel(), table.ravel()])
    )


@njit(cache=True, nogil=True)
def polynomial_step(E, parameters):
    """Advance every row of E (member, site) by the polynomial, in place."""
    mean, std, scale = parameters[0], parameters[1], parameters[2]
    radius, count = int(parameters[3]), int(parameters[4])
    pairs = parameters[5 : 5 + 2 * count].astype(np.int64)
    places = 2 * radius + 2
    table = parameters[5 + 2 * count :].reshape(count, places)
    n = E.shape[1]
    Z, T, total = np.ones((places, n)), np.empty((count, n)), np.empty(n)
    for member in range(E.shape[0]):
        x = E[member]
        for k in range(1, places):
            for i in range(n):
                Z[k, i] = (x[(i + k - 1 - radius) % n] - mean) / std
        np.dot(table, Z, T)
        total[:] = 0.0
        for p in range(count):
            a, b, t = Z[pairs[2 * p]], Z[pairs[2 * p + 1]], T[p]
            for i in range(n):
                total[i] += a[i] * b[i] * t[i]
        for i in range(n):
            x[i] += scale * total[i]
