"""Standardisation field by field, and what a learner sees of a state: its neighbourhood, or the whole."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry


@dataclass(frozen=True)
class FieldScaling:
    """Numbers that make states and one-step increments of order one, the same for all sites of a field.

    Attributes
    ----------
    mean, std, increment_std : ndarray (field,)
    field_of : ndarray (site,), int64
    """

    mean: np.ndarray
    std: np.ndarray
    increment_std: np.ndarray
    field_of: np.ndarray

    def standardised(self, states: np.ndarray) -> np.ndarray:
        """``states (..., site)`` in units of their standard deviation about their mean."""
        return (states - self.mean[self.field_of]) / self.std[self.field_of]

    def unstandardised(self, z: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`standardised`."""
        return self.mean[self.field_of] + self.std[self.field_of] * z

    def increments(self, increments: np.ndarray) -> np.ndarray:
        """``increments (..., site)`` in units of their root mean square."""
        return increments / self.increment_std[self.field_of]

    def added(self, states: np.ndarray, increments: np.ndarray) -> np.ndarray:
        """``states`` plus standardised ``increments``, both (..., site)."""
        return states + increments * self.increment_std[self.field_of]

    def arrays(self) -> dict[str, xr.DataArray]:
        """The numbers as they are stored with an emulator."""
        names = {
            "mean": "mean of the training states over times and the sites of a field",
            "std": "standard deviation of the training states over times and the sites of a field",
            "increment_std": "root mean square of the one-step increments in training",
        }
        return {n: xr.DataArray(getattr(self, n), dims="field", attrs={"long_name": t}) for n, t in names.items()}


def field_scaling(training: Windows) -> FieldScaling:
    """Scaling from the first two states of the training windows; a constant field scales by 1."""
    increments = training.targets - training.inputs
    slices = training.geometry.slices.values()
    mean = np.array([training.inputs[:, part].mean() for part in slices])
    std = np.array([training.inputs[:, part].std() or 1.0 for part in slices])
    increment_std = np.array([np.sqrt(np.mean(increments[:, part] ** 2)) or 1.0 for part in slices])
    return FieldScaling(mean, std, increment_std, training.geometry.field_of)


SCALING_SHAPES: dict[str, Shape] = {name: ("field",) for name in ("mean", "std", "increment_std")}
"""Of the weights that :meth:`FieldScaling.arrays` gives."""


def scaling_problems(weights: Mapping[str, np.ndarray]) -> list[str]:
    """Standard deviations in a file by which nothing can be divided."""
    wrong = [name for name in ("std", "increment_std") if not (weights[name] > 0).all()]
    return [f"weight_{name} is not above 0 everywhere" for name in wrong]


def field_scaling_from(weights: Mapping[str, np.ndarray], geometry: Geometry) -> FieldScaling:
    """The scaling that is stored with the weights of an emulator.

    Raises
    ------
    FileError
        If it is that of another number of fields.
    """
    if weights["mean"].size != len(geometry.fields):
        raise FileError(f"the emulator has {weights['mean'].size} fields, its geometry {len(geometry.fields)}")
    return FieldScaling(weights["mean"], weights["std"], weights["increment_std"], geometry.field_of)


def places(geometry: Geometry) -> np.ndarray:
    """Where the grid points are, as inputs of order one, (point, input): sine and cosine along a periodic axis.

    Raises
    ------
    SettingsError
        If the fields do not share a grid.
    """
    if not geometry.on_grid or len({field.shape for field in geometry.fields}) > 1:
        raise SettingsError("position: the fields of this model do not share a grid, so that points have no position")
    columns = []
    for axis, x in zip(geometry.axes, geometry.grid_coordinates(geometry.fields[0].shape).T, strict=True):
        part = (x - axis.origin) / axis.length
        columns += [np.sin(2 * np.pi * part), np.cos(2 * np.pi * part)] if axis.periodic else [2 * part - 1]
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class View:
    """What one function sees of a state, and what it gives: at every grid point or block, or once for the whole state.

    Attributes
    ----------
    inputs : ndarray (point, input), int64
        Sites that the function sees; -1 beyond the end of a bounded axis, where standardised states count as 0.
    outputs : ndarray (point, output), int64
        Sites that it gives; together all sites, each once.
    """

    inputs: np.ndarray
    outputs: np.ndarray

    def rows(self, states: np.ndarray) -> np.ndarray:
        """Inputs (row * point, input) from standardised ``states (row, site)``."""
        if (self.inputs < 0).any():
            states = np.concatenate([states, np.zeros((len(states), 1))], axis=1)
        return states[:, self.inputs].reshape(-1, self.inputs.shape[1])

    def targets(self, states: np.ndarray) -> np.ndarray:
        """Outputs (row * point, output) from ``states (row, site)``."""
        return states[:, self.outputs].reshape(-1, self.outputs.shape[1])

    def states(self, outputs: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`targets`: states (row, site)."""
        found = np.empty((outputs.size // self.outputs.size, self.outputs.size))
        found[:, self.outputs] = outputs.reshape(len(found), *self.outputs.shape)
        return found


def view(geometry: Geometry, radius: int | None, block: int = 1, shared: bool = True) -> View:
    """The stencil of every grid point up to ``radius`` points away; the whole state for None, or without space.

    Parameters
    ----------
    geometry : Geometry
    radius : int or None
    block : int
        Grid points along each axis that one function gives together.
    shared : bool
        Whether the function is the same at all points, which must then be alike.

    Raises
    ------
    SettingsError
        If the points are not alike, the stencil is wider than an axis, or an axis is not made of whole blocks.
    """
    if radius is None or not geometry.has_space:
        everything = np.arange(geometry.size)[None]
        return View(everything, everything)
    if shared and not geometry.homogeneous:
        raise SettingsError(
            "one function of a stencil (setting `radius`) needs grid points that are alike, and those of this model "
            "are not: set `radius: null`, for one function of the whole state"
        )
    return View(geometry.stencil(radius, block), geometry.stencil(0, block))
