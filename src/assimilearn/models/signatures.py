"""The types with which compiled kernels meet: one signature for every model step."""

from numba import float64, types

MATRIX, VECTOR = float64[:, ::1], float64[::1]

STEP = types.FunctionType(types.void(MATRIX, VECTOR))
"""step(ensemble (member, site), parameters (parameter,)): in place, one step."""
