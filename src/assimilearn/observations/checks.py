"""Checks of observations, all at once: a user mends a file in one go, not one error at a time."""

import numpy as np
import xarray as xr

from assimilearn.clock import step_numbers
from assimilearn.errors import AssimilearnError, FileError

ROWS_OF_THEIR_OWN = "corner_site"
"""Variable of files whose observations stand between sites, or are of several instruments: a site may be nearest to
several."""
VARIABLES = ("value", "error_std", "site_index", "valid")


def check_observations(dataset: xr.Dataset, size: int, time_step: float | None = None) -> None:
    """Accept observations of the project's layout or say everything that is wrong with them.

    Parameters
    ----------
    dataset : Dataset
        ``value``, ``error_std``, ``site_index``, ``valid`` (time, observation) and ``time``.
    size : int
        Number of sites of the model.
    time_step : float, optional
        If given, times must be multiples of it (MTU).

    Raises
    ------
    FileError
        With one line for each problem.
    """
    problems = layout_problems(dataset)
    if not problems:  # the contents can only be looked at where the layout is right
        problems = time_problems(dataset["time"].values, time_step) + entry_problems(dataset, size)
        if (np.diff(dataset["valid"].values.astype(int), axis=1) > 0).any():
            problems.append("valid entries must come first in each row")
    refuse(problems, "observations")


def refuse(problems: list[str], what: str) -> None:
    """Raise FileError with all ``problems``, if there are any."""
    if problems:
        raise FileError(f"these {what} cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))


def layout_problems(dataset: xr.Dataset) -> list[str]:
    """Missing variables and wrong dimensions."""
    missing = [name for name in (*VARIABLES, "time") if name not in dataset.variables]
    problems = [f"there is no variable {name}" for name in missing]
    for name in VARIABLES:
        if name in dataset.variables and dataset[name].dims != ("time", "observation"):
            problems.append(f"{name} has the dimensions {dataset[name].dims}, needed are ('time', 'observation')")
    return problems


def time_problems(times: np.ndarray, time_step: float | None) -> list[str]:
    """Times that are not numbers, out of order or, if ``time_step`` is given, between two model steps."""
    if times.dtype.kind not in "fiu":
        return [f"time must hold numbers in MTU, not {times.dtype}"]
    if time_step is None:
        steady = np.isfinite(times).all() and (np.diff(times) > 0).all()
        return [] if steady else ["times must be finite and increase"]
    try:
        step_numbers(times, time_step)
    except AssimilearnError as error:
        return [str(error)]
    return []


def entry_problems(dataset: xr.Dataset, size: int) -> list[str]:
    """What is wrong with single observations; each kind of problem is counted and shown once."""
    valid = dataset["valid"].values == 1
    values, std, sites = (dataset[name].values for name in ("value", "error_std", "site_index"))
    found = {
        "valid is neither 0 nor 1": ~np.isin(dataset["valid"].values, (0, 1)),
        f"site_index is not one of the sites 0 to {size - 1}": valid & ~np.isin(sites, np.arange(size)),
        "site_index occurs twice at one time": _repeated(sites, valid) & (ROWS_OF_THEIR_OWN not in dataset),
        "value is not finite": valid & ~np.isfinite(values),
        "error_std is not a positive finite number": valid & ~(np.isfinite(std) & (std > 0)),
    }
    problems = [
        f"{what}: {np.count_nonzero(where)} times, first at time index {int(np.argwhere(where)[0, 0])}"
        for what, where in found.items()
        if where.any()
    ]
    return problems if valid.any() or problems else ["there is not a single valid observation"]


def _repeated(sites: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Where a row, once sorted, holds a valid site a second time."""
    apart = -1 - np.arange(sites.shape[1])  # a different number for each padded entry: padding repeats nothing
    ordered = np.sort(np.where(valid, sites, apart), axis=1)
    return (np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)
