"""Published numbers, and whether a measured one agrees with them."""

import math
from typing import Literal

from pydantic import Field, model_validator

from assimilearn.settings import Settings


class Claim(Settings):
    """A published number that a row of the scorecard, which a study names, is held against."""

    published: float = Field(description="the published number; the lower one for the relation between")
    upper: float | None = Field(None, description="the upper number, for the relation between")
    tolerance: float = Field(0.0, ge=0, description="how far beyond the published number a value still passes")
    relation: Literal["equal", "at_most", "at_least", "between"] = Field(
        "equal", description="what the value must be, up to the tolerance, with respect to the published number"
    )
    source: str = Field(min_length=1, description="where the number is published")

    @model_validator(mode="after")
    def _consistent(self) -> "Claim":
        if (self.relation == "between") != (self.upper is not None):
            raise ValueError("upper is needed for the relation between, and for no other")
        if self.upper is not None and self.upper < self.published:
            raise ValueError("upper must not be below published")
        return self

    def holds(self, value: float) -> bool:
        """Whether ``value`` agrees; NaN agrees with nothing."""
        if math.isnan(value):
            return False
        low = -math.inf if self.relation == "at_most" else self.published - self.tolerance
        highest = self.published if self.upper is None else self.upper
        high = math.inf if self.relation == "at_least" else highest + self.tolerance
        return low <= value <= high
