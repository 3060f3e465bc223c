"""The types with which an analysis meets the compiled cycle: one signature for every update and every moment.

Named tuples group what the cycle is given. Each stands beside its compiled type, in the same order of fields.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import float32, float64, int8, int64, types

from assimilearn.models.signatures import MATRIX, STEP, VECTOR
from assimilearn.observations.correlation import Correlation
from assimilearn.observations.rows import Rows

__all__ = [
    "CONSTANTS",
    "COUNTS",
    "ERROR",
    "INFLATE",
    "KERNELS",
    "MATRIX",
    "MOMENTS",
    "NOISE",
    "OBSERVATIONS",
    "OBSERVE",
    "OUTPUT",
    "SCALES",
    "STEP",
    "UPDATE",
    "VECTOR",
    "WHITEN",
    "Constants",
    "Kernels",
    "Noise",
    "Observations",
    "Output",
    "Scales",
]

SITES, COUNTS = int64[:, ::1], int64[::1]
FLAGS = int8[:, ::1]
TENSOR = float64[:, :, ::1]
RECORD, KEPT = float32[:, ::1], float32[:, :, ::1]

UPDATE = types.FunctionType(types.void(MATRIX, MATRIX, VECTOR, VECTOR, COUNTS, VECTOR, VECTOR))
"""update(E (member, site), Y (member, observation), y (observation,), variance (observation,),
sites (observation,), parameters (parameter,), noise (noise,)): in place on E; Y may be overwritten."""

MOMENTS = types.FunctionType(types.void(MATRIX, VECTOR, VECTOR))
"""moments(E (member, site), mean (site,), variance (site,)): writes ensemble mean and variance (divisor N - 1), or the
analytic ones of a method that carries a single state."""

ERROR = types.FunctionType(types.void(MATRIX, float64, MATRIX))
"""error(E (member, site), std, noise (member, site)): in place, the model error of one step."""

INFLATE = types.FunctionType(types.void(MATRIX, MATRIX, VECTOR, VECTOR, VECTOR))
"""inflate(E (member, site), prior (member, site), prior_spread (site,), inflation (3,), noise (noise,)): in place."""

OPERATOR = types.NamedTuple((SITES, MATRIX, COUNTS), Rows)
OBSERVE = types.FunctionType(types.void(MATRIX, COUNTS, OPERATOR, MATRIX))
"""observe(E (member, site), sites (observation,), operator, Y (member, observation)): writes to Y what members would
observe."""

CORRELATION = types.NamedTuple((float64, MATRIX, VECTOR), Correlation)

WHITEN = types.FunctionType(types.void(MATRIX, VECTOR, COUNTS, CORRELATION))
"""whiten(rows (row, observation), variance (observation,), sites (observation,), correlation): in place on the rows."""


class Kernels(NamedTuple):
    """The kernels that the cycle calls: typed function pointers, or Python functions where it is interpreted.

    Attributes
    ----------
    step : of the type STEP
        One step of the model, of rows that end with its random numbers where it is stochastic.
    error : of the type ERROR
        Model error of one step, see :mod:`assimilearn.assimilation.cycling.model_error`.
    update : of the type UPDATE
        Analysis of the method.
    moments : of the type MOMENTS
    inflate : of the type INFLATE
        Relaxation, inflation and rotation after each update, see :mod:`assimilearn.assimilation.cycling.inflation`.
    observe : of the type OBSERVE
        What members would observe, see :mod:`assimilearn.observations.operator_kernels`.
    whiten : of the type WHITEN
        Whitens correlated errors of one time, see :mod:`assimilearn.observations.correlation_kernels`.
    """

    step: Any
    error: Any
    update: Any
    moments: Any
    inflate: Any
    observe: Any
    whiten: Any


class Constants(NamedTuple):
    """The numbers that the kernels take, the same at all times.

    Attributes
    ----------
    step, update : ndarray (parameter,)
        Parameters of the model step and of the update.
    inflation : ndarray (3,) or (0,)
        Parameters of ``inflate``; empty if there is nothing to do after an update.
    error_std : float
        Standard deviation of the model error of one step.
    static_variance : ndarray (site,)
        Forecast error variance besides that of the ensemble: the diagonal of a static B, else zero.
    lowest, highest : ndarray (site,)
        Bounds of what is a state; the run ends where a mean leaves them.
    limit : float
        Background check: observations with innovations of more than ``limit`` standard deviations are not used.
    operator : Rows
        What observations are made from; an empty table for the values of sites.
    correlation : Correlation
        Where observations are, and the correlation of the errors of one time.
    """

    step: np.ndarray
    update: np.ndarray
    inflation: np.ndarray
    error_std: float
    static_variance: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    limit: float
    operator: Rows
    correlation: Correlation


class Scales(NamedTuple):
    """States of :mod:`assimilearn.assimilation.cycling.scales`, changed in place; empty where nothing is adapted.

    Attributes
    ----------
    inflation, error : ndarray (6,) or (0,)
        Inflation, and standard deviation of the model error, that follow the innovations instead of those given.
    """

    inflation: np.ndarray
    error: np.ndarray


class Observations(NamedTuple):
    """Consecutive observation times.

    Attributes
    ----------
    steps : ndarray (time,), int64
        Model steps before each observation time.
    value, variance : ndarray (time, observation)
        Padded observations and their error variances.
    sites : ndarray (time, observation), int64
    valid : ndarray (time, observation), int8
    keep : ndarray (time,), int64
        Nonzero where the ensemble is kept.
    """

    steps: np.ndarray
    value: np.ndarray
    variance: np.ndarray
    sites: np.ndarray
    valid: np.ndarray
    keep: np.ndarray


class Noise(NamedTuple):
    """Random numbers of consecutive observation times, drawn outside of the cycle.

    Attributes
    ----------
    model : ndarray (model step, member, site), or (0, ...) without model error
        Standard normal, of the model error; (model step, 0, 0) where it needs none.
    update, rotation : ndarray (time, noise)
        Standard normal, of the update and of the rotation.
    walk : ndarray (time, member, parameter)
        What the estimated parameters change by before each observation time.
    step : ndarray (model step, member, draws), or (0, 0, 0)
        Standard normal, of the steps of a stochastic model.
    """

    model: np.ndarray
    update: np.ndarray
    rotation: np.ndarray
    walk: np.ndarray
    step: np.ndarray


class Output(NamedTuple):
    """What the cycle writes, in single precision.

    Attributes
    ----------
    mean, spread, forecast_mean, forecast_spread : ndarray (time, site)
    innovation, innovation_std : ndarray (time, observation)
    used : ndarray (time, observation), int8
        1 where the observation entered the analysis.
    adapted : ndarray (time, quantity)
        What the run found by itself.
    members, forecast_members : ndarray (kept time, member, site)
    """

    mean: np.ndarray
    spread: np.ndarray
    forecast_mean: np.ndarray
    forecast_spread: np.ndarray
    innovation: np.ndarray
    innovation_std: np.ndarray
    used: np.ndarray
    adapted: np.ndarray
    members: np.ndarray
    forecast_members: np.ndarray


KERNELS = (STEP, ERROR, UPDATE, MOMENTS, INFLATE, OBSERVE, WHITEN)
CONSTANTS = types.NamedTuple(
    (VECTOR, VECTOR, VECTOR, float64, VECTOR, VECTOR, VECTOR, float64, OPERATOR, CORRELATION), Constants
)
SCALES = types.NamedUniTuple(VECTOR, 2, Scales)  # what numba takes a named tuple of one type for
OBSERVATIONS = types.NamedTuple((COUNTS, MATRIX, MATRIX, SITES, FLAGS, COUNTS), Observations)
NOISE = types.NamedTuple((TENSOR, MATRIX, MATRIX, TENSOR, TENSOR), Noise)
OUTPUT = types.NamedTuple((*6 * (RECORD,), FLAGS, RECORD, KEPT, KEPT), Output)
