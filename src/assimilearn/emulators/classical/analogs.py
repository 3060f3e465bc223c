"""Analogs: what followed the states of the record that were most like the present one.

Lorenz (1969), J. Atmos. Sci. 26, 636-646. Lguensat, Tandeo, Ailliot, Pulido & Fablet (2017), Mon. Weather Rev. 145,
4093-4107, section 3b: of the `neighbours` nearest analogs a_k with successors s_k and weights w_k, which fall with the
distance d_k as exp(-d_k^2 / m^2), m being the median of the d_k, the forecast is

    constant       sum_k w_k s_k
    incremental    x + sum_k w_k (s_k - a_k)
    linear         the value at x of the weighted regression of s_k on a_k

Global analogs are whole states. Local ones are stencils of standardised states: each grid point looks for its own,
among those of all points and times, since all points are alike. They are found in a k-d tree.

With `stochastic`, a step adds independent errors to the sites, of the weighted variance of what the analogs leave; that
is also the error that filters take with ``model_error: by_state``.

Cost of a step: a search and, for `linear`, a regression a grid point and member.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.fields import SCALING_SHAPES, field_scaling, field_scaling_from, scaling_problems, view
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry

LOCAL = True
ROWS = 5000  # queries whose analogs are held at once


class AnalogSettings(EmulatorSettings):
    """Forecasts from analogs in the record."""

    compiles: ClassVar[bool] = False
    more: ClassVar[bool] = True

    method: Literal["analogs"] = "analogs"
    forecast: Literal["constant", "incremental", "linear"] = Field(
        "linear", description="mean of what followed, present state plus mean increment, or local regression"
    )
    neighbours: int = Field(40, ge=1, le=10_000, description="number of analogs")
    radius: int | None = Field(
        2,
        ge=0,
        le=100,
        description="grid points of the stencil to either side; null, or without space: the whole state",
    )
    alpha: float = Field(1e-3, ge=0, description="ridge penalty on the slopes, relative to the spread of the analogs")
    entries: int = Field(200_000, ge=1, description="most entries of the catalogue, drawn at random")
    stochastic: bool = Field(False, description="steps draw an error of the variance of what the analogs leave")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where grid points are not alike, so that they share no catalogue."""
        view(geometry, self.radius)


def fit(training: Windows, validation: Windows, settings: AnalogSettings, rng: np.random.Generator) -> Fitted:
    """Keep the catalogue: pairs of the training period, as the function sees them."""
    scaling, seen = field_scaling(training), view(training.geometry, settings.radius)
    analogs = seen.rows(scaling.standardised(training.inputs))
    increments = scaling.increments(training.targets - training.inputs)
    after = scaling.standardised(training.targets) if settings.forecast == "constant" else increments
    successors = seen.targets(after)
    if len(analogs) > settings.entries:
        chosen = np.sort(rng.choice(len(analogs), settings.entries, replace=False))
        analogs, successors = analogs[chosen], successors[chosen]
    texts = {
        "analogs": (("entry", "input"), analogs, "standardised states or stencils"),
        "successors": (("entry", "output"), successors, "standardised states, or increments, that followed"),
    }
    arrays = {name: xr.DataArray(v, dims=d, attrs={"long_name": text}) for name, (d, v, text) in texts.items()}
    return Fitted({**scaling.arrays(), **arrays})


def shapes(settings: AnalogSettings, size: int) -> dict[str, Shape]:
    """The scaling and the catalogue."""
    return {**SCALING_SHAPES, "analogs": ("entry", "input"), "successors": ("entry", "output")}


def problems(weights: Mapping[str, np.ndarray], settings: AnalogSettings) -> list[str]:
    """What is wrong with weights of the right shapes."""
    return scaling_problems(weights) + ([] if len(weights["analogs"]) else ["weight_analogs has no entry"])


class Catalogue:
    """The pairs of the record, and the search in them.

    Raises
    ------
    FileError
        If the catalogue is not that of the geometry.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], settings: AnalogSettings, geometry: Geometry):
        from scipy.spatial import cKDTree

        self.settings, self.seen = settings, view(geometry, settings.radius)
        self.scaling = field_scaling_from(weights, geometry)
        self.analogs, self.successors = weights["analogs"], weights["successors"]
        given = self.analogs.shape[1], self.successors.shape[1]
        if given != (self.seen.inputs.shape[1], self.seen.outputs.shape[1]):
            raise FileError("the weights of this analogs emulator are not those of its settings: analogs, successors")
        self.tree, self.count = cKDTree(self.analogs), min(settings.neighbours, len(self.analogs))

    def forecast(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What follows ``states (row, site)``, and the standard deviation of its error, both (row, site).

        What is not finite is followed by what is not finite.
        """
        settings, scaling = self.settings, self.scaling
        rows = self.seen.rows(scaling.standardised(states))
        after, std = (np.full((len(rows), self.successors.shape[1]), np.nan) for _ in range(2))
        whole = np.flatnonzero(np.isfinite(rows).all(axis=1))
        for part in np.split(whole, range(ROWS, whole.size, ROWS)):
            after[part], std[part] = self._found(rows[part])
        joined, std = self.seen.states(after), self.seen.states(std)
        if settings.forecast == "constant":
            return scaling.unstandardised(joined), std * scaling.std[scaling.field_of]
        return scaling.added(states, joined), std * scaling.increment_std[scaling.field_of]

    def _found(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (row, output) of what followed the analogs of ``rows (row, input)``."""
        distance, index = self.tree.query(rows, k=self.count)
        index = index.reshape(len(rows), self.count)
        weights, after = similarity(distance.reshape(index.shape)), self.successors[index]
        if self.settings.forecast == "linear":
            return regressed(self.analogs[index] - rows[:, None], after, weights, self.settings.alpha)
        mean = np.einsum("qk,qko->qo", weights, after)
        return mean, np.sqrt(np.einsum("qk,qko->qo", weights, (after - mean[:, None]) ** 2))


def more(weights: Mapping[str, np.ndarray], settings: AnalogSettings, geometry: Geometry) -> dict[str, Any]:
    """How many numbers a step draws, and the error of a step."""
    catalogue = Catalogue(weights, settings, geometry)

    def error_std(states: np.ndarray) -> np.ndarray:
        return catalogue.forecast(states.reshape(-1, geometry.size))[1].reshape(states.shape)

    return {"draws": geometry.size if settings.stochastic else 0, "error_std": error_std}


def mapping(
    weights: Mapping[str, np.ndarray], settings: AnalogSettings, geometry: Geometry
) -> Callable[..., np.ndarray]:
    """The step: every member and grid point looks for its analogs."""
    catalogue = Catalogue(weights, settings, geometry)

    def step(states: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        mean, std = catalogue.forecast(states)
        return mean if noise is None else mean + std * noise

    return step


def similarity(distance: np.ndarray) -> np.ndarray:
    """Weights (query, analog), of sum 1, from distances; where the median is 0, only analogs at distance 0 count."""
    median = np.median(distance, axis=1, keepdims=True)
    weights = np.where(median > 0, np.exp(-((distance / np.where(median > 0, median, 1.0)) ** 2)), distance == 0)
    return weights / weights.sum(axis=1, keepdims=True)


def regressed(
    departures: np.ndarray, successors: np.ndarray, weights: np.ndarray, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted regression of ``successors`` on ``departures``: its value at 0, and the rms of what it leaves.

    Parameters
    ----------
    departures : ndarray (query, analog, input)
    successors : ndarray (query, analog, output)
    weights : ndarray (query, analog)
        Of sum 1.
    alpha : float
        Penalty on the slopes, times the mean square of the departures about their mean.

    Returns
    -------
    ndarray (query, output), ndarray (query, output)
    """
    mean_x = np.einsum("qk,qki->qi", weights, departures)
    mean_y = np.einsum("qk,qko->qo", weights, successors)
    X, Y = departures - mean_x[:, None], successors - mean_y[:, None]
    WX = X * weights[..., None]
    covariance = np.swapaxes(WX, 1, 2) @ X
    inputs = X.shape[2]
    spread = np.trace(covariance, axis1=1, axis2=2) / inputs
    covariance[:, range(inputs), range(inputs)] += (alpha * spread + np.finfo(float).tiny)[:, None]
    slopes = np.linalg.solve(covariance, np.swapaxes(WX, 1, 2) @ Y)
    left = np.sqrt(np.einsum("qk,qko->qo", weights, (Y - X @ slopes) ** 2))
    return mean_y - np.einsum("qi,qio->qo", mean_x, slopes), left
