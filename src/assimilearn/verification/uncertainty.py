"""The mean of a correlated series and its standard error.

The variance of a mean of n values is (gamma_0 + 2 sum_k (1 - k/n) gamma_k) / n, with gamma the autocovariance. The sum
is cut by the initial monotone sequence of Geyer (1992), Statist. Sci. 7, 473-483, sec. 3.3: sums of neighbouring pairs
gamma_2k + gamma_2k+1 are kept while they are positive, and never allowed to rise. For a series whose
autocorrelation swings below zero that errs on the wide side. Cost: one FFT.

We differ in one point: removing the sample mean lowers every estimated gamma by the variance of the mean; the
result is divided by the factor that this costs, so that an uncorrelated series gets the classical divisor n - 1.
"""

import numpy as np


def mean_and_uncertainty(series: np.ndarray) -> tuple[float, float]:
    """Mean of ``series (time,)`` and the standard error of that mean, aware of autocorrelation.

    NaN means "no value at this time" and is left out; the autocovariance is then taken between successive values.
    One value has a mean and no uncertainty (NaN); an empty or an infinite series has neither.
    """
    values = np.asarray(series, dtype=float)
    if values.ndim != 1:
        raise ValueError(f"a series has one dimension, not {values.ndim}")
    values = values[~np.isnan(values)]
    n = values.size
    if n == 0 or not np.isfinite(values).all():
        return float("nan"), float("nan")
    mean = float(values.mean())
    if n == 1:
        return mean, float("nan")
    return mean, float(np.sqrt(_variance_of_mean(values - mean)))


def _variance_of_mean(anomalies: np.ndarray) -> float:
    """Variance of the mean, from ``anomalies (time,)`` about that mean."""
    n = anomalies.size
    sums = _lagged_sums(anomalies)
    if n < 4:  # too short to see a correlation
        return sums[0] / n / (n - 1)
    pairs = sums[: n // 4 * 2].reshape(-1, 2).sum(axis=1)
    kept = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else pairs.size
    total = 2 * np.minimum.accumulate(pairs[:kept]).sum() - sums[0]
    window = max(2 * kept - 1, 0)
    lost = (n * (2 * window + 1) - window * (window + 1)) / n**2
    # Noise can make the sum of an alternating series negative; its mean is still uncertain by one value in n.
    return max(total, sums[0] / n) / n**2 / (1 - lost)


def _lagged_sums(anomalies: np.ndarray) -> np.ndarray:
    """Sums over time of anomaly times anomaly k later, (lag,), by FFT."""
    n = anomalies.size
    power = np.abs(np.fft.rfft(anomalies, 2 * n)) ** 2
    return np.fft.irfft(power, 2 * n)[:n]
