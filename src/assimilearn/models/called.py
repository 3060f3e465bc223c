"""The step of a model in Python as one that compiled loops call: the loop stays compiled, whatever makes the forecast.

A compiled loop takes a step by pointer. Here it is a kernel that calls back into Python, through the address of a C
function that ctypes makes of a Python one; it finds the address in its parameters. The C function acquires the GIL, so
that a loop which has released it may call.

No error can pass through compiled code. So what the model raises is kept, the states become NaN, at which any loop
ends, and :meth:`CalledStep.raising` raises it again outside.
"""

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_double, c_int64, c_void_p, cast
from functools import wraps
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from assimilearn.kernels import compile_alike
from assimilearn.models.protocol import CompiledStep

compile_alike()

PROTOTYPE = CFUNCTYPE(None, c_int64, c_int64, c_int64)


@intrinsic
def call_address(typing_context, address, data, rows, columns):
    """Call the C function at ``address`` with where the rows are and how many of how many columns."""

    def code(context, builder, signature, arguments):
        integer = ir.IntType(64)
        function = ir.FunctionType(ir.VoidType(), [integer] * 3).as_pointer()
        builder.call(builder.inttoptr(arguments[0], function), arguments[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), code


@njit(cache=True, nogil=True)
def called_step(E: Any, parameters: Any) -> None:
    """One step of E (row, site + memory + draws) by the Python function whose address is the only parameter."""
    call_address(parameters.view(np.int64)[0], np.int64(E.ctypes.data), E.shape[0], E.shape[1])  # type: ignore[call-arg]


class CalledStep:
    """A Python step, ready for compiled loops of one run.

    Parameters
    ----------
    step : callable
        ``step(E (row, site + memory + draws), parameters)``, in place on the first two; the parameters are none.

    Attributes
    ----------
    compiled : CompiledStep
        Of use as long as this object lives.
    """

    def __init__(self, step: Callable[[np.ndarray, np.ndarray], None]) -> None:
        self._step = step
        self._failure: BaseException | None = None
        self._where, self._rows = (0, 0, 0), np.empty((0, 0))
        self._function = PROTOTYPE(self._called)
        address = cast(self._function, c_void_p).value
        self.compiled = CompiledStep(called_step, np.array([address], dtype=np.int64).view(float))

    def _called(self, address: int, rows: int, columns: int) -> None:
        """Step the rows at an address."""
        if (address, rows, columns) != self._where:  # a loop mostly steps the same array
            self._where = address, rows, columns
            self._rows = np.ctypeslib.as_array((c_double * (rows * columns)).from_address(address)).reshape(rows, -1)
        if self._failure is not None:
            return
        try:
            self._step(self._rows, NO_PARAMETERS)
        except BaseException as failure:  # an interrupt of the user too
            self._failure = failure
            self._rows[:] = np.nan

    def raising(self, loop: Callable[..., Any]) -> Callable[..., Any]:
        """``loop``, which calls the step, with what a step raised as its own error."""

        @wraps(loop)
        def run(*arguments: Any) -> Any:
            result = loop(*arguments)
            if self._failure is not None:
                raise self._failure
            return result

        return run


NO_PARAMETERS = np.empty(0)
