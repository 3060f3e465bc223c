"""What a run leaves behind, as arrays and as the Dataset of the analysis artifact."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.assimilation.cycling.signatures import Output
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.models.fields import site_coordinates
from assimilearn.periods import TEST

SITE_VARIABLES = {
    "mean": "analysis mean",
    "spread": "analysis standard deviation",
    "forecast_mean": "forecast mean",
    "forecast_spread": "forecast standard deviation",
}
OBSERVATION_VARIABLES = {
    "innovation": "observation minus forecast mean",
    "innovation_std": "standard deviation of the innovation that the method expects",
}
FAR = 50.0  # climatological standard deviations
SERIES = (*SITE_VARIABLES, *OBSERVATION_VARIABLES, "used", "adapted")
NOTHING_KEPT = np.empty((0, 0, 0), dtype=np.float32)


@dataclass
class Record:
    """Series of one run; NaN where nothing was computed.

    Attributes
    ----------
    mean, spread, forecast_mean, forecast_spread : ndarray (time, site), float32
    innovation, innovation_std : ndarray (time, observation), float32
    used : ndarray (time, observation), int8
        1 where the observation entered the analysis.
    adapted : ndarray (time, quantity), float32
        What the run found by itself, in the order of ``quantities``.
    lowest, highest : ndarray (site,)
        Bounds of what is a state.
    quantities : dict of name -> long name
    kept : ndarray (kept time,), int64
        Indices of the times at which the ensemble was kept.
    members, forecast_members : ndarray (kept time, member, site), float32
    diverged : int or None
        Index of the time at which the run was given up.
    reason : str
        Why.
    ignored : int
        Number of values that a method without memory did not use since they cannot be right.
    """

    mean: np.ndarray
    spread: np.ndarray
    forecast_mean: np.ndarray
    forecast_spread: np.ndarray
    innovation: np.ndarray
    innovation_std: np.ndarray
    used: np.ndarray
    adapted: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    quantities: Mapping[str, str] = field(default_factory=dict)
    kept: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    members: np.ndarray | None = None
    forecast_members: np.ndarray | None = None
    diverged: int | None = None
    reason: str = ""
    ignored: int = 0

    def adapts(self, quantities: Mapping[str, str]) -> None:
        """Make room for the series of ``quantities``."""
        self.quantities = quantities
        self.adapted = series(len(self.mean), len(quantities))

    def part(self, here: slice) -> "Record":
        """The record of the times ``here``, to be written in place."""
        series = {name: getattr(self, name)[here] for name in SERIES}
        return Record(**series, lowest=self.lowest, highest=self.highest)

    def output(self, part: "Record", here: slice, keep: np.ndarray) -> Output:
        """Where the cycle writes the times ``here``: the series of ``part``, and the ensembles where ``keep`` is 1."""
        kept = slice(int(keep[: here.start].sum()), int(keep[: here.stop].sum()))
        members = NOTHING_KEPT if self.members is None else self.members[kept]
        forecasts = NOTHING_KEPT if self.forecast_members is None else self.forecast_members[kept]
        return Output(**{name: getattr(part, name) for name in SERIES}, members=members, forecast_members=forecasts)

    def put(self, here: slice, part: "Record") -> None:
        """The times ``here`` are done: nothing is left to do where ``part`` shares memory with the whole."""


def state_bounds(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of every site that counts as a state, each (site,).

    They are 50 climatological standard deviations from the climatological mean: no state of a sound run is a tenth as
    far, and a forecast is lost long before it overflows. Sites that hardly vary count with a tenth of what others do.
    """
    std = np.sqrt(problem.background.variance)
    far = FAR * np.maximum(std, 0.1 * np.sqrt(np.mean(std**2)))
    return problem.background.mean - far, problem.background.mean + far


def series(*shape: int) -> np.ndarray:
    """Single-precision NaN of a shape."""
    return np.full(shape, np.nan, dtype=np.float32)


def empty_record(problem: Problem) -> Record:
    """A record of NaN."""
    in_sites = (problem.times.size, problem.model.size)
    in_observations = problem.value.shape
    lowest, highest = state_bounds(problem)
    return Record(
        mean=series(*in_sites),
        spread=series(*in_sites),
        forecast_mean=series(*in_sites),
        forecast_spread=series(*in_sites),
        innovation=series(*in_observations),
        innovation_std=series(*in_observations),
        used=np.zeros(in_observations, dtype=np.int8),
        adapted=series(problem.times.size, 0),
        lowest=lowest,
        highest=highest,
    )


def kept_times(settings: AnalysisSettings, period: np.ndarray) -> np.ndarray:
    """1 where the ensemble is to be kept, (time,), int64."""
    kept = {"none": np.zeros(period.size, bool), "test": period == TEST, "all": np.ones(period.size, bool)}
    return kept[settings.kept_period].astype(np.int64)


def keep_ensembles(record: Record, kept: np.ndarray, forecast: np.ndarray, analysis: np.ndarray) -> None:
    """Make room for ensembles at the time indices ``kept``, and write those (member, site) of the first time."""
    members = len(analysis)
    record.kept = kept
    record.members = series(kept.size, members, record.mean.shape[1])
    record.forecast_members = series(kept.size, members, record.mean.shape[1])
    if kept[0] == 0:
        record.members[0], record.forecast_members[0] = analysis, forecast


def as_dataset(record: Record, problem: Problem, **attributes: Any) -> xr.Dataset:
    """The analysis artifact."""
    variables: dict[str, Any] = {}
    units = problem.geometry.units
    for name, text in SITE_VARIABLES.items():
        variables[name] = (("time", "site"), getattr(record, name), {"units": units, "long_name": text})
    observed = units if problem.observation.operator.direct else "1"
    for name, text in OBSERVATION_VARIABLES.items():
        variables[name] = (("time", "observation"), getattr(record, name), {"units": observed, "long_name": text})
    for column, (name, text) in enumerate(record.quantities.items()):
        variables[name] = ("time", record.adapted[:, column].copy(), {"units": "1", "long_name": text})
    coordinates = coordinates_of(problem)
    if record.members is not None:
        dims = ("ensemble_time", "member", "site")
        variables["members"] = (dims, record.members, {"units": units, "long_name": "analysis ensemble"})
        variables["forecast_members"] = (
            dims,
            record.forecast_members,
            {"units": units, "long_name": "forecast ensemble"},
        )
        ensemble_time = problem.times[record.kept]
        coordinates["ensemble_time"] = (
            "ensemble_time",
            ensemble_time,
            {"units": "MTU", "long_name": "time of a kept ensemble"},
        )
        member = np.arange(record.members.shape[1])
        coordinates["member"] = ("member", member, {"units": "1", "long_name": "index of the member"})
    return xr.Dataset(variables, coordinates, attributes)


def coordinates_of(problem: Problem) -> dict[str, Any]:
    """The coordinates of every analysis."""
    return {
        "time": ("time", problem.times, {"units": "MTU", "long_name": "time"}),
        "site": ("site", np.arange(problem.model.size), {"units": "1", "long_name": "site index"}),
        **site_coordinates(problem.geometry),
        **problem.clock.coordinates(problem.times),
    }


def described(problem: Problem) -> dict[str, Any]:
    """Attributes about geometry and clock; of several fields ``field_std`` too, their climatological std."""
    geometry, variance = problem.geometry, problem.background.variance
    if len(geometry.fields) == 1:
        return {**geometry.attributes, **problem.clock.attributes}
    return {
        **geometry.attributes,
        **problem.clock.attributes,
        "field_std": [float(np.sqrt(variance[s].mean())) for s in geometry.slices.values()],
    }
