"""The climate of a model: moments, density of values, power spectrum and Lyapunov exponents of one free run.

The background statistics of BLUE and 3D-Var come from here: from a run of its own, never from the truth that is
being estimated.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from assimilearn.errors import SettingsError
from assimilearn.models.fields import model_geometry, with_geometry
from assimilearn.models.geometry import Geometry
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.large_climate import hann, mean_and_std, one_pass, standardised, together
from assimilearn.models.lyapunov import lyapunov_exponents
from assimilearn.models.protocol import PhysicalModel
from assimilearn.models.truth import refuse_divergence
from assimilearn.settings import Settings

LARGEST_MATRIX = 10_000  # sites of which n x n numbers are formed: 800 MB
OF_DENSITIES = {"units": "1", "long_name": "probability density"}
OF_SPECTRA = {"units": "MTU", "long_name": "one-sided power spectral density in time, mean over sites"}


class ClimateSettings(Settings):
    """Length of the free run and the axes of its statistics."""

    duration: float = Field(2000.0, gt=0, description="MTU of the free run that the statistics are taken over")
    spinup: float = Field(50.0, ge=0, description="MTU before the free run, to reach the attractor")
    pdf_range: tuple[float, float] | None = Field(
        None, description="lowest and highest value of the density; by default the mean -/+ 5 standard deviations"
    )
    pdf_bins: int = Field(100, ge=2, description="number of equal bins of the density")
    segment: float = Field(50.0, gt=0, description="MTU of one segment of the power spectrum: resolves 1/segment")
    covariance: Literal["full", "by_distance", "states"] = Field(
        "full",
        description="full: of every pair of sites, n x n numbers. by_distance: one number for each offset of two grid "
        "points and each pair of fields, with the mean pooled over sites; for large models that are the same "
        "everywhere. states: of the `states` that are kept, localized; for any large model with space",
    )
    states: int = Field(
        0, ge=0, description="states of the free run to keep, equally spaced in time: the static ensemble of `enoi`"
    )
    localization_radius: float = Field(
        10.0,
        gt=0,
        description="of `covariance: states`, in sites: standard deviation of the Gaussian that the taper "
        "of Gaspari and Cohn follows, by which that covariance is multiplied",
    )
    lyapunov_duration: float = Field(200.0, gt=0, description="MTU over which the Lyapunov exponents are averaged")
    lyapunov_count: int | None = Field(None, ge=1, description="how many leading Lyapunov exponents; by default all")

    @model_validator(mode="after")
    def _consistent(self) -> "ClimateSettings":
        if self.pdf_range is not None and self.pdf_range[0] >= self.pdf_range[1]:
            raise ValueError("pdf_range must rise from its lowest to its highest value")
        if self.segment > self.duration:
            raise ValueError(f"segment ({self.segment:g} MTU) is longer than duration ({self.duration:g} MTU)")
        if self.covariance == "states" and self.states < 2:
            raise ValueError("covariance: states needs 2 `states` or more")
        return self


def climate(model: PhysicalModel, settings: ClimateSettings, rng: np.random.Generator) -> xr.Dataset:
    """The climatology file: statistics of one free run of ``model``, and what is needed to build the model again.

    Parameters
    ----------
    model : PhysicalModel
    settings : ClimateSettings
    rng : numpy.random.Generator
        Draws the random start; give it a stream of its own, so that the run is not the truth.

    Returns
    -------
    Dataset with ``mean(site)``, ``std(site)``, ``covariance(site, other_site)``, ``covariance_at(distance)`` or
    ``covariance_at_offset(one_field, other_field, offset)``, ``states(state, site)`` where some are kept,
    ``pdf(value)``, ``power_spectrum(frequency)`` and ``lyapunov_exponent(index)``; attributes ``method``,
    ``settings``, ``size`` and ``time_step`` of the model, ``climate_settings`` of the run. Of several fields ``pdf``
    and ``power_spectrum`` are those of standardised values, and each field has its own beside them.

    Raises
    ------
    SettingsError
        If the run diverges, the model is too large for the kind of covariance or does not suit it, or more Lyapunov
        exponents are asked for than the model has sites.
    """
    geometry = model_geometry(model)
    if (settings.lyapunov_count or 1) > model.size:
        raise SettingsError(f"lyapunov_count {settings.lyapunov_count} exceeds the {model.size} sites of the model")
    refuse_misfit(model, settings, geometry)
    start = spun_up_state(model, settings.spinup, rng)
    if settings.covariance == "full":
        states = trajectory(model, start, round(settings.duration / model.time_step), rng)[:, : model.size]
        refuse_divergence(states, model)
        dataset, on_attractor = statistics_of_fields(states, model.time_step, settings, geometry), None
        every = (len(states) - 1) // max(settings.states, 1)
        kept = states[every : every * settings.states + 1 : every] if settings.states else states[:0]
    else:
        dataset, kept, on_attractor = statistics_in_parts(model, start, settings, geometry, rng)
    if settings.states:
        attributes = {"units": "1", "long_name": "states of the free run, equally spaced in time"}
        dataset["states"] = (("state", "site"), kept.astype(np.float32), attributes)
    exponents = lyapunov_exponents(model, settings.lyapunov_duration, rng, settings.lyapunov_count, start=on_attractor)
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


def refuse_misfit(model: PhysicalModel, settings: ClimateSettings, geometry: Geometry) -> None:
    """Raise SettingsError where the model is too large for the settings, or does not suit the kind of covariance."""
    n = model.size
    if settings.lyapunov_count is None and n > LARGEST_MATRIX:
        raise SettingsError(f"lyapunov_count: all {n} Lyapunov exponents would take n x n numbers: say how many")
    if settings.covariance == "full" and n > LARGEST_MATRIX:
        advice = "by_distance where all sites are alike, or states"
        raise SettingsError(f"covariance: full would be {n} x {n} numbers: take {advice}")
    if settings.covariance == "by_distance" and not geometry.homogeneous:
        raise SettingsError("covariance: by_distance needs a model that is the same at every site: take full or states")
    if settings.covariance == "states":
        geometry.need_space("covariance: states")
    if settings.states > round(settings.duration / model.time_step):
        raise SettingsError(f"states: {settings.states} are more than the steps of the free run")


def statistics_in_parts(
    model: PhysicalModel,
    start: np.ndarray,
    settings: ClimateSettings,
    geometry: Geometry,
    rng: np.random.Generator,
) -> tuple[xr.Dataset, np.ndarray, np.ndarray]:
    """Statistics of a large model, the states that are kept, and the last one.

    Densities are those of states equally spaced in time.
    """
    samples = max(round(settings.segment / model.time_step), 2)
    steps, homogeneous = round(settings.duration / model.time_step), settings.covariance == "by_distance"
    found = one_pass(model, start, steps, samples, settings.states, homogeneous, geometry, rng)
    refuse_divergence(found.moments["std"].values, model)
    refuse_divergence(found.states, model)
    several = len(geometry.fields) > 1
    shown = standardised(found.states, found.moments, geometry) if several else found.states
    axes = statistics_axes(settings, model.time_step, shown)
    spectrum = together(found.spectra, found.moments, geometry) if several else next(iter(found.spectra.values()))
    dataset = found.moments.assign(
        pdf=("value", density(shown, axes["value"].values), OF_DENSITIES),
        power_spectrum=("frequency", spectrum, OF_SPECTRA),
        value=axes["value"].variable,
        frequency=axes["frequency"].variable,
    )
    for name, where in geometry.slices.items() if several else ():
        own = statistics_axes(settings.model_copy(update={"pdf_range": None}), model.time_step, found.states[:, where])
        value = own["value"].rename(value=f"value_{name}")
        dataset[f"pdf_{name}"] = (f"value_{name}", density(found.states[:, where], value.values), OF_DENSITIES)
        dataset[f"power_spectrum_{name}"] = ("frequency", found.spectra[name], OF_SPECTRA)
        dataset.coords[f"value_{name}"] = value.variable
    return dataset, found.states, found.last


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
    """Statistics of the fields ``states (time, site)``.

    Returns
    -------
    Dataset as of :func:`statistics`. Of several fields ``pdf(value)`` and ``power_spectrum(frequency)`` are of all
    fields together, each less its climatological mean and divided by its climatological standard deviation; besides,
    in the units of each field, ``pdf_{field}(value_{field})`` and ``power_spectrum_{field}(frequency)``.
    """
    if len(geometry.fields) == 1:
        return statistics(states, time_step, statistics_axes(settings, time_step, states))
    found = moments(states)
    shown = standardised(states, found, geometry)
    of_all = statistics(shown, time_step, statistics_axes(settings, time_step, shown), mean_and_std_of)
    found = found.assign(of_all[["pdf", "power_spectrum"]])
    for name, where in geometry.slices.items():
        axes = statistics_axes(settings.model_copy(update={"pdf_range": None}), time_step, states[:, where])
        own = statistics(states[:, where], time_step, axes, mean_and_std_of)[["pdf", "power_spectrum"]]
        own = own.rename({"pdf": f"pdf_{name}", "power_spectrum": f"power_spectrum_{name}", "value": f"value_{name}"})
        found = found.assign(own)
    return found


def statistics(
    states: np.ndarray, time_step: float, axes: xr.Dataset, moments_of: Callable[[np.ndarray], xr.Dataset] | None = None
) -> xr.Dataset:
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
    moments_of : callable
        Gives the moments: by default :func:`moments`; :func:`mean_and_std_of` where no covariance is needed.

    Returns
    -------
    Dataset with ``mean(site)``, ``std(site)``, as :func:`moments` ``covariance(site, other_site)``, ``pdf(value)``
    (pooled over sites; values outside the axis count in its norm, so that its integral is their complement) and
    ``power_spectrum(frequency)`` (NaN beyond the Nyquist frequency of the run).
    """
    spectrum = power_spectrum(states, time_step, axes["frequency"].values)
    return (moments_of or moments)(states).assign(
        {
            "pdf": ("value", density(states, axes["value"].values), OF_DENSITIES),
            "power_spectrum": ("frequency", spectrum, OF_SPECTRA),
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


def mean_and_std_of(states: np.ndarray) -> xr.Dataset:
    """Mean and standard deviation of ``states (time, site)``, with divisor time."""
    return mean_and_std(states.mean(axis=0), states.std(axis=0))


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
    window = hann(samples)
    starts = range(0, len(states) - samples + 1, samples - samples // 2)
    spectrum = np.zeros(samples // 2 + 1)
    for start in starts:
        segment = states[start : start + samples]
        waves = np.fft.rfft((segment - segment.mean(axis=0)) * window[:, None], axis=0)
        spectrum += np.mean(waves.real**2 + waves.imag**2, axis=1)
    spectrum *= time_step / (len(starts) * np.sum(window**2))
    spectrum[1 : (samples + 1) // 2] *= 2  # negative frequencies; the mean and the highest even one have no mirror
    return np.interp(frequency, np.fft.rfftfreq(samples, time_step), spectrum, right=np.nan)
