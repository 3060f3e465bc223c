"""Times as whole numbers of model steps: the one place where a float becomes a count."""

import numpy as np

from assimilearn.errors import AssimilearnError

TOLERANCE = 0.01  # of a step: wide enough for times kept in single precision, far from the next step


def step_numbers(times: np.ndarray, time_step: float) -> np.ndarray:
    """The number of model steps from time 0 to each of ``times``.

    Parameters
    ----------
    times : ndarray (time,)
        Increasing, in MTU, not before 0.
    time_step : float
        Step of the model in MTU.

    Returns
    -------
    ndarray (time,), int64

    Raises
    ------
    AssimilearnError
        If a time is not finite, negative, not after the one before it, or not a multiple of ``time_step``.
    """
    times = np.asarray(times, dtype=float)
    if not np.isfinite(times).all():
        raise AssimilearnError(f"time is not finite at index {int(np.argmin(np.isfinite(times)))}")
    steps = np.rint(times / time_step).astype(np.int64)
    off = np.abs(times / time_step - steps) > TOLERANCE
    if off.any():
        first = int(np.argmax(off))
        raise AssimilearnError(
            f"time {times[first]:g} MTU (index {first}) is not a multiple of the model's time step {time_step:g} MTU"
        )
    backwards = np.diff(steps, prepend=-1) <= 0
    if backwards.any():
        first = int(np.argmax(backwards))
        before = "0" if first == 0 else f"the {times[first - 1]:g} MTU before it"
        raise AssimilearnError(f"times must increase from 0: {times[first]:g} MTU (index {first}) against {before}")
    return steps
