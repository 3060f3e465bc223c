"""Observations and model, checked once and laid out for the cycle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from assimilearn.assimilation.background.climatology import Background, read_background
from assimilearn.assimilation.background.expected import Expected, expected
from assimilearn.assimilation.cycling.forecasting import forecast_model
from assimilearn.assimilation.settings import AnalysisSettings, ParameterSettings
from assimilearn.clock import step_numbers
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.models.protocol import Model
from assimilearn.observations.checks import check_observations
from assimilearn.observations.dates import MODEL_TIME, Clock, clock_of
from assimilearn.observations.observation_model import SITES, ObservationModel, observation_model_of
from assimilearn.observations.operators import rows_of

if TYPE_CHECKING:
    from assimilearn.assimilation.learned_step import AnalysisStep


class FirstTime(NamedTuple):
    """What is different at the first time, where biases are estimated that the first distribution does not have.

    Attributes
    ----------
    observation : without the biases
    variance : added to the error variances of the observations
    """

    observation: ObservationModel
    variance: float


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
        Observed sites; where the observation operator has a table, numbers of its rows.
    valid : ndarray (time, observation), int8
    geometry : Geometry
        Of the state.
    observation : ObservationModel
        What is seen of the state, and how the errors of one time are correlated.
    new_record : callable, optional
        ``new_record(problem)`` is what a filter writes to; by default arrays in memory.
    clock : Clock
        What the times are in.
    start : Background, optional
        Distribution of the state before the first observation; by default that of the climatology.
    at_first : FirstTime, optional
        What is different at the first time; nothing where no biases are estimated.
    biases : mapping of names to ParameterSettings
        Biases of the observations that members carry (:mod:`assimilearn.assimilation.cycling.biases`).
    step : AnalysisStep, optional
        What the method ``learned`` analyses with, and nothing else looks at.
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
    geometry: Geometry
    observation: ObservationModel = SITES
    new_record: Callable[["Problem"], Any] | None = None
    clock: Clock = MODEL_TIME
    start: Background | None = None
    at_first: FirstTime | None = None
    biases: Mapping[str, ParameterSettings] = field(default_factory=dict)
    step: "AnalysisStep | None" = None

    @cached_property
    def expected(self) -> Expected:
        """What the climatology expects of an observation at every site."""
        return expected(self.background, self.observation.operator)

    @property
    def at_start(self) -> "Problem":
        """The problem at the first time: the distribution of the state before any observation is its background.

        Of what is along time only the first is there.
        """
        if self.start is None and self.at_first is None:
            return self
        known = replace(self, background=self.start or self.background, start=None, at_first=None)
        if self.at_first is None:
            return known
        variance = self.variance[0][None] + self.at_first.variance
        return replace(known, observation=self.at_first.observation, value=self.value[0][None], variance=variance)

    def window(self, first: int, stop: int) -> "Problem":
        """The part from time index ``first`` to ``stop``; a later one starts anew from the background."""
        part = {name: getattr(self, name)[first:stop] for name in ("times", "period", "value", "variance", "valid")}
        steps = self.steps[first:stop].copy()
        steps[:1] = 0
        start = self.start if first == 0 else None
        return replace(self, **part, steps=steps, sites=self.sites[first:stop], start=start)


def pose(observations: xr.Dataset, model: Model, climatology_file: xr.Dataset) -> Problem:
    """Check everything that a run needs.

    Raises
    ------
    FileError
        If the observations are not usable; the message lists every problem.
    AssimilearnError
        If the model's time step does not divide the intervals between the observation times.
    SettingsError
        If the climatology file is of another size than the model.
    """
    check_observations(observations, model.size)
    return laid_out(observations, model, climatology_file, *entries(observations))


def laid_out(
    observations: xr.Dataset,
    model: Model,
    climatology_file: xr.Dataset,
    value: Any,
    variance: Any,
    sites: Any,
    valid: Any,
) -> Problem:
    """The problem with the given entries of :func:`entries`, or with what gives them when it is indexed."""
    if "period" not in observations.variables:
        raise FileError("the observations lack the coordinate period(time)")
    background = read_background(climatology_file, model.size)
    geometry = geometry_of({**observations.attrs, "size": model.size})
    times = observations["time"].values.astype(float)
    return Problem(
        model=model,
        background=background,
        times=times,
        period=observations["period"].values.astype(np.int8),
        steps=np.diff(step_numbers(times - times[0], model.time_step), prepend=0),
        value=value,
        variance=variance,
        sites=sites,
        valid=valid,
        geometry=geometry,
        observation=observation_model_of(observations, geometry),
        clock=clock_of(observations.attrs),
    )


def entries(observations: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values, error variances, sites and validity (time, observation), without NaN in the padding."""
    valid = observations["valid"].values != 0
    value = np.where(valid, observations["value"].values, 0.0).astype(float)
    error_std = np.where(valid, observations["error_std"].values, 1.0).astype(float)
    return value, error_std**2, rows_of(observations), valid.astype(np.int8)


def refuse_misfit(problem: Problem, settings: AnalysisSettings) -> None:
    """Raise SettingsError if the method cannot use the model, or observations of this kind."""
    forecast_model(problem.model, settings)
    if not problem.observation.operator.direct and not settings.any_operator:
        raise SettingsError(f"{settings.method} takes observations of the state itself only, not of a function of it")
    if problem.observation.correlated and not settings.correlated_errors:
        raise SettingsError(
            f"{settings.method} takes observations with independent errors only: tell it that they are "
            '(observations: assumed_correlation: "none", and a larger assumed_error_std)'
        )
