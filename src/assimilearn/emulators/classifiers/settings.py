"""What the settings of every classifier share."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from pydantic import Field

from assimilearn.emulators.classifiers.events import EventSettings
from assimilearn.models.geometry import Geometry
from assimilearn.settings import Settings

Probability: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""``probability(states (row, site)) -> (row, point, category)``, of sum 1 over the categories."""


class Labelled(NamedTuple):
    """States and what followed them: ``states (row, site)``, ``labels (row, point)``."""

    states: np.ndarray
    labels: np.ndarray


class ClassifierSettings(Settings):
    """Settings of any classifier."""

    method: str
    event: EventSettings = Field(EventSettings(), description="the categories")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if there is no such field."""
        self.event.field_number(geometry)
