"""The inverse square root as a sum of a few inverses: z^-1/2 = sum of weight / (z + shift) on [1, 4^b].

Hale, Higham & Trefethen (2008), SIAM J. Numer. Anal. 46, 2505-2523, method 3: the midpoint rule in a variable in which
the integrand is an elliptic function. The relative error is about exp(-2 pi^2 poles / (3 + b ln 4)): where observations
are about as good as the forecast, b is 1 or 2 and eight poles do.
"""

import numpy as np

INTERVALS = 20  # up to 4^20: an observation that is a million times better than the forecast

MOST_MEANS = 64  # each doubles the digits that agree


def enough_poles(most: int, error: float) -> tuple[np.ndarray, np.ndarray]:
    """For each interval as many poles as the error asks for, a multiple of eight for the vector units, or ``most``.

    Returns
    -------
    counts : ndarray (interval,)
    table : ndarray (interval, 2, most)
        Shifts and weights; zero beyond the count.
    """
    counts, table = np.empty(INTERVALS, dtype=np.int64), np.zeros((INTERVALS, 2, most))
    for interval in range(INTERVALS):
        asked = -np.log(error) * (3 + (interval + 1) * np.log(4)) / (2 * np.pi**2)
        count = counts[interval] = min(8 * int(np.ceil(asked / 8)), most)
        table[interval, :, :count] = inverse_root_poles(interval, count)
    return counts, table


def inverse_root_poles(interval: int, poles: int) -> np.ndarray:
    """Shifts and weights (2, pole) for [1, 4^(interval + 1)]."""
    m1 = 0.25 ** (interval + 1)  # smallest of the spectrum over the largest, and the complementary parameter
    quarter, fraction = quarter_period(m1), (np.arange(poles) + 0.5) / poles
    low = fraction < 0.5
    sn, cn, dn = elliptic(np.where(low, fraction, 1 - fraction) * quarter, m1)
    # the upper half of the quarter period by reflection: there cn nearly vanishes
    shifts = np.where(low, (sn / cn) ** 2, (cn / sn) ** 2 / m1)
    return np.array([shifts, 2 * quarter / (np.pi * poles) * dn / np.where(low, cn**2, np.sqrt(m1) * sn**2)])


def quarter_period(m1: float) -> float:
    """The complete elliptic integral K of complementary parameter m1, by the arithmetic-geometric mean."""
    return np.pi / 2 / means(m1)[-1][0]


def elliptic(u: np.ndarray, m1: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Jacobi's sn, cn and dn of u and complementary parameter m1 (Abramowitz & Stegun 1964, section 16.4)."""
    steps = means(m1)
    phase = 2.0 ** (len(steps) - 1) * steps[-1][0] * u
    for a, c in steps[:0:-1]:
        phase = (phase + np.arcsin(c / a * np.sin(phase))) / 2
    sn, cn = np.sin(phase), np.cos(phase)
    return sn, cn, np.sqrt(cn**2 + m1 * sn**2)


def means(m1: float) -> list[tuple[float, float]]:
    """Arithmetic means of the arithmetic-geometric mean of 1 and the root of m1, with half the differences."""
    a, b = 1.0, float(np.sqrt(m1))
    steps = [(a, float(np.sqrt(1 - m1)))]
    for _ in range(MOST_MEANS):
        if steps[-1][1] <= np.finfo(float).eps * a:
            break
        a, b, c = (a + b) / 2, float(np.sqrt(a * b)), (a - b) / 2
        steps.append((a, c))
    return steps


FEW_COUNTS, FEW = enough_poles(16, 1e-10)  # beyond a ratio of 16,000 the error grows, to 1e-6 at 4 million
MANY_COUNTS, MANY = enough_poles(32, 1e-12)  # beyond a ratio of 1e9 it grows to 4e-9
