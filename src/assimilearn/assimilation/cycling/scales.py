"""A factor on an error covariance that follows the innovations: inflation, or the size of model error.

A forecast with variance s^2 of what is observed with error variance r expects innovations d of variance S = s^2 + r.
The factor on s^2 that makes them fit is carried from one analysis to the next as a normal distribution of its logarithm
u, with variance v, which grows by ``walk`` before each analysis, since the factor changes with the flow. With f = s^2 /
S,

    v_a = 1 / (1 / v_f + sum f^2 / 2),        u_a = u_f + v_a sum f (d^2 / S - 1) / 2

sums over the observations used: one step of Fisher scoring for the normal likelihood of the innovations. Where s^2 and
r are the same for all p of them, this is the Kalman update of Miyoshi (2011), Mon. Wea. Rev. 139, 1519-1535, section 2,
who takes (d^2 - r) / s^2, averaged, as an observation of the factor with variance 2 / (p f^2); that of Wang & Bishop
(2003), J. Atmos. Sci. 60, 1140-1158, eq. 8, filtered. We differ in the logarithm, which keeps factors positive, and in
weights that are right for unequal s^2 and r. Correlations between innovations are left out: the factor is right without
them, v is then too small.

The factor acts on the ensemble that the next forecast starts from, and so on all later s^2: it settles where, on
average, d^2 = S.
"""

import numpy as np
from numba import njit

LARGEST_STEP = 0.02  # of u in one analysis: while the truth is lost for a moment, an ensemble must not blow up
LARGEST_RATIO = 9.0  # of d^2 / S: what is further off than three standard deviations counts as if it were that far


def scale(
    first: float, std: float, walk: float, low: float, high: float, largest_step: float = LARGEST_STEP
) -> np.ndarray:
    """The state of a factor on a standard deviation, in place of which :func:`adapt` writes the later ones.

    Parameters
    ----------
    first : float
        First guess of the factor.
    std : float
        Relative standard deviation of the square of the first guess.
    walk : float
        Relative standard deviation by which the square changes from one analysis to the next.
    low, high : float
        What the factor cannot leave.
    largest_step : float
        Of the logarithm of the square, in one analysis.

    Returns
    -------
    ndarray (6,)
        u, v, the variance of the walk, the bounds of u, and its largest step.
    """
    return np.array([2 * np.log(first), std**2, walk**2, 2 * np.log(low), 2 * np.log(high), largest_step])


@njit(cache=True, error_model="numpy")
def factor(state):
    """The factor on standard deviations for which ``state`` stands."""
    return np.exp(state[0] / 2)


@njit(cache=True, error_model="numpy")
def adapt(state, innovation, innovation_std, variance, used):
    """Update ``state`` in place with the innovations of one time, each array (observation,)."""
    slope = information = 0.0
    for o in range(used.size):
        S = innovation_std[o] ** 2
        if used[o] != 0 and 0 < S < np.inf:
            share = 1 - variance[o] / S
            slope += share * (min(innovation[o] ** 2 / S, LARGEST_RATIO) - 1) / 2
            information += share**2 / 2
    state[1] = 1 / (1 / (state[1] + state[2]) + information)
    step = min(max(state[1] * slope, -state[5]), state[5])
    state[0] = min(max(state[0] + step, state[3]), state[4])
