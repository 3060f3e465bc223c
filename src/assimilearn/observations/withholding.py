"""Values of a record that are kept from everything that learns or assimilates, to verify against: its own test.

They are of the test period alone: the training period tells what is known of a station, its climatology among it.
"""

import numpy as np
from pydantic import Field, model_validator

from assimilearn.settings import Settings


class Withholding(Settings):
    """What is withheld in the test period."""

    stations: list[str] = Field([], description="names of stations that are withheld at all times of the test period")
    stations_share: float = Field(0.0, ge=0, lt=1, description="share of stations that are withheld, drawn at random")
    times: float = Field(0.0, ge=0, lt=1, description="share of times at which every station is withheld, at random")
    values: float = Field(0.0, ge=0, lt=1, description="share of single values that are withheld, at random")

    @model_validator(mode="after")
    def _something(self) -> "Withholding":
        if not self.stations and not any((self.stations_share, self.times, self.values)):
            raise ValueError("stations: name what is withheld: stations, stations_share, times or values")
        return self


def withheld(
    settings: Withholding, test: np.ndarray, station: np.ndarray, names: tuple[str, ...], rng: np.random.Generator
) -> np.ndarray:
    """Which entries are withheld, bool (time, site).

    Parameters
    ----------
    settings : Withholding
    test : ndarray (time,), bool
        Times of the test period.
    station : ndarray (site,), int64
        Number of the station of each site.
    names : of the stations
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If there is no such station, or none would be left.
    """
    unknown = [name for name in settings.stations if name not in names]
    if unknown:
        raise ValueError(f"there is no station {', '.join(unknown)}; there are {', '.join(names)}")
    drawn = rng.permutation(len(names))[: round(settings.stations_share * len(names))]
    gone = np.isin(np.arange(len(names)), drawn) | np.isin(np.array(names), settings.stations)
    if gone.all():
        raise ValueError("every station would be withheld: leave one or more to assimilate")
    found = np.broadcast_to(gone[station], (test.size, station.size)).copy()
    found |= (rng.random(test.size) < settings.times)[:, None]
    found |= rng.random(found.shape) < settings.values
    return found & test[:, None]
