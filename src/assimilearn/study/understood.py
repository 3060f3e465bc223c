"""What `check` understood of a record: its times, gaps, sites, values, and what is withheld of it."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.observations.dates import clock_of
from assimilearn.observations.seasonal import VARIABLE as CYCLE
from assimilearn.periods import FLAGS

MOST = 12  # stations that are listed each on its own


def understood(observations: xr.Dataset, withheld: xr.Dataset | None) -> Iterator[str]:
    """Lines for a reader.

    Parameters
    ----------
    observations : Dataset
        Of the verb ``ingest``.
    withheld : Dataset or None
        What it withholds.
    """
    geometry, clock = geometry_of(observations.attrs), clock_of(observations.attrs)
    times, valid = observations["time"].values, observations["valid"].values == 1
    ends = [f"{t:g} MTU" if clock.reference is None else str(clock.dates(np.array([t]))[0]) for t in times[[0, -1]]]
    spacing = observations.attrs.get("interval")
    apart = "unequally spaced" if spacing is None else f"{spacing:g} MTU apart"
    unit = clock.label if clock.label[0].isdigit() else f"1 {clock.label}"
    dated = f"; calendar {clock.calendar}, 1 MTU is {unit}" if clock.reference is not None else ""
    yield f"{times.size} times from {ends[0]} to {ends[1]}, {apart}{dated}"
    yield f"{geometry.size} sites: {where(geometry)}"
    dense = np.full((times.size, geometry.size), np.nan)
    row, column = np.nonzero(valid)
    dense[row, observations["site_index"].values[row, column]] = observations["value"].values[row, column]
    if CYCLE in observations:
        dense = dense + observations[CYCLE].values
    empty = ~valid.any(axis=1)
    share, without = 1 - valid.sum() / dense.size, np.count_nonzero(empty)
    yield f"{valid.sum()} values, {share:.1%} of all missing; {without} times without any, {longest(empty)} in a row"
    for name, sites in geometry.slices.items():
        units = geometry.fields[geometry.names.index(name)].units
        yield f"{name}{'' if units == '1' else f' ({units})'}: {described(dense[:, sites])}"
        if geometry.stations is not None and len(geometry.stations.names) <= MOST:
            for station, values in zip(geometry.stations.names, dense[:, sites].T, strict=True):
                yield f"  {station}: {described(values)}, longest gap {longest(np.isnan(values))} times"
    for name, flag in FLAGS.items():
        if name != "gap":
            there = observations["period"].values == flag
            yield f"{name}: {np.count_nonzero(there)} times, {np.count_nonzero(valid[there])} values"
    if withheld is not None:
        yield f"withheld: {int((withheld['valid'].values == 1).sum())} values of the test period"


def where(geometry: Geometry) -> str:
    """The sites in words."""
    fields = ", ".join(geometry.names)
    if geometry.on_grid:
        shape = " x ".join(map(str, geometry.fields[0].shape))
        axes = " x ".join(f"{axis.name} {axis.origin:g} to {axis.origin + axis.length:g}" for axis in geometry.axes)
        return f"{fields} on a grid of {shape} points, {axes}"
    count = geometry.fields[0].size
    ends = ", ".join(f"{axis.name} {axis.origin:g} to {axis.origin + axis.length:g}" for axis in geometry.axes)
    return f"{fields} at {count} station{'s' if count > 1 else ''}, {ends or 'without positions'}"


def described(values: np.ndarray) -> str:
    """Count, range and mean of values with NaN."""
    known = values[np.isfinite(values)]
    if not known.size:
        return "no value"
    return f"{known.size} values from {known.min():.4g} to {known.max():.4g}, mean {known.mean():.4g}"


def longest(missing: np.ndarray) -> int:
    """The most successive entries that are True."""
    ends = np.flatnonzero(np.diff(np.concatenate([[False], missing, [False]]).astype(int)))
    return int(np.diff(ends)[::2].max(initial=0))
