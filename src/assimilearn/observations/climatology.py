"""The climatology of a record: what its training period tells of the state before anything is observed.

Mean, standard deviation, covariance, density, power spectrum and decorrelation time, in the variables of a model's
climatology, so that every method reads either. No model and no truth is involved.

Values that are missing are left out, pair by pair. Observation errors are taken to be independent, with the standard
deviations that the record states: their variance is taken off the variances, never off covariances.

* ``covariance: shrunk``. Of few and correlated samples the sample correlation C is noise in its small eigenvalues.
  It becomes (1 - a) C + a I, a after Ledoit & Wolf (2004), J. Multivar. Anal. 88, 365-411, from samples one
  decorrelation time apart.
* ``covariance: by_distance``. The correlation of two sites is exp(-d / L) times that of their two fields at one place,
  with the length L that fits the sample correlations best (least squares): positive definite for any positions. It
  needs positions, and carries over to sites with few values.

The spectrum is that of Blackman & Tukey (1958): the transform of the autocovariance, which missing values do not hurt,
under a Hann window in lag.
"""

from typing import Literal

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.errors import FileError, SettingsError
from assimilearn.models.climate import density, mean_and_std
from assimilearn.models.fields import with_geometry
from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.observations import operators
from assimilearn.observations.dates import clock_of
from assimilearn.periods import TRAIN
from assimilearn.settings import Settings

LEAST = 0.05  # of the variance of the values is left to the state, however large the stated error
BINS = 100  # of the density
FEWEST = 10  # values of a site in the training period
SMALLEST = 1e-6  # of the mean eigenvalue of a correlation matrix


class RecordClimatology(Settings):
    """How the climatology is estimated from the training period of a record."""

    covariance: Literal["shrunk", "by_distance"] = Field(
        "shrunk",
        description="shrunk: of every pair of sites, shrunk towards none between different ones (Ledoit and Wolf). "
        "by_distance: a function of the distance alone, for sites with positions",
    )
    segment: float | None = Field(
        None, gt=0, description="MTU of a segment of the power spectrum; by default a fifth of the training period"
    )


SHRUNK = RecordClimatology()


def climatology_of_record(observations: xr.Dataset, settings: RecordClimatology = SHRUNK) -> xr.Dataset:
    """The climatology file of a record.

    Parameters
    ----------
    observations : Dataset
        Of :func:`assimilearn.observations.files.ingest`; of the state itself.
    settings : RecordClimatology

    Raises
    ------
    FileError
        If a site has hardly any values in the training period, or always the same, or functions of the state are
        observed.
    """
    if operators.ATTRIBUTE in observations.attrs or "function" in observations:
        raise FileError(
            "a record of functions of the state does not tell its climatology: bring a model, under `models`"
        )
    geometry = geometry_of(observations.attrs)
    training = observations.isel(time=np.flatnonzero(observations["period"].values == TRAIN))
    values, error = by_site(training, geometry.size)
    few = np.flatnonzero(np.isfinite(values).sum(axis=0) < FEWEST)
    if few.size:
        raise FileError(
            f"site {few[0]} has {np.isfinite(values[:, few[0]]).sum()} values in the training period ({few.size} sites "
            f"have fewer than {FEWEST}): nothing can be learned of it; leave it out, or lengthen `periods.train`"
        )
    stuck = np.flatnonzero(np.nanvar(values, axis=0) == 0)
    if stuck.size:
        raise FileError(f"site {stuck[0]} has the same value at all times of the training period")
    dataset = sample_climatology(values, error, float(observations.attrs["time_step"]), geometry, settings)
    clock = clock_of(observations.attrs)
    return dataset.assign_attrs(clock.attributes)


def by_site(observations: xr.Dataset, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Values (time, site), NaN where there is none, and the mean variance (site,) of their errors."""
    row, column = np.nonzero(observations["valid"].values == 1)
    sites = observations["site_index"].values[row, column]
    values, variance = np.full((observations.sizes["time"], size), np.nan), np.zeros(size)
    values[row, sites] = observations["value"].values[row, column]
    np.add.at(variance, sites, observations["error_std"].values[row, column].astype(float) ** 2)
    return values, variance / np.maximum(np.bincount(sites, minlength=size), 1)


def sample_climatology(
    values: np.ndarray,
    error_variance: np.ndarray,
    time_step: float,
    geometry: Geometry,
    settings: RecordClimatology = SHRUNK,
) -> xr.Dataset:
    """Climatology of ``values (time, site)``, one time step apart, NaN where there is none.

    Parameters
    ----------
    values : ndarray (time, site)
        Sites that never change, such as those of a boundary, have no variance and no covariance.
    error_variance : ndarray (site,)
        Of the errors of the values.
    time_step : float
        MTU.
    geometry : Geometry
    settings : RecordClimatology

    Returns
    -------
    Dataset with ``mean``, ``std`` (site), ``covariance(site, other_site)``, ``pdf(value)`` and
    ``power_spectrum(frequency)``; the attributes ``size``, ``time_step`` and ``decorrelation_time`` (MTU, at which the
    autocorrelation, mean over sites, falls below 1 / e), and ``shrinkage`` or ``correlation_length``. Of several fields
    density and spectrum are those of standardised values.
    """
    mean = np.nanmean(values, axis=0)
    anomalies = values - mean
    raw = np.nanmean(anomalies**2, axis=0)
    variance = np.maximum(raw - error_variance, LEAST * raw)
    std, moving = np.sqrt(variance), variance > 0
    if not moving.any():
        raise FileError("no site changes in the training period: nothing can be learned of it")
    standardised = np.divide(anomalies, std, out=np.zeros_like(anomalies), where=moving)
    length = settings.segment or len(values) * time_step / 5
    lags = max(min(round(length / (2 * time_step)), len(values) // 2), 1)
    correlation_in_time = autocorrelation(standardised[:, moving], lags)
    correlation_in_time[0] = 1.0  # that of the state: its errors are taken off
    decorrelation = decorrelation_time(correlation_in_time, time_step)
    dataset = mean_and_std(mean, std)
    told: dict[str, float]
    if settings.covariance == "by_distance":
        correlation, told = correlation_by_distance(anomalies, std, geometry)
    else:
        correlation, told = shrunk_correlation(standardised, max(round(decorrelation / time_step), 1))
    text = {"units": "1", "long_name": "climatological covariance"}
    dataset["covariance"] = (("site", "other_site"), correlation * np.outer(std, std), text)
    several = len(geometry.fields) > 1
    scale = np.sqrt(np.concatenate([np.full(w.stop - w.start, variance[w].mean()) for w in geometry.slices.values()]))
    middle = np.concatenate([np.full(w.stop - w.start, mean[w].mean()) for w in geometry.slices.values()])
    shown = (values - middle) / scale if several else values
    shown = shown[np.isfinite(shown)]
    edges = np.linspace(shown.mean() - 5 * shown.std(), shown.mean() + 5 * shown.std(), BINS + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    frequency = np.fft.rfftfreq(2 * lags, time_step)
    power = spectrum(correlation_in_time, time_step, frequency)
    power *= 1.0 if several else float(np.mean(variance))
    units = geometry.fields[0].units if not several else "1"
    other = np.arange(geometry.size)
    dataset = dataset.assign(
        pdf=("value", density(shown, centres), {"units": "1", "long_name": "probability density"}),
        power_spectrum=(
            "frequency",
            power,
            {"units": "MTU", "long_name": "one-sided power spectral density in time, mean over sites"},
        ),
    ).assign_coords(
        value=("value", centres, {"units": units, "long_name": "value of the state"}),
        frequency=("frequency", frequency, {"units": "MTU-1", "long_name": "frequency"}),
        other_site=("other_site", other, {"units": "1", "long_name": "site index"}),
    )
    attributes = {"size": geometry.size, "time_step": time_step, "decorrelation_time": decorrelation, **told}
    return with_geometry(dataset.assign_attrs(attributes), geometry)


def autocorrelation(standardised: np.ndarray, lags: int) -> np.ndarray:
    """Mean over sites of the autocorrelation of ``standardised (time, site)``, with NaN, at lags 0 ... ``lags``."""
    known = np.isfinite(standardised)
    padded = 2 * len(known)  # products wrap around beyond
    sums = []
    for series in (np.where(known, standardised, 0.0), known.astype(float)):
        power = np.abs(np.fft.rfft(series, padded, axis=0)) ** 2
        sums.append(np.fft.irfft(power.sum(axis=1), padded)[: lags + 1])
    return np.divide(sums[0], sums[1], out=np.zeros(lags + 1), where=sums[1] > 0.5)


def decorrelation_time(correlation: np.ndarray, time_step: float) -> float:
    """The lag in MTU at which an autocorrelation (lag,) falls below 1 / e, between lags on a straight line."""
    below = np.flatnonzero(correlation < np.exp(-1))
    if not below.size:
        return float((correlation.size - 1) * time_step)
    k = int(below[0])
    share = (correlation[k - 1] - np.exp(-1)) / (correlation[k - 1] - correlation[k])
    return float((k - 1 + share) * time_step)


def spectrum(correlation: np.ndarray, time_step: float, frequency: np.ndarray) -> np.ndarray:
    """One-sided power spectral density of unit variance at ``frequency``, from an autocorrelation (lag,)."""
    lag = np.arange(correlation.size)
    tapered = correlation * 0.5 * (1 + np.cos(np.pi * lag / (correlation.size - 1)))  # Hann
    waves = np.cos(2 * np.pi * np.outer(frequency, lag) * time_step)
    return np.maximum(2 * time_step * (tapered[0] + 2 * waves[:, 1:] @ tapered[1:]), 0.0)


def pairwise_correlation(standardised: np.ndarray) -> np.ndarray:
    """Correlation (site, site) of ``standardised (time, site)``, each pair of sites from the times that have both."""
    known = np.isfinite(standardised)
    filled = np.where(known, standardised, 0.0)
    counts = known.astype(float).T @ known.astype(float)
    correlation = np.divide(filled.T @ filled, counts, out=np.zeros_like(counts), where=counts > 1)
    correlation = np.clip(correlation, -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def shrunk_correlation(standardised: np.ndarray, apart: int) -> tuple[np.ndarray, dict[str, float]]:
    """The pairwise correlation, shrunk towards the identity and positive definite, and the ``shrinkage``.

    Parameters
    ----------
    standardised : ndarray (time, site)
    apart : int
        Times from one independent sample to the next.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage

    known = np.isfinite(standardised)
    independent = np.where(known, standardised, 0.0)[::apart]
    size = standardised.shape[1]
    shrinkage = float(ledoit_wolf_shrinkage(independent, assume_centered=True)) if size > 1 else 0.0
    correlation = (1 - shrinkage) * pairwise_correlation(standardised) + shrinkage * np.eye(size)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < SMALLEST:  # pairs from different times need not fit together
        correlation = (vectors * np.maximum(values, SMALLEST)) @ vectors.T
        correlation /= np.sqrt(np.outer(np.diag(correlation), np.diag(correlation)))
    return correlation, {"shrinkage": shrinkage}


def correlation_by_distance(
    anomalies: np.ndarray, std: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, dict[str, float]]:
    """exp(-d / L) times the correlation of the two fields at one place, and the ``correlation_length`` L.

    Raises
    ------
    SettingsError
        If sites have no positions, or fields do not stand at the same places.
    """
    from scipy.optimize import minimize_scalar

    geometry.need_space("covariance: by_distance")
    points = {field.size for field in geometry.fields}
    if len(points) > 1:
        raise SettingsError("covariance: by_distance needs all fields at the same places")
    count, fields = points.pop(), len(geometry.fields)
    sample = pairwise_correlation(anomalies / std).reshape(fields, count, fields, count)
    at_one_place = np.einsum("ikjk->ij", sample) / count
    np.fill_diagonal(at_one_place, 1.0)
    values, vectors = np.linalg.eigh(at_one_place)
    at_one_place = (vectors * np.maximum(values, SMALLEST)) @ vectors.T
    first = geometry.positions[:count]
    distance = geometry.distance(first[:, None], first[None])
    of_fields = np.mean([sample[f, :, f] for f in range(fields)], axis=0)
    pairs = np.triu_indices(count, 1)
    length = 1.0
    if pairs[0].size:
        apart, found = distance[pairs], of_fields[pairs]
        positive = apart[apart > 0]
        ends = (np.log(positive.min() / 10), np.log(positive.max() * 100)) if positive.size else (0.0, 1.0)

        def misfit(log: float) -> float:
            return float(np.sum((np.exp(-apart / np.exp(log)) - found) ** 2))

        length = float(np.exp(minimize_scalar(misfit, bounds=ends, method="bounded").x))
    correlation = np.kron(at_one_place, np.exp(-distance / length))
    return correlation, {"correlation_length": length}
