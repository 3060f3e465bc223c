"""The types with which an analysis meets the compiled cycle: one signature for every update and every moment."""

from numba import float32, float64, int8, int64, types

from assimilearn.models.signatures import MATRIX, STEP, VECTOR

__all__ = [
    "COUNTS",
    "ERROR",
    "FLAGS",
    "INDEPENDENT",
    "KEPT",
    "MATRIX",
    "MOMENTS",
    "RECORD",
    "SITES",
    "STEP",
    "TENSOR",
    "TREAT",
    "UPDATE",
    "VECTOR",
]

SITES, COUNTS = int64[:, ::1], int64[::1]
FLAGS = int8[:, ::1]
TENSOR = float64[:, :, ::1]
RECORD, KEPT = float32[:, ::1], float32[:, :, ::1]

UPDATE = types.FunctionType(types.void(MATRIX, MATRIX, VECTOR, VECTOR, COUNTS, VECTOR, VECTOR))
"""update(E (member, site), Y (member, observation), y (observation,), variance (observation,),
sites (observation,), parameters (parameter,), noise (noise,)): in place on E; Y may be overwritten."""

MOMENTS = types.FunctionType(types.void(MATRIX, VECTOR, VECTOR))
"""moments(E (member, site), mean (site,), variance (site,)): writes the mean and the variance that E stands for."""

ERROR = types.FunctionType(types.void(MATRIX, float64, MATRIX))
"""error(E (member, site), std, noise (member, site)): in place, the model error of one step."""

TREAT = types.FunctionType(types.void(MATRIX, MATRIX, VECTOR, VECTOR, VECTOR))
"""treat(E (member, site), prior (member, site), prior_spread (site,), treatment (3,), noise (noise,)): in place."""

INDEPENDENT = types.FunctionType(types.void(MATRIX, VECTOR, COUNTS, VECTOR, int64))
"""independent(rows (row, observation), variance, sites (observation,), correlation, size): in place on the rows."""
