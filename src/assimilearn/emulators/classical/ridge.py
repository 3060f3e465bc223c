"""Ridge regression of the increment on polynomials of what one function sees: a stencil, or the whole state.

    x_i(t+1) = x_i(t) + s (b + sum_k c_k m_k(z)),     z = (x - mean) / std at the sites of the stencil of i

with all monomials m_k of degree 1 to `degree`, and b, c minimising sum w (increment / s - b - c m)^2 + alpha |c|^2.
One RK4 step of Lorenz-96 is, to first order in its time step, such a polynomial of degree 2 and radius 2; the higher
orders need more of both: with degree 3 and radius 4 long runs are stable, with degree 2 they overflow.

On a periodic grid one set of weights serves all grid points, a row of them for each field. Without space, or with
`radius: null`, every number of the state has its own row of weights on the monomials of all.

The fit adds up the normal equations block by block, so that memory does not grow with the record; the solution is that
of scikit-learn's Ridge. Cost of the fit: rows x monomials^2; of a step: one flop or two a monomial, site and member.
"""

from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement
from math import comb
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.emulators.classical.tensors import regression
from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.fields import SCALING_SHAPES, field_scaling, field_scaling_from, scaling_problems, view
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep

LOCAL = True
MAX_DEGREE = 3
MOST = 6000  # monomials: beyond, their normal equations take minutes and a gigabyte
BLOCK = 1000  # rows of the regression whose features are held at once: they stay in the cache


class RidgeSettings(EmulatorSettings):
    """Ridge regression on polynomials of a stencil, or of the whole state."""

    differentiates: ClassVar[bool] = True

    method: Literal["ridge"] = "ridge"
    radius: int | None = Field(
        4,
        ge=0,
        le=100,
        description="grid points of the stencil to either side; null, or without space: the whole state",
    )
    degree: int = Field(3, ge=1, le=MAX_DEGREE, description="highest degree of the monomials; 1 is a linear model")
    alpha: float = Field(10.0, ge=0, description="ridge penalty on the weights of the standardised monomials")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where one function cannot serve all points, or there are too many monomials."""
        places = view(geometry, self.radius).inputs.shape[1]
        count = comb(places + self.degree, self.degree)
        if count > MOST:
            raise SettingsError(
                f"degree: {places} sites have {count} monomials of degree up to {self.degree}, more than {MOST}: lower "
                "`degree` or `radius`"
            )


def fit(training: Windows, validation: Windows, settings: RidgeSettings, rng: np.random.Generator) -> Fitted:
    """Solve the weighted ridge regression; nothing is drawn at random."""
    scaling, seen = field_scaling(training), view(training.geometry, settings.radius)
    rows = seen.rows(scaling.standardised(training.inputs))
    increments = seen.targets(scaling.increments(training.targets - training.inputs))
    weights = seen.targets(training.weights[:, 0]).mean(axis=1)
    factors = monomials(rows.shape[1], settings.degree)
    coefficients = solve(rows, increments, weights, factors, settings.alpha)
    texts = {
        "coefficient": "weight of the monomial of standardised states",
        "factor": "factors of the monomial: 0 is the number one, k the k-th site that the function sees",
    }
    return Fitted(
        {
            **scaling.arrays(),
            "coefficient": xr.DataArray(
                coefficients.T, dims=("output", "monomial"), attrs={"long_name": texts["coefficient"]}
            ),
            "factor": xr.DataArray(factors, dims=("monomial", "place"), attrs={"long_name": texts["factor"]}),
        }
    )


def solve(rows: np.ndarray, target: np.ndarray, weights: np.ndarray, factors: np.ndarray, alpha: float) -> np.ndarray:
    """Ridge coefficients (monomial, output), without penalty on the constant, which stands first.

    Parameters
    ----------
    rows : ndarray (row, place)
    target : ndarray (row, output)
    weights : ndarray (row,)
    factors : ndarray (monomial, 3), as from :func:`monomials`
    alpha : float
    """
    count = len(factors)
    gram, moment = np.zeros((count, count)), np.zeros((count, target.shape[1]))
    for start in range(0, len(rows), BLOCK):
        block = slice(start, start + BLOCK)
        root = np.sqrt(weights[block])
        Z = np.vstack([np.ones_like(root), rows[block].T])
        features = (Z * root)[factors[:, 0]] * Z[factors[:, 1]] * Z[factors[:, 2]]
        gram += features @ features.T
        for output in range(target.shape[1]):
            moment[:, output] += features @ (root * target[block, output])
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
    """The scaling, and for each output a weight for each monomial."""
    return {**SCALING_SHAPES, "coefficient": ("output", "monomial"), "factor": ("monomial", MAX_DEGREE)}


def problems(weights: Mapping[str, np.ndarray], settings: RidgeSettings) -> list[str]:
    """What is wrong with weights of the right shapes; the rest is held against the geometry when the step is made."""
    return scaling_problems(weights)


def compiled(weights: Mapping[str, np.ndarray], settings: RidgeSettings, geometry: Geometry) -> CompiledStep:
    """Parameters: counts, mean and std of each input, scale of each output, sites, pairs (a, b), then the tables.

    Monomials a b c that share a b are one row, so that the polynomial is sum of z_a z_b (T z)_ab with z_0 = 1.

    Raises
    ------
    FileError
        If the weights are not those of the monomials of this geometry: they are indices.
    """
    settings.refuse_unlike(geometry)
    seen, scaling = view(geometry, settings.radius), field_scaling_from(weights, geometry)
    (points, places), outputs = seen.inputs.shape, seen.outputs.shape[1]
    factors, coefficient = weights["factor"], weights["coefficient"]
    if not np.array_equal(factors, monomials(places, settings.degree)) or len(coefficient) != outputs:
        raise FileError("the weights of this ridge emulator are not those of its settings: factor, coefficient")
    pairs, row = np.unique(factors[:, :2], axis=0, return_inverse=True)
    tables = np.zeros((outputs, len(pairs), places + 1))
    tables[:, row.reshape(-1), factors[:, 2]] = coefficient
    field_in, field_out = geometry.field_of[seen.inputs[0]], geometry.field_of[seen.outputs[0]]
    parts = (
        [points, places, outputs, len(pairs)],
        *(scaling.mean[field_in], scaling.std[field_in], scaling.increment_std[field_out]),
        *(seen.inputs.ravel(), seen.outputs.ravel(), pairs.ravel(), tables.ravel()),
    )
    return CompiledStep(polynomial_step, np.concatenate(parts, dtype=float))


def tensor_step(weights: Mapping[str, np.ndarray], settings: RidgeSettings, geometry: Geometry) -> Callable[[Any], Any]:
    """The step of a torch tensor (..., site) through which gradients flow."""
    import torch

    seen, scaling = view(geometry, settings.radius), field_scaling_from(weights, geometry)
    factors, coefficients = torch.as_tensor(weights["factor"]), torch.as_tensor(weights["coefficient"]).T

    def predict(rows: Any) -> Any:
        z = torch.cat([rows.new_ones(len(rows), 1), rows], 1)
        return z[:, factors].prod(dim=2) @ coefficients

    return regression(seen, scaling, predict)


@njit(cache=True, nogil=True)
def polynomial_step(E, parameters):
    """Advance every row of E (member, site) by the polynomial, in place."""
    P, K, L, M = int(parameters[0]), int(parameters[1]), int(parameters[2]), int(parameters[3])
    at = 4
    mean, std, scale = parameters[at : at + K], parameters[at + K : at + 2 * K], parameters[at + 2 * K : at + 2 * K + L]
    at += 2 * K + L
    seen, given = parameters[at : at + P * K].astype(np.int64), parameters[at + P * K : at + P * (K + L)]
    given = given.astype(np.int64)
    at += P * (K + L)
    pairs = parameters[at : at + 2 * M].astype(np.int64)
    tables = parameters[at + 2 * M :].reshape(L, M, K + 1)
    Z, T, total = np.ones((K + 1, P)), np.empty((M, P)), np.empty(P)
    for member in range(E.shape[0]):
        x = E[member]
        for k in range(K):
            for i in range(P):
                Z[k + 1, i] = (x[seen[i * K + k]] - mean[k]) / std[k]
        for output in range(L):
            np.dot(tables[output], Z, T)
            total[:] = 0.0
            for p in range(M):
                a, b, t = Z[pairs[2 * p]], Z[pairs[2 * p + 1]], T[p]
                for i in range(P):
                    total[i] += a[i] * b[i] * t[i]
            for i in range(P):
                x[given[i * L + output]] += scale[output] * total[i]
