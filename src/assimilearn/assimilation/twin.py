"""A twin experiment: a simulated truth and its observations, which methods meet on equal terms."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from assimilearn.assimilation.background.climatology import FullBackground
from assimilearn.models.projection import Projection
from assimilearn.models.protocol import Model
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.observations.times import observation_steps
from assimilearn.periods import GAP, TEST
from assimilearn.settings import Settings


class TwinSettings(Settings):
    """Length of a twin experiment."""

    steps: int = Field(5000, ge=2, description="number of observation times")
    burn_in: int = Field(400, ge=0, description="observation times at the beginning that no score counts")
    start_std: float | None = Field(
        None,
        gt=0,
        description="errors of the start, which is then beside the truth; by default runs start from the climatology",
    )
    start_mean: float | None = Field(
        None,
        description="mean of the start at every site, with start_std as its spread: it then knows nothing of the truth",
    )

    @model_validator(mode="after")
    def _consistent(self) -> "TwinSettings":
        if self.burn_in >= self.steps:
            raise ValueError(f"burn_in ({self.burn_in}) must be shorter than steps ({self.steps})")
        if self.start_mean is not None and self.start_std is None:
            raise ValueError("start_mean: give start_std too, the standard deviation of the start about it")
        return self


class Twin(NamedTuple):
    """One realization of a twin experiment.

    Attributes
    ----------
    truth : Dataset
        ``state(time, site)`` at the observation times.
    observations : Dataset
        What is seen of it; scores count the times whose ``period`` is that of the test.
    rng : numpy.random.Generator
        Of the assimilation. It is copied before each use, so that all settings meet the same random numbers.
    start : FullBackground, optional
        Law of the state before the first observation, if it is not the climatology.
    """

    truth: xr.Dataset
    observations: xr.Dataset
    rng: np.random.Generator
    start: FullBackground | None = None


def simulate_twin(
    model: Model,
    settings: TwinSettings,
    truth: TruthSettings,
    observing: ObservationSettings,
    truth_rng: np.random.Generator,
    observation_rng: np.random.Generator,
    analysis_rng: np.random.Generator,
    onto: Projection | None = None,
) -> Twin:
    """Simulate a truth and observe it.

    A longer experiment from the same generators begins with the shorter one.

    Parameters
    ----------
    model : Model
        Of the truth.
    settings : TwinSettings
    truth : TruthSettings
    observing : ObservationSettings
    truth_rng, observation_rng, analysis_rng : numpy.random.Generator
        One a stage; the last is handed on.
    onto : Projection, optional
        What is kept of the truth, in the fields of the forecast model; by default all.
    """
    times = observation_steps(observing.every, settings.steps) * model.time_step
    flags = np.where(np.arange(settings.steps) < settings.burn_in, GAP, TEST).astype(np.int8)
    states = simulate(model, truth, times, flags, truth_rng, onto)
    start = started(states, settings, truth_rng.spawn(1)[0])
    return Twin(states, observe(states, observing, observation_rng), analysis_rng, start)


def started(truth: xr.Dataset, settings: TwinSettings, rng: np.random.Generator) -> FullBackground | None:
    """The law of the state before the first observation; None for that of the climatology."""
    if settings.start_std is None:
        return None
    if settings.start_mean is None:
        return beside(truth, settings.start_std, rng)
    mean = np.full(truth.sizes["site"], settings.start_mean)
    return FullBackground(mean, settings.start_std**2 * np.eye(mean.size), np.empty(0), np.empty(0))


def beside(truth: xr.Dataset, std: float, rng: np.random.Generator) -> FullBackground:
    """The law with independent errors of ``std``, around one draw from that law around the first true state."""
    first = truth["state"].values[0]
    mean = first + std * rng.standard_normal(first.size)
    return FullBackground(mean, std**2 * np.eye(first.size), np.empty(0), np.empty(0))
