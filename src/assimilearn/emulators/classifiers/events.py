"""What is to happen: categories of a variable at a lead, or of its largest value up to it."""

import numpy as np
from pydantic import Field, model_validator

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.settings import Settings


class EventSettings(Settings):
    """Categories of what follows a state; by default terciles: below, near and above normal."""

    field: str | None = Field(None, description="the variable; null: the first of the model")
    thresholds: tuple[float, ...] | None = Field(
        None, description="values that separate the categories, rising; null: the `quantiles`"
    )
    quantiles: tuple[float, ...] = Field(
        (1 / 3, 2 / 3),
        description="the same as quantiles of the training analyses: one makes an event, two make terciles",
    )
    lead: int = Field(4, ge=1, description="analysis times ahead")
    within: bool = Field(False, description="the largest value up to the lead counts, not the one at it")

    @model_validator(mode="after")
    def _rise(self) -> "EventSettings":
        for name, values in (("thresholds", self.thresholds), ("quantiles", self.quantiles)):
            if values is not None and (not values or sorted(set(values)) != list(values)):
                raise ValueError(f"{name}: one value or more, rising")
        if min(self.quantiles) <= 0 or max(self.quantiles) >= 1:
            raise ValueError("quantiles: must lie between 0 and 1")
        return self

    @property
    def categories(self) -> int:
        """Number of categories: one more than values that separate them."""
        return 1 + len(self.quantiles if self.thresholds is None else self.thresholds)

    def field_number(self, geometry: Geometry) -> int:
        """Number of the field.

        Raises
        ------
        SettingsError
            If there is no such field.
        """
        if self.field is not None and self.field not in geometry.names:
            raise SettingsError(f"event.field: there is no field {self.field!r}; there are {', '.join(geometry.names)}")
        return 0 if self.field is None else list(geometry.names).index(self.field)

    def sites(self, geometry: Geometry) -> np.ndarray:
        """Sites of the field, (point,)."""
        return np.flatnonzero(geometry.field_of == self.field_number(geometry))

    def boundaries(self, states: np.ndarray, geometry: Geometry) -> np.ndarray:
        """Values that separate the categories, (category - 1,), given training ``states (time, site)``."""
        if self.thresholds is not None:
            return np.array(self.thresholds)
        return np.quantile(states[:, self.sites(geometry)], self.quantiles)

    def labels(self, states: np.ndarray, boundaries: np.ndarray, geometry: Geometry) -> np.ndarray:
        """Category, (window, point), of what follows the first of successive ``states (window, lead + 1, site)``."""
        after = states[:, 1:, self.sites(geometry)]
        return np.searchsorted(boundaries, after.max(axis=1) if self.within else after[:, -1], side="left")
