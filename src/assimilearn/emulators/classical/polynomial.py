"""A polynomial tendency on a local stencil, the same at every site, integrated by RK4.

    dx_i/dt = sum_m c_m prod_{a in m} x_{i+a},     -radius <= a <= radius,     degree of each monomial m <= `degree`

Time is measured in assimilation intervals, so that the coefficients c are increments per interval. Nothing is known of
the dynamics but that they are local, smooth and the same everywhere: with radius 2 and degree 2 there are 21
coefficients; Lorenz-96 has four of them. The same family is fitted by Bocquet, Brajard, Carrassi & Bertino (2019),
Nonlin. Processes Geophys. 26, 143-162.

The fit is a regression on three successive analyses: half their difference, (x_{t+1} - x_{t-1}) / 2, against what the
model makes of the middle one, (forward step - backward step) / 2. The errors of the outer analyses are thus not those
of the regressors, as they would be in a one-step fit, and RK4's own truncation is not learned into the coefficients.
What remains is the error of the middle analysis in the regressors; :mod:`assimilearn.emulators.windows.fit` removes it.

Cost: of the fit, rows x monomials^2; of a step, 4 x substeps x three flops a monomial, site and member.
"""

from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement
from math import comb
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.emulators.classical.stencil import check_radius, stencil
from assimilearn.emulators.classical.tensors import integrated
from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.fields import view
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.kernels import FAST
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep

LOCAL = True
NONE = -1  # the place of a missing factor in a monomial of lower degree
MAX_DEGREE = 3
BLOCK = 500  # states whose features are held in memory at once
CORRECTIONS = 8  # each lowers the truncation error of the central difference by a factor of about 10
HEAD = 3  # step length, steps, radius: what stands before the table in the parameters


class PolynomialSettings(EmulatorSettings):
    """A polynomial tendency on a local stencil."""

    homogeneous: ClassVar[bool] = True
    differentiates: ClassVar[bool] = True

    method: Literal["polynomial"] = "polynomial"
    radius: int = Field(2, ge=0, description="sites of the stencil to either side")
    degree: int = Field(2, ge=1, le=MAX_DEGREE, description="highest degree of the monomials")
    substeps: int = Field(1, ge=1, le=1000, description="RK4 steps in one assimilation interval")
    alpha: float = Field(1e-5, ge=0, description="ridge penalty, relative to the mean square of each monomial")

    @property
    def steps(self) -> int:
        """The regression is made on three successive analyses."""
        return 2

    @property
    def factors(self) -> np.ndarray:
        """See :func:`monomials`."""
        return monomials(self.radius, self.degree)


def monomials(radius: int, degree: int) -> np.ndarray:
    """Factors of every monomial as places in the stencil, 0 for the site ``radius`` to the left.

    Returns
    -------
    ndarray (monomial, 3), int64: the constant first, then rising degree; NONE where there is no factor.
    """
    rows = [
        row + (NONE,) * (MAX_DEGREE - d)
        for d in range(degree + 1)
        for row in combinations_with_replacement(range(2 * radius + 1), d)
    ]
    return np.array(rows, dtype=np.int64)


def names(radius: int, degree: int) -> list[str]:
    """A readable name for every monomial: "1", "x[-1]", "x[-2] x[-1]" ..."""
    texts = (" ".join(f"x[{a - radius:+d}]" for a in row if a != NONE) for row in monomials(radius, degree))
    return [text.replace("[+0]", "[0]") or "1" for text in texts]


def features(states: np.ndarray, settings: PolynomialSettings) -> np.ndarray:
    """All monomials of ``states (..., site)``: (..., site, monomial)."""
    places = stencil(states, settings.radius)
    padded = np.concatenate([places, np.ones((*places.shape[:-1], 1))], axis=-1)  # NONE = -1 takes the factor 1
    return np.prod(padded[..., settings.factors], axis=-1)


def fit(training: Windows, validation: Windows, settings: PolynomialSettings, rng: np.random.Generator) -> Fitted:
    """Weighted ridge regression on triples of analyses; nothing is drawn at random."""
    check_radius(settings.radius, training.states.shape[-1])
    coefficients = regress(training.states, training.weights[:, 0], settings)
    if not np.isfinite(coefficients).all():
        return Fitted({}, failure="the monomials of the analysis overflow: scale it, or lower `degree`")
    return Fitted(weights_of(coefficients, settings))


def regress(triples: np.ndarray, weights: np.ndarray, settings: PolynomialSettings) -> np.ndarray:
    """Coefficients from triples of states one interval apart.

    Parameters
    ----------
    triples : ndarray (triple, 3, site)
    weights : ndarray (triple, site)
    settings : PolynomialSettings

    Returns
    -------
    ndarray (monomial,), per interval. A regression of the central difference, then up to ``CORRECTIONS`` regressions
    of what that leaves unexplained; a correction that does not lower the misfit is not taken. NaN if the monomials
    overflow.
    """
    targets = (triples[:, 2] - triples[:, 0]) / 2
    coefficients, normal = np.zeros(len(settings.factors)), None
    best, misfit = np.full_like(coefficients, np.nan), np.inf
    for _ in range(CORRECTIONS):
        residual = targets - half_difference(triples[:, 1], coefficients, settings)
        now = float(np.mean(weights * residual**2)) if np.isfinite(residual).all() else np.inf
        if not now < misfit:
            break
        best, misfit = coefficients, now
        normal, right = normal_equations(triples[:, 1], residual, weights, settings, normal)
        if not np.isfinite(normal).all():
            return np.full_like(coefficients, np.nan)
        coefficients = coefficients + np.linalg.lstsq(normal, right, rcond=None)[0]
    return best


def half_difference(states: np.ndarray, coefficients: np.ndarray, settings: PolynomialSettings) -> np.ndarray:
    """Half the difference of the states one interval after and before ``states (state, site)``; 0 for no tendency."""
    if not coefficients.any():
        return np.zeros_like(states)
    ends = []
    for direction in (1.0, -1.0):
        E = np.array(states, order="C")
        polynomial_step(E, step_parameters(coefficients, settings, direction))
        ends.append(E)
    return (ends[0] - ends[1]) / 2


def normal_equations(
    states: np.ndarray,
    residual: np.ndarray,
    weights: np.ndarray,
    settings: PolynomialSettings,
    normal: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (monomial, monomial), with the ridge, and right-hand side (monomial,); a known matrix is taken over."""
    M = len(settings.factors)
    matrix, right = np.zeros((M, M)), np.zeros(M)
    for first in range(0, len(states), BLOCK):
        X = features(states[first : first + BLOCK], settings).reshape(-1, M)
        WX = X * weights[first : first + BLOCK].reshape(-1, 1)
        right += WX.T @ residual[first : first + BLOCK].reshape(-1)
        if normal is None:
            matrix += WX.T @ X
    if normal is not None:
        return normal, right
    return matrix + settings.alpha * np.diag(np.diag(matrix)), right


def weights_of(coefficients: np.ndarray, settings: PolynomialSettings) -> dict[str, xr.DataArray]:
    """Coefficients (monomial,) and the factors of their monomials, as they are stored."""
    return {
        "coefficient": xr.DataArray(
            coefficients, dims="monomial", attrs={"long_name": "coefficient of the monomial, per interval"}
        ),
        "factor": xr.DataArray(
            settings.factors,
            dims=("monomial", "place"),
            attrs={"long_name": "factors of the monomial as places in the stencil, -1 where there is none"},
        ),
    }


def shapes(settings: PolynomialSettings, size: int) -> dict[str, Shape]:
    """One row for each monomial."""
    check_radius(settings.radius, size)
    count = comb(2 * settings.radius + 1 + settings.degree, settings.degree)
    return {"coefficient": (count,), "factor": (count, MAX_DEGREE)}


def problems(weights: Mapping[str, np.ndarray], settings: PolynomialSettings) -> list[str]:
    """Factors that are not those of the monomials of the stencil: the coefficients are of others."""
    right = np.array_equal(weights["factor"], settings.factors)
    return [] if right else ["weight_factor is not that of its radius and degree"]


def compiled(weights: Mapping[str, np.ndarray], settings: PolynomialSettings, geometry: Geometry) -> CompiledStep:
    """Parameters: see :func:`step_parameters`."""
    return CompiledStep(polynomial_step, step_parameters(weights["coefficient"], settings))


def tensor_step(
    weights: Mapping[str, np.ndarray], settings: PolynomialSettings, geometry: Geometry
) -> Callable[[Any], Any]:
    """The step of a torch tensor (..., site) through which gradients flow."""
    import torch

    factors, coefficients = torch.as_tensor(weights["factor"]), torch.as_tensor(weights["coefficient"])
    return integrated(view(geometry, settings.radius), factors, coefficients[:, None], settings.substeps)


def step_parameters(coefficients: np.ndarray, settings: PolynomialSettings, direction: float = 1.0) -> np.ndarray:
    """Length of an RK4 step in intervals (negative: backwards), number of steps, radius, then the table."""
    head = [direction / settings.substeps, settings.substeps, settings.radius]
    return np.concatenate([head, table_of(coefficients, settings).ravel()])


def table_of(coefficients: np.ndarray, settings: PolynomialSettings) -> np.ndarray:
    """One row a monomial: three factors (NONE where there is none) and the coefficient; (monomial, 4) float64."""
    return np.column_stack([settings.factors.astype(float), coefficients])


@njit(cache=True, fastmath=FAST, nogil=True)
def polynomial_step(E, parameters):
    """Advance every row of E (member, site) by one interval, in place."""
    dt, steps, radius = parameters[0], int(parameters[1]), int(parameters[2])
    table = parameters[HEAD:].reshape((parameters.size - HEAD) // (MAX_DEGREE + 1), MAX_DEGREE + 1)
    n = E.shape[1]
    k, stage, total, z = np.empty(n), np.empty(n), np.empty(n), np.empty(n + 2 * radius)
    for member in range(E.shape[0]):
        for _ in range(steps):
            rk4(E[member], table, radius, dt, k, stage, total, z)


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4(x, table, radius, dt, k, stage, total, z):
    """One RK4 step of x (site,), in place; k, stage, total (site,) and z (site + 2 radius,) are work space."""
    n = x.size
    tendency(x, table, radius, k, z)
    for i in range(n):
        total[i] = k[i]
        stage[i] = x[i] + dt / 2 * k[i]
    tendency(stage, table, radius, k, z)
    for i in range(n):
        total[i] += 2 * k[i]
        stage[i] = x[i] + dt / 2 * k[i]
    tendency(stage, table, radius, k, z)
    for i in range(n):
        total[i] += 2 * k[i]
        stage[i] = x[i] + dt * k[i]
    tendency(stage, table, radius, k, z)
    for i in range(n):
        x[i] += dt / 6 * (total[i] + k[i])


@njit(cache=True, fastmath=FAST, nogil=True)
def tendency(x, table, radius, k, z):
    """Write the tendency of x (site,) into k.

    One branch a degree and slices instead of shifted indices, so that the loops over sites vectorise.
    """
    n = x.size
    pad(x, radius, z)
    k[:] = 0.0
    for m in range(table.shape[0]):
        a, b, c, weight = int(table[m, 0]), int(table[m, 1]), int(table[m, 2]), table[m, MAX_DEGREE]
        if a == NONE:
            for i in range(n):
                k[i] += weight
        elif b == NONE:
            u = z[a : a + n]
            for i in range(n):
                k[i] += weight * u[i]
        elif c == NONE:
            u, v = z[a : a + n], z[b : b + n]
            for i in range(n):
                k[i] += weight * u[i] * v[i]
        else:
            u, v, w = z[a : a + n], z[b : b + n], z[c : c + n]
            for i in range(n):
                k[i] += weight * u[i] * v[i] * w[i]


@njit(cache=True, nogil=True)
def pad(x, radius, z):
    """Lay the ring x (site,) out as z (site + 2 radius,), so that no index wraps."""
    n = x.size
    for i in range(radius):
        z[i] = x[n - radius + i]
        z[n + radius + i] = x[i]
    for i in range(n):
        z[radius + i] = x[i]
