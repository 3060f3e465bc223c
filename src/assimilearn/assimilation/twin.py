"""A twin experiment: a simulated truth and its observations, which methods meet on equal terms."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from assimilearn.assimilation.background.climatology import Background
from assimilearn.assimilation.beginning import BeginningSettings, beginning
from assimilearn.models.projection import Projection
from assimilearn.models.protocol import Model
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations.observe import ObservationSettings, observe
from assimilearn.observations.times import observation_steps
from assimilearn.periods import GAP, TEST


class TwinSettings(BeginningSettings):
    """Length of a twin experiment."""

    steps: int = Field(5000, ge=2, description="number of observation times")
    burn_in: int = Field(400, ge=0, description="observation times at the beginning that no score counts")

    @model_validator(mode="after")
    def _consistent(self) -> "TwinSettings":
        if self.burn_in >= self.steps:
            raise ValueError(f"burn_in ({self.burn_in}) must be shorter than steps ({self.steps})")
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
    start : Background, optional
        Distribution of the state before the first observation, if it is not the climatology.
    """

    truth: xr.Dataset
    observations: xr.Dataset
    rng: np.random.Generator
    start: Background | None = None


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
    start = beginning(states["state"].values[0], settings, truth_rng.spawn(1)[0])
    return Twin(states, observe(states, observing, observation_rng), analysis_rng, start)
