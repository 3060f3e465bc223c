"""Statistics of the free run of a large model: one pass, in memory that does not grow with its length, nothing n x n.

Of n sites and K kept states it holds K n numbers, those of a segment of the power spectrum, and, of a homogeneous
model, one covariance for each offset of two grid points and each pair of fields.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.models.fields import field_means, field_scales
from assimilearn.models.geometry import Geometry
from assimilearn.models.integrate import advance
from assimilearn.models.protocol import Model

VALUES = 5_000_000  # of the states that densities are taken from, where the settings do not say how many are kept


@dataclass
class Statistics:
    """What one pass over a free run leaves.

    Attributes
    ----------
    moments : Dataset with ``mean(site)`` and ``std(site)``, and what there is of covariances
    states : ndarray (state, site)
        Equally spaced in time.
    spectra : {field: ndarray (frequency,)}
        One-sided power spectral densities in time, mean over the sites of a field.
    last : ndarray (site,)
        The last state.
    """

    moments: xr.Dataset
    states: np.ndarray
    spectra: dict[str, np.ndarray]
    last: np.ndarray


def one_pass(
    model: Model,
    start: np.ndarray,
    steps: int,
    samples: int,
    states: int,
    homogeneous: bool,
    geometry: Geometry,
    rng: np.random.Generator,
) -> Statistics:
    """Run ``model`` for ``steps`` steps from ``start (site + memory,)``.

    Parameters
    ----------
    samples : int
        Steps of a segment of the power spectrum.
    states : int
        How many states are kept; 0 for as many as densities need.
    homogeneous : bool
        Whether all grid points are alike: moments are pooled over the points of a field, and the covariance of two
        sites depends on their fields and on their offset alone.
    rng : numpy.random.Generator
        Of a stochastic model.
    """
    first = start[: model.size]
    count = states or max(2, min(steps + 1, VALUES // model.size))
    kept, when = np.empty((count, model.size)), 1 + (np.arange(count) + 1) * steps // count
    moments, welch = Moments(first), Welch(samples, model.time_step, geometry)
    offsets = Offsets(first, geometry) if homogeneous else None
    last, filled = first, 0
    for number, last in enumerate(run(model, start, steps, rng), start=1):
        moments.add(last)
        welch.add(last)
        if offsets is not None:
            offsets.add(last)
        while filled < count and when[filled] == number:
            kept[filled] = last
            filled += 1
    found = pooled(moments.of_sites(), geometry) if homogeneous else moments.of_sites()
    if offsets is not None:
        found = found.assign(offsets.covariance())
    return Statistics(found, kept, welch.spectra(), last)


def run(model: Model, start: np.ndarray, steps: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The start (site + memory,), and after each step the sites of the state."""
    state = np.asarray(start, dtype=float)
    yield state[: model.size]
    for _ in range(steps):
        state = advance(model, state, 1, rng)
        yield state[: model.size]


class Moments:
    """Running sums of the difference from a first state, and of its square."""

    def __init__(self, first: np.ndarray):
        self.first, self.count = first, 0
        self.total, self.squares = np.zeros((2, first.size))

    def add(self, state: np.ndarray) -> None:
        """Count one more state."""
        apart = state - self.first
        self.total += apart
        self.squares += apart**2
        self.count += 1

    def of_sites(self) -> xr.Dataset:
        """Mean and standard deviation of every site, with divisor time."""
        mean = self.total / self.count
        variance = np.maximum(self.squares / self.count - mean**2, 0.0)
        return mean_and_std(self.first + mean, np.sqrt(variance))


def pooled(moments: xr.Dataset, geometry: Geometry) -> xr.Dataset:
    """``mean`` and ``std`` (site) of every field, the same at all of its sites."""
    mean, std = moments["mean"].values.copy(), moments["std"].values.copy()
    for where in geometry.slices.values():
        variance = np.mean(std[where] ** 2) + mean[where].var()
        mean[where], std[where] = mean[where].mean(), np.sqrt(variance)
    return mean_and_std(mean, std)


class Offsets:
    """Running covariances of two sites by their fields and their offset, from products of Fourier transforms."""

    def __init__(self, first: np.ndarray, geometry: Geometry):
        self.geometry, self.shape = geometry, tuple(geometry.fields[0].shape)
        self.axes = tuple(range(-len(self.shape), 0))
        self.count, fields = 0, len(geometry.fields)
        self.around = first.reshape(fields, -1).mean(axis=1)
        self.total = np.zeros(fields)
        half = (*self.shape[:-1], self.shape[-1] // 2 + 1)
        self.products = np.zeros((fields, fields, *half), dtype=complex)

    def add(self, state: np.ndarray) -> None:
        """Count one more state."""
        apart = state.reshape(len(self.around), -1) - self.around[:, None]
        self.total += apart.mean(axis=1)
        waves = np.fft.rfftn(apart.reshape(len(self.around), *self.shape), axes=self.axes)
        for one, wave in enumerate(waves):
            self.products[one] += np.conj(wave) * waves
        self.count += 1

    def covariance(self) -> xr.Dataset:
        """``covariance_at(distance)`` of one field on a ring, else ``covariance_at_offset``."""
        mean, points = self.total / self.count, int(np.prod(self.shape))
        found = np.fft.irfftn(self.products, self.shape, axes=self.axes) / (points * self.count)
        found = found.reshape(len(mean), len(mean), points) - np.multiply.outer(mean, mean)[:, :, None]
        attributes = {"units": "1", "long_name": "climatological covariance of two sites"}
        if self.geometry.is_ring:
            distance = np.arange(points // 2 + 1)
            at = ("distance", distance, {"units": "1", "long_name": "sites apart"})
            return xr.Dataset({"covariance_at": ("distance", found[0, 0, distance], attributes)}, {"distance": at})
        attributes["long_name"] = "climatological covariance of one field and of another at an offset in grid points"
        return xr.Dataset({"covariance_at_offset": (("one_field", "other_field", "offset"), found, attributes)})


@dataclass
class Welch:
    """Running power spectra in time: Hann windows, half overlapping, the mean of each removed; Welch (1967).

    Parameters
    ----------
    samples : states of a segment
    time_step : MTU between two states
    geometry : its fields have spectra of their own
    """

    samples: int
    time_step: float
    geometry: Geometry
    segment: np.ndarray = field(init=False)
    total: np.ndarray = field(init=False)
    filled: int = 0
    segments: int = 0

    def __post_init__(self) -> None:
        self.segment = np.empty((self.samples, self.geometry.size))
        self.total = np.zeros((len(self.geometry.fields), self.samples // 2 + 1))

    def add(self, state: np.ndarray) -> None:
        """Count one more state."""
        self.segment[self.filled] = state
        self.filled += 1
        if self.filled == self.samples:
            window = hann(self.samples)[:, None]
            for number, where in enumerate(self.geometry.slices.values()):
                for first in range(where.start, where.stop, 4096):  # sites at once: bounds the memory of the transform
                    part = self.segment[:, first : min(first + 4096, where.stop)]
                    waves = np.fft.rfft((part - part.mean(axis=0)) * window, axis=0)
                    power = (waves.real**2 + waves.imag**2).sum(axis=1)
                    self.total[number] += power / (where.stop - where.start)
            self.segments += 1
            half = self.samples - self.samples // 2
            self.segment[: self.samples - half] = self.segment[half:].copy()
            self.filled = self.samples - half

    def spectra(self) -> dict[str, np.ndarray]:
        """One-sided densities (frequency,) of the fields."""
        scaled = self.total * self.time_step / (self.segments * np.sum(hann(self.samples) ** 2))
        scaled[:, 1 : (self.samples + 1) // 2] *= 2
        return dict(zip(self.geometry.names, scaled, strict=True))


def hann(samples: int) -> np.ndarray:
    """The periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples))


def mean_and_std(mean: np.ndarray, std: np.ndarray) -> xr.Dataset:
    """The two, each (site,), as a Dataset."""
    return xr.Dataset(
        {
            "mean": ("site", mean, {"units": "1", "long_name": "climatological mean"}),
            "std": ("site", std, {"units": "1", "long_name": "climatological std"}),
        },
        {"site": ("site", np.arange(mean.size), {"units": "1", "long_name": "site index"})},
    )


def standardised(states: np.ndarray, moments: xr.Dataset, geometry: Geometry) -> np.ndarray:
    """``states (..., site)`` less the mean of their field and divided by its standard deviation."""
    return (states - field_means(moments, geometry)) / field_scales(moments, geometry)


def together(spectra: dict[str, np.ndarray], moments: xr.Dataset, geometry: Geometry) -> np.ndarray:
    """Spectrum of the standardised values of all fields, mean over sites."""
    scales: Any = field_scales(moments, geometry)
    parts = [spectra[f.name] * f.size / scales[geometry.slices[f.name].start] ** 2 for f in geometry.fields]
    return np.asarray(np.sum(parts, axis=0) / geometry.size)
