"""Score settings of a filter on the validation period, by its innovations alone.

The observation is independent of the forecast's error, so the mean square of the innovations y - H x_f is that of the
forecast plus that of the observation, and the best forecast has the smallest. No truth is needed.
"""

from typing import Any

import numpy as np
from pydantic import ValidationError
from scipy.special import ndtr

from assimilearn.assimilation.cycling.record import Record
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.errors import SettingsError
from assimilearn.periods import VALIDATION

SPINUP = 100  # analysis times before the validation period with which every candidate starts
NOT_SOUGHT = ("method", "keep_members")


def candidate(settings: AnalysisSettings, values: dict[str, Any], place: str = "tune") -> AnalysisSettings:
    """``settings`` with some of them replaced; ``place`` names in an error where the values stand."""
    fields = [name for name in type(settings).model_fields if name not in NOT_SOUGHT]
    for name in values:
        if name not in fields:
            raise SettingsError(
                f"{place}: {settings.method} has no setting {name!r} to tune; it has {', '.join(fields) or 'none'}"
            )
    try:
        return type(settings).model_validate(settings.model_dump() | values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = f"{problem['loc'][0]} = {problem['input']!r}: " if problem["loc"] else ""  # none: settings that clash
        raise SettingsError(f"{place}: {where}{problem['msg'].lower()}") from error


def validation_part(problem: Problem, cycles: int = 0) -> tuple[Problem, np.ndarray]:
    """The part of a problem that ends with the validation period, and the time indices of that period in it.

    A run of it starts from the climatology shortly before the validation period.

    Parameters
    ----------
    problem : Problem
    cycles : int
        Leave so many analysis times of the validation period, the first ones; 0 leaves all.

    Raises
    ------
    SettingsError
        If there is no validation period.
    """
    validation = np.flatnonzero(problem.period == VALIDATION)
    if validation.size == 0:
        raise SettingsError("settings are tuned on the validation period, and it is empty: give it a length")
    validation = validation[: cycles or None]
    first = max(validation[0] - SPINUP, 0)
    return problem.window(first, validation[-1] + 1), validation - first


def innovation_scores(record: Record, times: np.ndarray) -> dict[str, float]:
    """Scores of all innovations d at the time indices ``times``, S their variance as the method expects it.

    Returns
    -------
    dict
        ``innovation_rmse``, root mean square of d; ``innovation_crps``, mean continuous ranked probability score of the
        forecast distribution N(0, S) at d (Gneiting et al. 2005, Mon. Wea. Rev. 133, eq. 5); ``innovation_chi_square``,
        distance of the mean of d^2 / S from 1. The last two are NaN for methods without S.
    """
    d, s = record.innovation[times].astype(float), record.innovation_std[times].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = d / s
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        crps = s * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return {
        "innovation_rmse": float(np.sqrt(_mean(d**2))),
        "innovation_crps": _mean(crps),
        "innovation_chi_square": abs(_mean(z**2) - 1),
    }


def _mean(values: np.ndarray) -> float:
    """Mean of what is a number; NaN where nothing is."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")
