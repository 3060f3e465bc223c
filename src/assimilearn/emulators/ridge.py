"""Ridge regression of the increment on polynomials of a local stencil, one set of weights for all sites.

    x_i(t+1) = x_i(t) + s (b + sum_k c_k m_k(z_{i-r}, ..., z_{i+r})),     z = (x - mean) / std

with all monomials m_k of degree 1 to `degree`, and b, c minimising sum w (increment / s - b - c m)^2 + alpha |c|^2.
One RK4 step of Lorenz-96 is, to first order in its time step, such a polynomial of degree 2 and radius 2; the higher
orders need more of both. Cost of the fit: rows x monomials^2; of a step: three flops a monomial, site and member.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.scaling import scaling_of
from assimilearn.emulators.stencil import stencil
from assimilearn.models.lorenz96 import FAST
from assimilearn.models.protocol import CompiledStep
from assimilearn.settings import Settings

LOCAL = True
NONE = -1  # the place of a missing factor in a monomial of lower degree
MAX_DEGREE = 3


class RidgeSettings(Settings):
    """Ridge regression on a polynomial stencil."""

    method: Literal["ridge"] = "ridge"
    radius: int = Field(3, ge=0, description="sites of the stencil to either side")
    degree: int = Field(2, ge=1, le=MAX_DEGREE, description="highest degree of the monomials; 1 is a linear model")
    alpha: float = Field(10.0, ge=0, description="ridge penalty on the weights of the standardised monomials")


def fit(training: Windows, validation: Windows, settings: RidgeSettings, rng: np.random.Generator) -> Fitted:
    """Weighted ridge regression by scikit-learn; nothing is drawn at random."""
    from sklearn.linear_model import Ridge

    scaling = scaling_of(training)
    rows = stencil(scaling.standardise(training.inputs), settings.radius).reshape(-1, 2 * settings.radius + 1)
    factors = monomials(2 * settings.radius + 1, settings.degree)
    increments = ((training.targets - training.inputs) / scaling.increment_std).reshape(-1)
    regression = Ridge(alpha=settings.alpha, solver="cholesky", copy_X=False)
    regression.fit(features(rows, settings.degree), increments, sample_weight=training.weights[:, 0].reshape(-1))
    return Fitted(
        {
            **scaling.arrays(),
            "intercept": xr.DataArray(float(regression.intercept_), attrs={"long_name": "constant term"}),
            "coefficient": xr.DataArray(
                regression.coef_,
                dims="monomial",
                attrs={"long_name": "weight of the monomial, of the standardised states"},
            ),
            "factor": xr.DataArray(
                factors,
                dims=("monomial", "place"),
                attrs={"long_name": "factors of the monomial as places in the stencil, -1 where there is none"},
            ),
        }
    )


def features(rows: np.ndarray, degree: int) -> np.ndarray:
    """All monomials of degree 1 to ``degree`` of ``rows (row, place)``: (row, monomial)."""
    from sklearn.preprocessing import PolynomialFeatures

    return PolynomialFeatures(degree, include_bias=False).fit_transform(rows)


def monomials(places: int, degree: int) -> np.ndarray:
    """Factors of every monomial in the order of :func:`features`: (monomial, 3) int64."""
    from sklearn.preprocessing import PolynomialFeatures

    powers = PolynomialFeatures(degree, include_bias=False).fit(np.zeros((1, places))).powers_
    factors = np.full((len(powers), MAX_DEGREE), NONE, dtype=np.int64)
    for k, power in enumerate(powers):
        factors[k, : power.sum()] = np.repeat(np.arange(places), power)
    return factors


def compiled(weights: Mapping[str, np.ndarray], settings: RidgeSettings) -> CompiledStep:
    """Parameters: mean, std, increment std, intercept, radius, number of monomials, then each one's row."""
    head = [float(weights[name]) for name in ("state_mean", "state_std", "increment_std", "intercept")]
    table = np.column_stack([weights["factor"], weights["coefficient"]])
    return CompiledStep(polynomial_step, np.concatenate([head, [settings.radius, len(table)], table.ravel()]))


@njit(cache=True, fastmath=FAST)
def polynomial_step(E, parameters):
    """Advance every row of E (member, site) by the polynomial, in place."""
    mean, std, scale, intercept = parameters[0], parameters[1], parameters[2], parameters[3]
    radius, count = int(parameters[4]), int(parameters[5])
    table = parameters[6:].reshape(count, MAX_DEGREE + 1)
    n = E.shape[1]
    z, increment = np.empty(n + 2 * radius), np.empty(n)
    for member in range(E.shape[0]):
        x = E[member]
        for i in range(n + 2 * radius):
            z[i] = (x[(i - radius) % n] - mean) / std
        increment[:] = intercept
        for k in range(count):
            _add_monomial(z, table[k], increment)
        for i in range(n):
            x[i] += scale * increment[i]


@njit(cache=True, fastmath=FAST)
def _add_monomial(z, row, increment):
    """Add one monomial of the padded ring z to increment (site,); one branch per degree so that the loops vectorise."""
    a, b, c, weight = int(row[0]), int(row[1]), int(row[2]), row[3]
    if b == NONE:
        for i in range(increment.size):
            increment[i] += weight * z[i + a]
    elif c == NONE:
        for i in range(increment.size):
            increment[i] += weight * z[i + a] * z[i + b]
    else:
        for i in range(increment.size):
            increment[i] += weight * z[i + a] * z[i + b] * z[i + c]
