"""What a study says of a file that is brought: names in it, units, errors, cycles to remove, values to withhold."""

from typing import Annotated

from pydantic import Field, field_validator

from assimilearn.observations.dates import duration_of
from assimilearn.observations.seasonal import SeasonalCycle
from assimilearn.observations.withholding import Withholding
from assimilearn.settings import Settings

Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class Names(Settings):
    """What variables or columns of the file are called; by default they are found by their names and CF attributes."""

    time: Text | None = Field(None, description="of the times")
    station: Text | None = Field(None, description="of the names of the stations")
    latitude: Text | None = Field(None, description="of the latitudes, in degrees north")
    longitude: Text | None = Field(None, description="of the longitudes, in degrees east")
    x: Text | None = Field(None, description="of the positions along x, where there is no longitude")
    y: Text | None = Field(None, description="of the positions along y, where there is no latitude")
    error_std: Text | None = Field(None, description="of the standard deviations of the observation error")

    def of(self, what: str) -> str | None:
        """The name that the study gives, or None."""
        found: str | None = getattr(self, what)
        return found


class RecordSettings(Settings):
    """How a file that is brought is to be read."""

    variables: list[Text] | dict[str, Text] = Field(
        [],
        description="variables or columns of the file that are observed, a field of the state each; a mapping gives "
        "them other names; by default the only one that there is",
    )
    names: Names = Field(Names(), description="what else is called how in the file")
    error_std: Positive | dict[str, Positive] | None = Field(
        None,
        description="error standard deviation, instead of that in the file; or one for each field or station, by name",
    )
    time_unit: str | None = Field(
        None, description='length of one MTU, as "6 hours" or "1 month": for times in physical units or with dates'
    )
    time_units: Text | None = Field(
        None, description='units of the times, as "days since 1950-01-01", where the file does not state them'
    )
    every: str | None = Field(
        None,
        description='time from one observation time to the next of a record without a model, as "1 hour"; times that '
        "the file lacks are times without observations; by default the commonest",
    )
    seasonal_cycle: SeasonalCycle | None = Field(
        None, description="cycles of the year and the day that are taken out of the values, and kept beside them"
    )
    withhold: Withholding | None = Field(
        None, description="values of the test period that nothing but verification is given"
    )

    @field_validator("time_unit", "every")
    @classmethod
    def _is_a_duration(cls, value: str | None) -> str | None:
        if value is not None:
            duration_of(value)
        return value

    @property
    def fields(self) -> dict[str, str]:
        """Name of each field -> name of the variable in the file; empty for the only one."""
        if isinstance(self.variables, dict):
            return dict(self.variables)
        return {name: name for name in self.variables}
