"""Scores of ensembles and of Gaussian forecasts, on plain arrays.

Everywhere ``members (member, ...)`` has the member first and ``verifying (...)`` is the truth or an observation.
Sources: Hersbach (2000), Weather Forecast. 15, 559-570 (CRPS of an ensemble); Gneiting et al. (2005), Mon. Weather
Rev. 133, 1098-1118, eq. 5 (CRPS of a Gaussian); Ferro (2014), Q. J. R. Meteorol. Soc. 140, 1917-1923 (fair scores);
Hamill (2001), Mon. Weather Rev. 129, 550-560 (rank histograms); Fortin et al. (2014), J. Hydrometeorol. 15,
1708-1713 (spread and skill are averaged as squares).
"""

import math
from typing import NamedTuple

import numpy as np

# element by element, which is quicker than to import scipy's fast one
ERF = np.vectorize(math.erf, otypes=[float])


def crps_ensemble(members: np.ndarray, verifying: np.ndarray, fair: bool = False) -> np.ndarray:
    """Continuous ranked probability score of an ensemble, in the units of the state.

    mean_i |x_i - y| - sum_ij |x_i - x_j| / (2 N^2), the double sum by sorting: cost N log N a case.

    Parameters
    ----------
    members : ndarray (member, ...)
    verifying : ndarray (...)
    fair : bool
        Divide by 2 N (N - 1) instead: the score that the distribution behind the ensemble has on average, whatever N.

    Returns
    -------
    ndarray (...), NaN where a member or ``verifying`` is.

    Raises
    ------
    ValueError
        If the shapes do not match, or a fair score is asked of one member.
    """
    members, verifying = _matched(members, verifying)
    n = len(members)
    if fair and n < 2:
        raise ValueError("the fair CRPS needs two members or more")
    weights = (2 * np.arange(1, n + 1) - n - 1).reshape(-1, *[1] * verifying.ndim)
    half_of_pairs = (weights * np.sort(members, axis=0)).sum(axis=0)
    return np.abs(members - verifying).mean(axis=0) - half_of_pairs / (n * (n - 1) if fair else n**2)


def crps_gaussian(mean: np.ndarray, std: np.ndarray, verifying: np.ndarray) -> np.ndarray:
    """CRPS of the normal distribution of ``mean`` and ``std``, elementwise; |error| where ``std`` is 0."""
    mean, std, verifying = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (mean, std, verifying)))
    error = verifying - mean
    z = np.divide(error, std, out=np.zeros(error.shape), where=std != 0)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    score = std * (z * ERF(z / np.sqrt(2)) + 2 * density - 1 / np.sqrt(np.pi))
    return np.where(std == 0, np.abs(error), score)


def log_score_gaussian(mean: np.ndarray, std: np.ndarray, verifying: np.ndarray) -> np.ndarray:
    """Minus the log density of ``verifying`` under the normal distribution of ``mean`` and ``std`` (above 0)."""
    std = np.asarray(std, dtype=float)
    if (std <= 0).any():
        raise ValueError("the log score needs standard deviations above 0")
    return ((verifying - mean) / std) ** 2 / 2 + np.log(std) + np.log(2 * np.pi) / 2


def rank_histogram(members: np.ndarray, verifying: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How often ``verifying`` has each rank among the members, (member + 1,) counts, int64.

    Cases with a NaN are left out. Ties are broken at random.
    """
    members, verifying = _matched(members, verifying)
    members, verifying = members.reshape(len(members), -1), verifying.reshape(-1)
    whole = ~(np.isnan(members).any(axis=0) | np.isnan(verifying))
    members, verifying = members[:, whole], verifying[whole]
    below = (members < verifying).sum(axis=0)
    equal = (members == verifying).sum(axis=0)
    ranks = below + rng.integers(0, equal + 1)
    return np.bincount(ranks, minlength=len(members) + 1)


class Flatness(NamedTuple):
    """Chi-square of a histogram against equal counts, and the chance of a larger one if the counts are fair."""

    chi_square: float
    p_value: float


def flatness(counts: np.ndarray) -> Flatness:
    """Whether a rank histogram ``counts (rank,)`` of independent cases is flat; NaN if it is empty."""
    from scipy.special import gammaincc

    counts = np.asarray(counts, dtype=float)
    if counts.sum() == 0:
        return Flatness(float("nan"), float("nan"))
    expected = counts.sum() / counts.size
    chi_square = ((counts - expected) ** 2 / expected).sum()
    return Flatness(float(chi_square), float(gammaincc((counts.size - 1) / 2, chi_square / 2)))


class SpreadSkill(NamedTuple):
    """Root-mean-square spread and error of the cases in each bin, (bin,), and their number."""

    spread: np.ndarray
    error: np.ndarray
    cases: np.ndarray


def spread_skill(spread: np.ndarray, error: np.ndarray, bins: int = 10) -> SpreadSkill:
    """Error against predicted spread, in ``bins`` equally filled bins of rising spread; equal if calibrated.

    Cases with a NaN are left out.

    Raises
    ------
    ValueError
        If the shapes differ or there are fewer cases than bins.
    """
    spread, error = np.asarray(spread, dtype=float), np.asarray(error, dtype=float)
    if spread.shape != error.shape:
        raise ValueError(f"spread {spread.shape} and error {error.shape} must have one shape")
    whole = np.isfinite(spread) & np.isfinite(error)
    spread, error = spread[whole], error[whole]
    if bins < 1 or spread.size < bins:
        raise ValueError(f"{spread.size} cases cannot fill {bins} bins")
    parts = np.array_split(np.argsort(spread, kind="stable"), bins)
    return SpreadSkill(
        np.array([np.sqrt(np.mean(spread[part] ** 2)) for part in parts]),
        np.array([np.sqrt(np.mean(error[part] ** 2)) for part in parts]),
        np.array([part.size for part in parts]),
    )


def _matched(members: np.ndarray, verifying: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    members, verifying = np.asarray(members, dtype=float), np.asarray(verifying, dtype=float)
    if members.ndim != verifying.ndim + 1 or members.shape[1:] != verifying.shape or len(members) == 0:
        raise ValueError(f"members {members.shape} must be (member, ...) for verifying (...) {verifying.shape}")
    return members, verifying
