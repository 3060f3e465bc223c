"""The climate of a model: moments, density of values, power spectrum and Lyapunov exponents of one free run.

The background statistics of BLUE and 3D-Var come from here: from a run of its own, never from the truth that is
being estimated.
"""

from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from assimilearn.errors import SettingsError
from assimilearn.models.fields import field_means, field_scales, model_geometry, with_geometry
from assimilearn.models.geometry import Geometry
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.models.protocol import PhysicalModel
from assimilearn.models.truth import refuse_divergence
from assimilearn.settings import Settings


class ClimateSettings(Settings):
    """Length of the free run and the axes of its statistics."""

    duration: float = Field(2000.0, gt=0, description="MTU of the free run that the statistics are taken over")
    spinup: float = Field(50.0, ge=0, description="MTU before the free run, to reach the attractor")
    pdf_range: tuple[float, float] | None = Field(
        None, description="lowest and highest value of the density; by default the mean -/+ 5 standard deviations"
    )
    pdf_bins: int = Field(100, ge=2, description="number of equal bins of the density")
    segment: float = Field(50.0, gt=0, description="MTU of one segment of the power spectrum: resolves 1/segment")
    covariance: Literal["full", "by_distance"] = Field(
        "full",
        description="full: of every pair of sites, n x n numbers. by_distance: one number for each distance on the "
        "ring, with the mean pooled over sites; for models that are the same at every site, and large",
    )
    lyapunov_duration: float = Field(200.0, gt=0, description="MTU over which the Lyapunov exponents are averaged")
    lyapunov_count: int | None = Field(None, ge=1, description="how many leading Lyapunov exponents; by default all")

    @model_validator(mode="after")
    def _consistent(self) -> "ClimateSettings":
        if self.pdf_range is not None and self.pdf_range[0] >= self.pdf_range[1]:
            raise ValueError("pdf_range must rise from its lowest to its highest value")
        if self.segment > self.duration:
            raise ValueError(f"segment ({self.segment:g} MTU) is longer than duration ({self.duration:g} MTU)")
        return self


def climate(model: PhysicalModel, settings: ClimateSettings, rng: np.random.Generator) -> xr.Dataset:
    """The model file: statistics of one free run of ``model``, and what is needed to build the model again.

    Parameters
    ----------
    model : PhysicalModel
    settings : ClimateSettings
    rng : numpy.random.Generator
        Draws the random start; give it a stream of its own, so that the run is not the truth.

    Returns
    -------
    Dataset with ``mean(site)``, ``std(site)``, ``covariance(site, other_site)`` or ``covariance_at(distance)``,
    ``pdf(value)``, ``power_spectrum(frequency)`` and ``lyapunov_exponent(index)``; attributes ``method``,
    ``settings``, ``size`` and ``time_step`` of the model, ``climate_settings`` of the run. Of several fields ``pdf``
    and ``power_spectrum`` are those of standardised values, and each field has its own beside them.

    Raises
    ------
    SettingsError
        If the run diverges, or more Lyapunov exponents are asked for than the model has sites.
    """
    if (settings.lyapunov_count or 1) > model.size:
        raise SettingsError(f"lyapunov_count {settings.lyapunov_count} exceeds the {model.size} sites of the model")
    geometry = model_geometry(model)
    if settings.covariance == "by_distance" and not geometry.is_ring:
        raise SettingsError("covariance: by_distance needs one field on a ring; take full for this model")
    start = spun_up_state(model, settings.spinup, rng)
    states = trajectory(model, start, round(settings.duration / model.time_step))
    refuse_divergence(states, model)
    if len(geometry.fields) > 1:
        dataset = statistics_of_fields(states, model.time_step, settings, geometry)
    else:
        axes = statistics_axes(settings, model.time_step, states)
        dataset = statistics(states, model.time_step, axes, settings.covariance == "by_distance")
    exponents = lyapunov_exponents(model, settings.lyapunov_duration, rng, settings.lyapunov_count)
    dataset["lyapunov_exponent"] = ("index", exponents, {"units": "MTU-1", "long_name": "Lyapunov exponent"})
    dataset.coords["index"] = ("index", np.arange(exponents.size), {"units": "1", "long_name": "index of the exponent"})
    described = dataset.assign_attrs(
        method=model.settings.method,
        settings=model.settings.canonical(),
        size=model.size,
        time_step=model.time_step,
        climate_settings=settings.canonical(),
    )
    return with_geometry(described, geometry)


def statistics_axes(settings: ClimateSettings, time_step: float, states: np.ndarray) -> xr.Dataset:
    """The coordinates ``value`` (centres of bins) and ``frequency`` (per MTU) for ``states (time, site)``."""
    low, high = settings.pdf_range or (states.mean() - 5 * states.std(), states.mean() + 5 * states.std())
    edges = np.linspace(low, high, settings.pdf_bins + 1)
    samples = max(round(settings.segment / time_step), 2)
    return xr.Dataset(
        coords={
            "value": ("value", (edges[1:] + edges[:-1]) / 2, {"units": "1", "long_name": "value of the state"}),
            "frequency": (
                "frequency",
                np.fft.rfftfreq(samples, time_step),
                {"units": "MTU-1", "long_name": "frequency"},
            ),
        }
    )


def statistics_of_fields(
    states: np.ndarray, time_step: float, settings: ClimateSettings, geometry: Geometry
) -> xr.Dataset:
    """Statistics of several fields ``states (time, site)``.

    Returns
    -------
    Dataset as of :func:`statistics`, where ``pdf(value)`` and ``power_spectrum(frequency)`` are of all fields together,
    each less its climatological mean and divided by its climatological standard deviation; besides, in the units of
    each field, ``pdf_{field}(value_{field})`` and ``power_spectrum_{field}(frequency)``.
    """
    found = moments(states)
    standardised = (states - field_means(found, geometry)) / field_scales(found, geometry)
    together = statistics(standardised, time_step, statistics_axes(settings, time_step, standardised))
    found = found.assign(together[["pdf", "power_spectrum"]])
    for name, where in geometry.slices.items():
        axes = statistics_axes(settings.model_copy(update={"pdf_range": None}), time_step, states[:, where])
        own = statistics(states[:, where], time_step, axes)[["pdf", "power_spectrum"]]
        own = own.rename({"pdf": f"pdf_{name}", "power_spectrum": f"power_spectrum_{name}", "value": f"value_{name}"})
        found = found.assign(own)
    return found


def statistics(states: np.ndarray, time_step: float, axes: xr.Dataset, homogeneous: bool = False) -> xr.Dataset:
    """Moments, density and power spectrum of a free run.

    Parameters
    ----------
    states : ndarray (time, site)
        Equally spaced in time.
    time_step : float
        MTU between two states; need not be that of the run which set the axes (an emulator steps by one interval).
    axes : Dataset
        Holds the coordinates ``value`` (equally spaced centres of bins) and ``frequency`` (from 0, equally spaced);
        the file of another model will do.
    homogeneous : bool
        Whether all sites have the same moments, which are then pooled.

    Returns
    -------
    Dataset with ``mean(site)``, ``std(site)``, ``covariance(site, other_site)`` or, if homogeneous,
    ``covariance_at(distance)`` (all with divisor time), ``pdf(value)`` (pooled over sites; values outside the axis
    count in its norm, so that its integral is their complement) and ``power_spectrum(frequency)`` (NaN beyond the
    Nyquist frequency of the run).
    """
    spectrum = power_spectrum(states, time_step, axes["frequency"].values)
    return (pooled_moments if homogeneous else moments)(states).assign(
        {
            "pdf": ("value", density(states, axes["value"].values), {"units": "1", "long_name": "probability density"}),
            "power_spectrum": (
                "frequency",
                spectrum,
                {"units": "MTU", "long_name": "one-sided power spectral density in time, mean over sites"},
            ),
            "value": axes["value"].variable,
            "frequency": axes["frequency"].variable,
        }
    )


def moments(states: np.ndarray) -> xr.Dataset:
    """Mean, standard deviation and covariance of ``states (time, site)``, with divisor time."""
    mean = states.mean(axis=0)
    anomalies = states - mean
    covariance = anomalies.T @ anomalies / len(states)
    dataset = mean_and_std(mean, np.sqrt(np.diag(covariance)))
    attributes = {"units": "1", "long_name": "climatological covariance"}
    dataset["covariance"] = (("site", "other_site"), covariance, attributes)
    other = np.arange(mean.size)
    return dataset.assign_coords(other_site=("other_site", other, {"units": "1", "long_name": "site index"}))


def pooled_moments(states: np.ndarray) -> xr.Dataset:
    """The same, also averaged over sites: the covariance of two sites depends on their distance on the ring."""
    n, mean = states.shape[1], states.mean()
    power = np.zeros(n // 2 + 1)
    for state in states:
        power += np.abs(np.fft.rfft(state - mean)) ** 2
    at_distance = np.fft.irfft(power, n)[: n // 2 + 1] / (n * len(states))
    dataset = mean_and_std(np.full(n, mean), np.full(n, np.sqrt(at_distance[0])))
    attributes = {"units": "1", "long_name": "climatological covariance of two sites"}
    dataset["covariance_at"] = ("distance", at_distance, attributes)
    distance = np.arange(n // 2 + 1)
    return dataset.assign_coords(distance=("distance", distance, {"units": "1", "long_name": "sites apart"}))


def mean_and_std(mean: np.ndarray, std: np.ndarray) -> xr.Dataset:
    """The two, each (site,), as a Dataset."""
    return xr.Dataset(
        {
            "mean": ("site", mean, {"units": "1", "long_name": "climatological mean"}),
            "std": ("site", std, {"units": "1", "long_name": "climatological std"}),
        },
        {"site": ("site", np.arange(mean.size), {"units": "1", "long_name": "site index"})},
    )


def density(states: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Probability density of all entries of ``states`` in equal bins centred on ``value (value,)``."""
    width = value[1] - value[0]
    edges = np.append(value - width / 2, value[-1] + width / 2)
    return np.histogram(states, bins=edges)[0] / (states.size * width)


def power_spectrum(states: np.ndarray, time_step: float, frequency: np.ndarray) -> np.ndarray:
    """One-sided power spectral density of ``states (time, site)`` in time, mean over sites, at ``frequency``.

    Welch (1967), IEEE Trans. Audio Electroacoust. 15, 70-73: Hann windows as long as one over the spacing of
    ``frequency``, half overlapping, the mean of each removed. Runs with other time steps thus meet on one axis. The
    integral is the variance at time scales below the length of a window. ``scipy.signal.welch`` gives the same, but
    to import it takes longer than to score the forecasts of a model.

    Raises
    ------
    ValueError
        If the run is shorter than one segment.
    """
    samples = round(1 / (frequency[1] * time_step))
    if samples > len(states):
        raise ValueError(f"a run of {len(states)} states is shorter than one segment of {samples} states")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)  # Hann
    starts = range(0, len(states) - samples + 1, samples - samples // 2)
    spectrum = np.zeros(samples // 2 + 1)
    for start in starts:
        segment = states[start : start + samples]
        waves = np.fft.rfft((segment - segment.mean(axis=0)) * window[:, None], axis=0)
        spectrum += np.mean(waves.real**2 + waves.imag**2, axis=1)
    spectrum *= time_step / (len(starts) * np.sum(window**2))
    spectrum[1 : (samples + 1) // 2] *= 2  # negative frequencies; the mean and the highest even one have no mirror
    return np.interp(frequency, np.fft.rfftfreq(samples, time_step), spectrum, right=np.nan)
