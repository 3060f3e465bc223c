"""What single observations show of the fields: where they stand, which field, which value."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from assimilearn.figures.inputs import FigureError, Group, trouble
from assimilearn.models.geometry import Geometry
from assimilearn.observations.operators import ATTRIBUTE
from assimilearn.observations.seasonal import VARIABLE as CYCLE

TOLERANCE = 1e-6  # MTU: two clocks that differ by less show the same time


class Points(NamedTuple):
    """Observations of one field at one time.

    Attributes
    ----------
    places : ndarray (observation, axis)
        Coordinates, in the units of the axes.
    entries : ndarray (observation,)
        Their numbers among the observations of that time.
    """

    places: np.ndarray
    entries: np.ndarray


def at_times(figure: str, dataset: xr.Dataset, times: np.ndarray, what: str) -> xr.Dataset:
    """``dataset`` at ``times``, which it must have to within ``TOLERANCE``.

    Raises
    ------
    FigureError
        If it does not have them.
    """
    try:
        return dataset.sel(time=times, method="nearest", tolerance=TOLERANCE)
    except KeyError as error:
        raise FigureError(f"the figure {figure!r} needs {what} at the times of the analysis, which it lacks") from error


def with_cycle(dataset: xr.Dataset, observations: xr.Dataset, name: str) -> xr.Dataset:
    """``dataset`` with the cycle that was taken out of a record put back to ``name``, (time, site) or observed values.

    As it is where no cycle was taken out.
    """
    if CYCLE not in observations:
        return dataset
    cycle = at_times("of a record", observations, dataset["time"].values, "the observations")[CYCLE].values
    if dataset[name].dims[-1] == "observation":
        cycle = np.take_along_axis(cycle, dataset["site_index"].values.astype(int), axis=1)
    return dataset.assign({name: (dataset[name].dims, dataset[name].values + cycle, dataset[name].attrs)})


def of_states(observations: xr.Dataset) -> np.ndarray:
    """Which observations are there and have the units of the state, (time, observation); not functions of it."""
    valid = observations["valid"].values.astype(bool)
    if ATTRIBUTE in observations.attrs:
        return np.zeros_like(valid)
    return valid & (observations["function"].values == 0) if "function" in observations else valid


def points(observations: xr.Dataset, geometry: Geometry, field: str) -> Points:
    """The observations of one field, of one time of a file."""
    site = observations["site_index"].values
    where = geometry.slices[field]
    entries = np.flatnonzero(of_states(observations) & (site >= where.start) & (site < where.stop))
    axes = [axis.name for axis in geometry.axes]
    if all(name in observations for name in axes):
        return Points(np.stack([observations[name].values[entries] for name in axes], axis=-1), entries)
    return Points(geometry.coordinates[site[entries]], entries)


def closest(analyses: Group) -> str:
    """The name of the analysis with the smallest innovations, of those that are sound where there are any."""
    sound = {name: analysis for name, analysis in analyses.items() if trouble(analysis) is None} or dict(analyses)
    return min(sound, key=lambda name: _size(sound[name]))


def _size(analysis: xr.Dataset) -> float:
    """Root of the mean of the squared innovations; infinite where there are none."""
    innovation = analysis["innovation"].values.astype(float)
    known = innovation[np.isfinite(innovation)]
    return float(np.sqrt((known**2).mean())) if known.size else float("inf")
