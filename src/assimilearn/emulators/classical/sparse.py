"""Sparse regression of the tendency on a library of polynomials: which terms does the equation have?

    dx_i/dt = sum_m c_m prod_{a in m} x_a,     few c_m other than 0,     integrated by RK4

Brunton, Proctor & Kutz (2016), Proc. Natl. Acad. Sci. 113, 3932-3937: sequentially thresholded least squares. Terms
whose root mean square is below `threshold` times that of the tendency are left out, and the rest is fitted again, until
none goes. The scale of the data does not matter to what is left out.

As in :mod:`assimilearn.emulators.classical.polynomial`, time is measured in assimilation intervals, the regression is
on three successive analyses, half the difference of the outer two against what the model makes of the middle one by a
step forward and one backward, and is corrected for what it leaves unexplained: the truncation of a finite difference is
not learned. Here one function gives every field of a grid point from its stencil, or, without space or with `radius:
null`, every number of the state from all.

Cost: of the fit, rows x monomials^2; of a step, 4 x substeps x a few flops a term that is left, point and member.
"""

from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement
from math import comb
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.emulators.classical import tensors
from assimilearn.emulators.emulator import Fitted, Step
from assimilearn.emulators.fields import View, view
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry

LOCAL = True
ONE = -1  # the place of a missing factor in a monomial of lower degree
MAX_DEGREE = 5
MOST = 1000  # monomials of a library
BLOCK = 2000  # rows whose features are held at once
CORRECTIONS = 20  # of the truncation of the central difference; they stop by themselves


class SparseSettings(EmulatorSettings):
    """Sparse regression on a library of polynomials."""

    compiles: ClassVar[bool] = False
    differentiates: ClassVar[bool] = True

    method: Literal["sparse"] = "sparse"
    radius: int | None = Field(
        2,
        ge=0,
        le=100,
        description="grid points of the stencil to either side; null, or without space: the whole state",
    )
    degree: int = Field(2, ge=1, le=MAX_DEGREE, description="highest degree of the monomials")
    threshold: float = Field(
        0.03, ge=0, lt=1, description="terms of less than this share of the root mean square tendency are left out"
    )
    substeps: int = Field(1, ge=1, le=1000, description="RK4 steps in one assimilation interval")

    @property
    def steps(self) -> int:
        """The regression is made on three successive analyses."""
        return 2

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where one function cannot serve all points, or the library is too large."""
        places = view(geometry, self.radius).inputs.shape[1]
        count = comb(places + self.degree, self.degree)
        if count > MOST:
            raise SettingsError(
                f"degree: {places} sites have {count} monomials of degree up to {self.degree}, more than {MOST}: lower "
                "`degree` or `radius`"
            )


def monomials(places: int, degree: int) -> np.ndarray:
    """Factors (monomial, 5) of every monomial as places in what the function sees, ONE where there is none; int64."""
    rows = [
        row + (ONE,) * (MAX_DEGREE - d)
        for d in range(degree + 1)
        for row in combinations_with_replacement(range(places), d)
    ]
    return np.array(rows, dtype=np.int64)


def features(rows: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Monomials (row, monomial) of ``rows (row, place)``."""
    padded = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)  # ONE = -1 takes the factor 1
    product = padded[:, factors[:, 0]]
    for k in range(1, MAX_DEGREE):
        product = product * padded[:, factors[:, k]]
    return product


def fit(training: Windows, validation: Windows, settings: SparseSettings, rng: np.random.Generator) -> Fitted:
    """Sequentially thresholded least squares on triples of analyses; nothing is drawn at random."""
    seen = view(training.geometry, settings.radius)
    factors = monomials(seen.inputs.shape[1], settings.degree)
    with np.errstate(over="ignore", invalid="ignore"):
        coefficients = regress(training.states, training.weights[:, 0], seen, factors, settings)
    if not np.isfinite(coefficients).all():
        return Fitted({}, failure="the monomials of the analysis overflow: scale it, or lower `degree`")
    texts = {
        "coefficient": (("output", "monomial"), coefficients, "coefficient of the monomial, per interval"),
        "factor": (("monomial", "place"), factors, "factors of the monomial as places of what is seen, -1 for none"),
    }
    return Fitted({name: xr.DataArray(v, dims=d, attrs={"long_name": text}) for name, (d, v, text) in texts.items()})


def regress(
    triples: np.ndarray, weights: np.ndarray, seen: View, factors: np.ndarray, settings: SparseSettings
) -> np.ndarray:
    """Coefficients (output, monomial) per interval from ``triples (triple, 3, site)`` and ``weights (triple, site)``.

    Small terms are left out and the rest is fitted again, until none goes; NaN if the monomials overflow.
    """
    middle, targets = triples[:, 1], (triples[:, 2] - triples[:, 0]) / 2
    gram, moment, power = normal_equations(middle, targets, weights, seen, factors)
    if not np.isfinite(gram).all():
        return np.full(moment.T.shape, np.nan)
    size, kept = np.sqrt(np.diag(gram)), np.ones(moment.T.shape, dtype=bool)
    for _ in range(kept.size):

        def correction(residual: np.ndarray, kept: np.ndarray = kept) -> np.ndarray:
            right = normal_equations(middle, residual, weights, seen, factors)[1]
            return np.stack([fitted(gram, right[:, k], terms) for k, terms in enumerate(kept)])

        coefficients = corrected(middle, targets, weights, correction, seen, factors, settings)
        left = kept & (np.abs(coefficients) * size >= settings.threshold * np.sqrt(power)[:, None])
        if (left == kept).all():
            break
        kept = left
    return coefficients


def corrected(
    middle: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    correction: Callable[[np.ndarray], np.ndarray],
    seen: View,
    factors: np.ndarray,
    settings: SparseSettings,
) -> np.ndarray:
    """Coefficients (output, monomial) whose steps forward and backward from ``middle`` differ by twice the ``targets``.

    They are corrected, by what ``correction`` makes of the residual, as long as that lowers the misfit.
    """
    best = coefficients = np.zeros_like(correction(targets))
    misfit = np.inf
    for _ in range(CORRECTIONS):
        residual = targets - half_difference(middle, coefficients, seen, factors, settings)
        now = float(np.mean(weights * residual**2)) if np.isfinite(residual).all() else np.inf
        if not now < misfit:
            break
        best, misfit = coefficients, now
        coefficients = coefficients + correction(residual)
    return best


def normal_equations(
    states: np.ndarray, targets: np.ndarray, weights: np.ndarray, seen: View, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted means over rows of products of monomials, of these with the targets, and of their squares.

    Returns
    -------
    ndarray (monomial, monomial), ndarray (monomial, output), ndarray (output,)
    """
    rows, wanted = seen.rows(states), seen.targets(targets)
    of_rows = seen.targets(weights).mean(axis=1)
    M, outputs = len(factors), wanted.shape[1]
    gram, moment = np.zeros((M, M)), np.zeros((M, outputs))
    for first in range(0, len(rows), BLOCK):
        block = slice(first, first + BLOCK)
        X = features(rows[block], factors)
        WX = X * of_rows[block, None]
        gram += WX.T @ X
        moment += WX.T @ wanted[block]
    return gram / len(rows), moment / len(rows), np.average(wanted**2, axis=0, weights=of_rows)


def fitted(gram: np.ndarray, moment: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """Least-squares coefficients (monomial,) of the ``terms``, 0 for the others; columns are scaled to length 1."""
    found = np.zeros(len(gram))
    scale = np.sqrt(np.diag(gram)[terms])
    scale[scale == 0] = 1.0
    matrix = gram[np.ix_(terms, terms)] / scale / scale[:, None]
    found[terms] = np.linalg.lstsq(matrix, moment[terms] / scale, rcond=None)[0] / scale
    return found


def half_difference(
    states: np.ndarray, coefficients: np.ndarray, seen: View, factors: np.ndarray, settings: SparseSettings
) -> np.ndarray:
    """Half the difference of the states one interval after and before ``states (state, site)``; 0 for no tendency."""
    if not coefficients.any():
        return np.zeros_like(states)
    ends = [integrated(states, coefficients, seen, factors, settings.substeps, way) for way in (1.0, -1.0)]
    return (ends[0] - ends[1]) / 2


def integrated(
    states: np.ndarray, coefficients: np.ndarray, seen: View, factors: np.ndarray, substeps: int, way: float = 1.0
) -> np.ndarray:
    """``states (state, site)`` one interval later, or earlier for ``way`` -1."""
    terms = coefficients.any(axis=0)
    some, of_terms, dt = factors[terms], coefficients[:, terms].T, way / substeps

    def tendency(x: np.ndarray) -> np.ndarray:
        return seen.states(features(seen.rows(x), some) @ of_terms)

    for _ in range(substeps):
        k1 = tendency(states)
        k2 = tendency(states + dt / 2 * k1)
        k3 = tendency(states + dt / 2 * k2)
        states = states + dt / 6 * (k1 + 2 * k2 + 2 * k3 + tendency(states + dt * k3))
    return states


def shapes(settings: SparseSettings, size: int) -> dict[str, Shape]:
    """A row of coefficients for each output."""
    return {"coefficient": ("output", "monomial"), "factor": ("monomial", MAX_DEGREE)}


def problems(weights: Mapping[str, np.ndarray], settings: SparseSettings) -> list[str]:
    """None beside those of shapes; the rest is held against the geometry when the step is made."""
    return []


def mapping(weights: Mapping[str, np.ndarray], settings: SparseSettings, geometry: Geometry) -> Step:
    """The step: RK4 with the terms that are left.

    Raises
    ------
    FileError
        If the weights are not those of the monomials of this geometry.
    """
    settings.refuse_unlike(geometry)
    seen, coefficients, factors = view(geometry, settings.radius), weights["coefficient"], weights["factor"]
    if not np.array_equal(factors, monomials(seen.inputs.shape[1], settings.degree)):
        raise FileError("the weights of this sparse emulator are not those of its settings: factor")
    if len(coefficients) != seen.outputs.shape[1]:
        raise FileError("the weights of this sparse emulator are not those of its settings: coefficient")

    def step(states: np.ndarray) -> np.ndarray:
        return integrated(states, coefficients, seen, factors, settings.substeps)

    return step


def tensor_step(
    weights: Mapping[str, np.ndarray], settings: SparseSettings, geometry: Geometry
) -> Callable[[Any], Any]:
    """The step of a torch tensor (..., site) through which gradients flow."""
    import torch

    left = weights["coefficient"].any(axis=0)
    factors, coefficients = torch.as_tensor(weights["factor"][left]), torch.as_tensor(weights["coefficient"][:, left])
    return tensors.integrated(view(geometry, settings.radius), factors, coefficients.T, settings.substeps)
