"""Assimilation from file to file, in memory that does not grow with the length of the run.

For the filters whose whole state is their ensemble. Observations are read, and series written, as the cycle comes to
them; the numbers are those of :func:`assimilearn.assimilation.assimilate`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from assimilearn import store
from assimilearn.assimilation.background.climatology import Background
from assimilearn.assimilation.cycling.adaptive import quantities
from assimilearn.assimilation.cycling.biases import with_biases
from assimilearn.assimilation.cycling.divergence import guarded, innovation_sums, lost, outcome
from assimilearn.assimilation.cycling.filtering import LARGEST_CHUNK
from assimilearn.assimilation.cycling.record import (
    OBSERVATION_VARIABLES,
    SITE_VARIABLES,
    Record,
    coordinates_of,
    described,
    series,
    state_bounds,
)
from assimilearn.assimilation.methods.named import run_of
from assimilearn.assimilation.problem import Problem, entries, laid_out, refuse_misfit
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.models.protocol import Model
from assimilearn.observations.checks import check_observations, entry_problems, layout_problems, refuse, time_problems
from assimilearn.periods import with_periods

LARGE = 5 * LARGEST_CHUNK  # times and sites from which on a run is streamed: in memory it would take 0.7 GB
NONE_VALID = ["there is not a single valid observation"]
REJECTED = {"units": "1", "long_name": "1 where the background check rejected a valid observation"}


def is_streamed(observations: xr.Dataset, model: Model, settings: AnalysisSettings, large: int = LARGE) -> bool:
    """Whether a run is so long, or its state so large, that it should be streamed, and can be."""
    return (
        settings.kept_period == "none" and settings.streams and observations.sizes.get("time", 0) * model.size > large
    )


def assimilate_to_file(
    observations: xr.Dataset,
    model: Model,
    settings: AnalysisSettings,
    climatology_file: xr.Dataset,
    rng: np.random.Generator,
    path: Path,
    start: Background | None = None,
    /,
    **provenance: Any,
) -> None:
    """As :func:`assimilearn.assimilation.assimilate`, written to ``path`` bit by bit.

    Parameters
    ----------
    observations : Dataset
        From :func:`assimilearn.store.opened`: its values are read when they are needed.
    path, provenance : as for :func:`assimilearn.store.write`
    start : Background, optional
        As for :func:`assimilearn.assimilation.assimilate`.

    Raises
    ------
    FileError, SettingsError
        As :func:`assimilearn.assimilation.assimilate`, before anything is computed.
    """
    check_in_parts(observations, model.size)
    read = Reader(observations)
    problem = laid_out(observations, model, climatology_file, *(Entries(read, k) for k in range(4)))
    problem = replace(problem, start=start)
    refuse_misfit(problem, settings)
    around = with_periods(xr.Dataset(coords=coordinates_of(problem)), problem.period)
    with store.stream(around, declared(with_biases(problem, settings), settings), path, **provenance) as (
        targets,
        found,
    ):
        record = StreamedRecord(problem, targets)
        run_rng, _ = rng.spawn(2)
        guarded(run_of(settings), replace(problem, new_record=lambda _: record), settings, run_rng)
        record.fill()
        found |= {"method": settings.method, **outcome(record, problem, lost(record.sums)), **described(problem)}


def declared(problem: Problem, settings: AnalysisSettings) -> dict[str, store.Series]:
    """The series of the analysis file."""
    n, (times, p) = problem.model.size, problem.value.shape
    single = np.dtype(np.float32)
    variables = {
        name: store.Series(("time", dim), (times, width), single, {"units": "1", "long_name": text})
        for group, dim, width in ((SITE_VARIABLES, "site", n), (OBSERVATION_VARIABLES, "observation", p))
        for name, text in group.items()
    }
    for name, text in quantities(settings, problem).items():
        variables[name] = store.Series(("time",), (times,), single, {"units": "1", "long_name": text})
    if settings.rejects_beyond is not None:
        variables["rejected"] = store.Series(("time", "observation"), (times, p), np.dtype(np.int8), REJECTED)
    return variables


class Reader:
    """Reads the observations of some times at once, and keeps those of the last request."""

    def __init__(self, observations: xr.Dataset):
        self.observations, self.last = observations, slice(0)
        self.found = entries(observations.isel(time=self.last))

    def __call__(self, here: slice) -> tuple[np.ndarray, ...]:
        """Values, variances, sites and validity of the times ``here``."""
        if here != self.last:
            self.last, self.found = here, entries(self.observations.isel(time=here))
        return self.found


class Entries:
    """One of the four arrays (time, observation) of a Problem, read when it is indexed."""

    def __init__(self, read: Reader, which: int):
        self.read, self.which = read, which
        self.shape = (read.observations.sizes["time"], read.observations.sizes["observation"])

    def __getitem__(self, key: Any) -> np.ndarray:
        time, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(time, slice):
            return self.read(time)[self.which][(slice(None), *rest)]
        return self.read(slice(time, time + 1))[self.which][(0, *rest)]


class StreamedRecord(Record):
    """A record of which only the times under way are in memory."""

    def __init__(self, problem: Problem, targets: Any):
        empty = np.empty((0, 0))
        super().__init__(empty, empty, empty, empty, empty, empty, empty, empty, *state_bounds(problem))
        self.problem, self.targets, self.done = problem, targets, 0
        self.sums = np.zeros((4, problem.times.size))

    def adapts(self, quantities: Mapping[str, str]) -> None:
        """The series of ``quantities`` are written as the cycle comes to them."""
        self.quantities = quantities

    def part(self, here: slice) -> Record:
        """Empty series for the times ``here``."""
        times, n, p = here.stop - here.start, self.problem.model.size, self.problem.value.shape[1]
        mean, spread, forecast_mean, forecast_spread = (series(times, n) for _ in range(4))
        innovation, innovation_std = series(times, p), series(times, p)
        used = np.zeros((times, p), dtype=np.int8)
        adapted = series(times, len(self.quantities))
        bounds = self.lowest, self.highest
        return Record(mean, spread, forecast_mean, forecast_spread, innovation, innovation_std, used, adapted, *bounds)

    def put(self, here: slice, part: Record) -> None:
        """Write the times ``here``."""
        for name, target in self.targets.items():
            if name == "rejected":
                target[here] = ((self.problem.valid[here] != 0) & (part.used == 0)).astype(np.int8)
            elif name in self.quantities:
                target[here] = part.adapted[:, list(self.quantities).index(name)]
            else:
                target[here] = getattr(part, name)
        self.sums[:, here] = innovation_sums(part.innovation, part.innovation_std, self.problem, here)
        self.done = here.stop

    def fill(self) -> None:
        """Write the times that a diverged run did not come to."""
        rows = rows_at_once(self.problem.model.size)
        for first in range(self.done, self.problem.times.size, rows):
            here = slice(first, min(first + rows, self.problem.times.size))
            self.put(here, self.part(here))


def check_in_parts(observations: xr.Dataset, size: int) -> None:
    """:func:`assimilearn.observations.checks.check_observations`, on some times after the others."""
    problems = layout_problems(observations)
    if not problems:
        problems = time_problems(observations["time"].values, None)
    refuse(problems, "observations")
    rows, any_valid = rows_at_once(observations.sizes["observation"]), False
    for first in range(0, observations.sizes["time"], rows):
        part = observations.isel(time=slice(first, first + rows)).load()
        if (part["valid"].values == 1).any() or entry_problems(part, size)[:1] != NONE_VALID:
            check_observations(part, size)
            any_valid = True
    if not any_valid:
        refuse(NONE_VALID, "observations")


def rows_at_once(width: int) -> int:
    """Times of which a part holds all values."""
    return max(1, LARGEST_CHUNK // width)
