"""Tapers by distance in compiled loops; their reference is :mod:`assimilearn.assimilation.local.taper_functions`."""

import numpy as np
from numba import njit

from assimilearn.assimilation.local.taper_functions import NEGLIGIBLE
from assimilearn.kernels import FAST

GASPARI_COHN, BOXCAR, GAUSSIAN = range(3)
CODES = {"gaspari_cohn": GASPARI_COHN, "boxcar": BOXCAR, "gaussian": GAUSSIAN}
ROUND_OFF = 1e-9  # relative: a distance that should be the reach itself is within it


def reach_of(taper: str, radius: float) -> float:
    """The distance beyond which a taper of that localization radius is negligible."""
    factors = {
        "gaspari_cohn": 2 * np.sqrt(10 / 3),
        "boxcar": np.sqrt(3) * (1 + ROUND_OFF),
        "gaussian": np.sqrt(-2 * np.log(NEGLIGIBLE)),
    }
    return float(radius * factors[taper])


@njit(cache=True, fastmath=FAST, error_model="numpy")
def squared_distances(positions, place, periods, squares):
    """Write the squared distances of ``positions (axis, lane)`` from ``place (axis,)``."""
    for lane in range(squares.size):
        squares[lane] = 0.0
    for axis in range(periods.size):
        x, period, row = place[axis], periods[axis], positions[axis]
        if period > 0:
            for lane in range(squares.size):
                gap = abs(row[lane] - x)
                gap = min(gap, abs(period - gap))
                squares[lane] += gap * gap
        else:
            for lane in range(squares.size):
                squares[lane] += (row[lane] - x) ** 2


@njit(cache=True, error_model="numpy")
def between_fields(factors, field, fields, tapers):
    """Multiply ``tapers (lane,)`` by the factors between a field and the ``fields (lane,)``, in place; the largest."""
    largest = 0.0
    for lane in range(tapers.size):
        tapers[lane] *= factors[int(fields[lane]), int(field)]
        largest = max(largest, tapers[lane])
    return largest


@njit(cache=True, fastmath=FAST, error_model="numpy")
def taper_squares(squares, taper, radius):
    """Turn squared distances into factors, in place; negligible ones become 0. Returns the largest."""
    largest = 0.0
    if taper == GASPARI_COHN:
        scale = 1 / (radius * np.sqrt(10 / 3))
        for lane in range(squares.size):
            z = np.sqrt(squares[lane]) * scale
            near = 1 + z * z * (-5 / 3 + z * (5 / 8 + z * (1 / 2 - z / 4)))
            far_z = max(z, 1.0)
            far = 4 - 2 / (3 * far_z) + far_z * (-5 + far_z * (5 / 3 + far_z * (5 / 8 + far_z * (-1 / 2 + far_z / 12))))
            factor = near if z < 1 else far
            squares[lane] = factor if z < 2 else 0.0
    elif taper == BOXCAR:
        edge = 3 * radius**2 * (1 + ROUND_OFF)
        for lane in range(squares.size):
            squares[lane] = 1.0 if squares[lane] <= edge else 0.0
    else:
        for lane in range(squares.size):
            squares[lane] = np.exp(-0.5 * squares[lane] / radius**2)
    for lane in range(squares.size):
        squares[lane] = squares[lane] if squares[lane] > NEGLIGIBLE else 0.0
        largest = max(largest, squares[lane])
    return largest
