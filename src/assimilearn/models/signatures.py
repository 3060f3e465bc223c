"""The types with which compiled kernels meet: one signature for every model step."""

from typing import Any

from numba import float64, types

from assimilearn.kernels import compile_alike

compile_alike()

MATRIX, VECTOR = float64[:, ::1], float64[::1]

STEP = types.FunctionType(types.void(MATRIX, VECTOR))
"""step(ensemble (member, site), parameters (parameter,)): in place, one step."""


def by_pointer(kernel: Any, kind: types.FunctionType = STEP) -> Any:
    """``kernel``, compiled so that a compiled loop may take it by pointer.

    It is the same code that a direct call runs. Left to numba, which asks for the type of the result too, the same
    kernel would be compiled a second time, and kept on disk twice.
    """
    if kind.signature.args not in kernel.overloads:
        kernel.compile(kind.signature.args)
    return kernel
