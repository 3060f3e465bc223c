"""Activations and their slopes, compiled.

The exponential is one that the compiler can turn into vector instructions: the library's is called for one number at a
time and takes three times as long. For that, a division must not be checked for a zero divisor either
(``error_model="numpy"``).
"""

import numpy as np
from numba import njit

LINEAR, TANH, RELU, SIGMOID, LEAKY_RELU, SWISH = range(6)
LEAK = np.float32(0.01)
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)

LOWEST, HIGHEST = np.float32(-87), np.float32(88)  # within, the exponential is a normal number
LOG2_E = np.float32(1.4426950408889634)
LN_2, LN_2_REST = np.float32(0.693359375), np.float32(0.6931471805599453 - 0.693359375)  # the first: few digits, exact
ROUND = np.float32(1.5 * 2**23)  # adding it rounds to an integer and leaves that in the last bits of the number
MANTISSA, BIAS = np.int32(23), np.int32(127 << 23)
# (exp(r) - 1 - r) / r^2 on |r| < 0.35, interpolated at Chebyshev points
C0, C1, C2, C3, C4 = (np.float32(c) for c in (0.5, 0.1666657667, 0.0416665542, 0.0083632329, 0.0013926251))


@njit(cache=True, error_model="numpy")
def exponential(x):
    """exp(x) of a float32, to 1e-7 of itself, as 2^n exp(r) with |r| < ln(2) / 2; NaN stays NaN."""
    u = LOWEST if x < LOWEST else x
    u = HIGHEST if u > HIGHEST else u
    shifted = u * LOG2_E + ROUND
    n = shifted - ROUND
    r = (u - n * LN_2) - n * LN_2_REST
    power = np.int32((np.float32(shifted).view(np.int32) << MANTISSA) + BIAS).view(np.float32)
    return power * (((((C4 * r + C3) * r + C2) * r + C1) * r + C0) * r * r + r + ONE)


@njit(cache=True, error_model="numpy")
def activate(y, bias, code, slopes, learning):
    """Add the bias (channel,) and apply the activation to ``y (row, channel)``, in place; NaN stays NaN.

    If ``learning``, the slopes of the activation are written too, from its values alone but for swish.
    """
    for i in range(len(y)):
        for c in range(bias.size):
            y[i, c] += bias[c]
        if code == RELU:
            for c in range(bias.size):
                y[i, c] = ZERO if y[i, c] < ZERO else y[i, c]
        elif code == LEAKY_RELU:
            for c in range(bias.size):
                y[i, c] = LEAK * y[i, c] if y[i, c] < ZERO else y[i, c]
        elif code == TANH:
            for c in range(bias.size):
                y[i, c] = ONE - TWO / (ONE + exponential(TWO * y[i, c]))
        elif code == SIGMOID:
            for c in range(bias.size):
                y[i, c] = ONE / (ONE + exponential(-y[i, c]))
        elif code == SWISH and learning:
            for c in range(bias.size):
                s = ONE / (ONE + exponential(-y[i, c]))
                slopes[i, c] = s * (ONE + y[i, c] * (ONE - s))
                y[i, c] *= s
        elif code == SWISH:
            for c in range(bias.size):
                y[i, c] /= ONE + exponential(-y[i, c])
    if learning and code != SWISH:
        write_slopes(y.reshape(y.size), code, slopes.reshape(y.size))


@njit(cache=True)
def write_slopes(values, code, slopes):
    """Slopes of the activation where it has these ``values``; those of swish do not follow from them."""
    if code == LINEAR:
        for c in range(values.size):
            slopes[c] = ONE
    elif code == RELU:
        for c in range(values.size):
            slopes[c] = ONE if values[c] > ZERO else ZERO
    elif code == LEAKY_RELU:
        for c in range(values.size):
            slopes[c] = ONE if values[c] > ZERO else LEAK
    elif code == TANH:
        for c in range(values.size):
            slopes[c] = ONE - values[c] * values[c]
    elif code == SIGMOID:
        for c in range(values.size):
            slopes[c] = values[c] * (ONE - values[c])
