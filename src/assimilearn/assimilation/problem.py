"""Observations and model, checked once and laid out for the cycle."""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from assimilearn.assimilation.background import Background, read_background
from assimilearn.errors import FileError
from assimilearn.models.clock import step_numbers
from assimilearn.models.protocol import Model


@dataclass(frozen=True)
class Problem:
    """What every method is given.

    Attributes
    ----------
    model : Model
    background : Background
    times : ndarray (time,)
        Observation times in MTU.
    period : ndarray (time,), int8
        Flags of :mod:`assimilearn.periods`.
    steps : ndarray (time,), int64
        Model steps since the previous observation time; 0 for the first, at which the climatology is the forecast.
    value, variance : ndarray (time, observation)
        Observations and their error variances; 0 and 1 in the padding.
    sites : ndarray (time, observation), int64
    valid : ndarray (time, observation), int8
    """

    model: Model
    background: Background
    times: np.ndarray
    period: np.ndarray
    steps: np.ndarray
    value: np.ndarray
    variance: np.ndarray
    sites: np.ndarray
    valid: np.ndarray

    def window(self, first: int, stop: int) -> "Problem":
        """The part from time index ``first`` to ``stop``, starting anew from the background."""
        part = {name: getattr(self, name)[first:stop] for name in ("times", "period", "value", "variance", "valid")}
        steps = self.steps[first:stop].copy()
        steps[:1] = 0
        return replace(self, **part, steps=steps, sites=self.sites[first:stop])


def pose(observations: xr.Dataset, model: Model, model_file: xr.Dataset) -> Problem:
    """Check everything that a run needs.

    Raises
    ------
    FileError
        If the observations are not usable: a missing variable, a time not after the one before it, a value that is not
        finite, an error_std that is not positive, a site that does not exist, no valid observation at all.
    AssimilearnError
        If the model's time step does not divide the intervals between the observation times.
    SettingsError
        If the model file is of another size than the model.
    """
    for name in ("value", "error_std", "site_index", "valid", "time", "period"):
        if name not in observations.variables:
            raise FileError(f"the observations lack the variable {name}")
    background = read_background(model_file, model.size)
    times = observations["time"].values.astype(float)
    valid = observations["valid"].values != 0
    if not valid.any():
        raise FileError("the observations hold no valid entry")
    value = np.where(valid, observations["value"].values, 0.0).astype(float)
    error_std = np.where(valid, observations["error_std"].values, 1.0).astype(float)
    sites = np.where(valid, observations["site_index"].values, 0).astype(np.int64)
    for wrong, what in (
        (~np.isfinite(value), "value is not finite"),
        (~(np.isfinite(error_std) & (error_std > 0)), "error_std is not positive"),
        ((sites < 0) | (sites >= model.size), f"site_index is not one of the model's 0 ... {model.size - 1}"),
    ):
        if wrong.any():
            time, observation = np.argwhere(wrong)[0]
            raise FileError(f"observations: {what} at time {times[time]:g} MTU, observation {observation}")
    return Problem(
        model=model,
        background=background,
        times=times,
        period=observations["period"].values.astype(np.int8),
        steps=np.diff(step_numbers(times - times[0], model.time_step), prepend=0),
        value=value,
        variance=error_std**2,
        sites=sites,
        valid=valid.astype(np.int8),
    )
