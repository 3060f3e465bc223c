"""What a learned analysis step is to the cycle: two protocols, so that assimilation knows no learner."""

from typing import Protocol

import numpy as np

from assimilearn.assimilation.problem import Problem
from assimilearn.models.protocol import Model

Array = np.ndarray


class AnalysisRun(Protocol):
    """A step at work on one record: it may remember what it has seen.

    Attributes
    ----------
    forecast_variance, analysis_variance : ndarray (site,)
        Error variances that a step of one state states, of the last forecast and the last analysis; those of an
        ensemble are its own, and these are not asked for.
    """

    forecast_variance: Array
    analysis_variance: Array

    def analyse(self, E: Array, Y: Array, y: Array, variance: Array, sites: Array, noise: Array) -> None:
        """Turn the forecast into the analysis.

        Parameters
        ----------
        E : ndarray (member, site)
            The forecast, changed in place.
        Y : ndarray (member, observation)
            What it would observe.
        y, variance : ndarray (observation,)
            Observations and their error variances.
        sites : ndarray (observation,), int64
            Where they are, or rows of the operator's table.
        noise : ndarray (draws,)
            Standard normal numbers.
        """


class AnalysisStep(Protocol):
    """A trained step."""

    @property
    def members(self) -> int:
        """States that it carries; 1 for one without an ensemble."""

    @property
    def draws(self) -> int:
        """Standard normal numbers that it needs at each time."""

    def forecaster(self, model: Model) -> Model:
        """The forecast model: the given one, or that with parameters that were learned together with the step."""

    def begin(self, problem: Problem) -> AnalysisRun:
        """Start on a record.

        Raises
        ------
        SettingsError
            If it cannot be used for states or observations of this kind.
        """
