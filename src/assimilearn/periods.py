"""Contiguous train / gap / validation / gap / test periods, carried as a coordinate of every file in time.

A time series must never be split at random: neighbouring states are nearly equal, so a random test set is known
already. The gaps, longer than the decorrelation time, keep the three periods independent.
"""

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.settings import Settings

GAP, TRAIN, VALIDATION, TEST = 0, 1, 2, 3
FLAGS = {"gap": GAP, "train": TRAIN, "validation": VALIDATION, "test": TEST}


class Periods(Settings):
    """Lengths of the periods, in analysis times (one per observation time)."""

    spinup: int = Field(100, ge=0, description="analysis times before training, left to the filters' spin-up")
    train: int = Field(5000, ge=1, description="analysis times of the training period")
    gap: int = Field(100, ge=0, description="analysis times left out between two periods")
    validation: int = Field(1000, ge=0, description="analysis times of the validation period")
    test: int = Field(2000, ge=1, description="analysis times of the test period")

    @property
    def total(self) -> int:
        """Number of analysis times in all."""
        return self.spinup + self.train + self.gap + self.validation + self.gap + self.test


def period_flags(periods: Periods) -> np.ndarray:
    """The flag of every analysis time, (time,), int8."""
    lengths = [periods.spinup, periods.train, periods.gap, periods.validation, periods.gap, periods.test]
    return np.repeat(np.array([GAP, TRAIN, GAP, VALIDATION, GAP, TEST], dtype=np.int8), lengths)


def with_periods(dataset: xr.Dataset, flags: np.ndarray) -> xr.Dataset:
    """``dataset`` with the coordinate ``period`` along ``time``."""
    attributes = {
        "long_name": "period of the study",
        "flag_values": np.array(list(FLAGS.values()), dtype=np.int8),
        "flag_meanings": " ".join(FLAGS),
    }
    return dataset.assign_coords(period=("time", flags.astype(np.int8), attributes))


def select_period(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """The part of ``dataset`` in one period: "train", "validation", "test" or "gap".

    Raises
    ------
    ValueError
        If the name is unknown or the period is empty.
    """
    if name not in FLAGS:
        raise ValueError(f"no period is called {name!r}; there are {', '.join(FLAGS)}")
    chosen = dataset.isel(time=np.flatnonzero(dataset["period"].values == FLAGS[name]))
    if chosen.sizes["time"] == 0:
        raise ValueError(f"the {name} period is empty: give it a length under `periods`")
    return chosen
