"""Forecasts against values that they never saw, beside the three references of the field.

Without a truth the judge is an observation at a later time, and best one that was withheld from everything. Beside the
forecast stand, from the same analyses x_0,

* persistence, x_0;
* damped persistence, c + rho(lead) (x_0 - c), with the climatological mean c and the autocorrelation rho of each site
  in the analyses of the training period (Murphy 1992, Weather Forecast. 7, 692-698);
* climatology, c.

The skill of the forecast over a reference is 1 - MSE / MSE_ref. Errors include those of the observations, which no
forecast can avoid: skill is below what a truth would show. Of several fields, errors are divided by the climatological
standard deviation of their field.
"""

import numpy as np
import xarray as xr

from assimilearn.models.fields import field_scales
from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.observations.operators import operator_of, rows_of
from assimilearn.observations.rows import observed_values
from assimilearn.periods import TRAIN
from assimilearn.verification.uncertainty import mean_and_uncertainty

REFERENCES = ("persistence", "damped_persistence", "climatology")
FEWEST = 5  # pairs of a lag that give an autocorrelation


def site_autocorrelation(analysis: xr.Dataset, steps: np.ndarray) -> np.ndarray:
    """Autocorrelation of the analysis mean of the training period, (lead, site), at whole numbers of intervals.

    Parameters
    ----------
    analysis : Dataset
    steps : ndarray (lead,), int
        Lags in analysis times. Where fewer than ``FEWEST`` pairs are so far apart it is 0: all is damped.
    """
    mean = analysis["mean"].values[analysis["period"].values == TRAIN].astype(float)
    if len(mean) < FEWEST:
        return np.zeros((steps.size, mean.shape[1]))
    anomalies = mean - np.nanmean(mean, axis=0)
    variance = np.nanmean(anomalies**2, axis=0)
    found = np.zeros((steps.size, mean.shape[1]))
    for k, lag in enumerate(steps):
        if len(anomalies) - lag >= FEWEST:
            covariance = np.nanmean(anomalies[: len(anomalies) - lag] * anomalies[lag:], axis=0)
            found[k] = np.divide(covariance, variance, out=np.zeros_like(variance), where=variance > 0)
    return found


def squared_errors(
    states: np.ndarray, verifying: xr.Dataset, where: np.ndarray, scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squared errors and numbers of values, each (start, lead).

    Parameters
    ----------
    states : ndarray (start, lead, site)
        NaN after a forecast blew up: there the sum is NaN.
    verifying : Dataset
        Observations.
    where : ndarray (start, lead)
        Time index of ``verifying``, -1 where there is none.
    scales : ndarray (site,)
    """
    operator = operator_of(verifying, geometry_of({**verifying.attrs, "size": states.shape[-1]}))
    there = verifying["valid"].values[where].astype(bool) & (where >= 0)[..., None]
    departures = verifying["value"].values[where] - observed_values(states, rows_of(verifying)[where], operator)
    departures = departures / scales[verifying["site_index"].values[where]]
    return np.where(there, departures**2, 0.0).sum(axis=-1), there.sum(axis=-1)


def references(
    states: np.ndarray,
    leads: np.ndarray,
    analysis: xr.Dataset,
    verifying: xr.Dataset,
    where: np.ndarray,
    climatology: xr.Dataset,
    geometry: Geometry,
) -> xr.Dataset:
    """Errors of the forecasts and of the references at values that none of them saw, and the skill.

    Parameters
    ----------
    states : ndarray (start, lead, site)
        The forecasts; at lead 0 the analyses.
    leads : ndarray (lead,)
        In MTU, from 0.
    analysis : Dataset
        For the autocorrelation.
    verifying : Dataset
        What was withheld, or observations.
    where : ndarray (start, lead)
        Time index of ``verifying``, -1 where there is none.
    climatology : Dataset
        ``mean`` and ``std`` (site,).
    geometry : Geometry

    Returns
    -------
    Dataset with ``verified_rmse(forecaster, lead)``, over the coordinate ``forecaster`` ("model" and the references),
    ``skill(reference, lead)`` and its standard error ``skill_uncertainty``, and ``verified_values(lead)``, how many
    values judge. In the units of the values for one field, else in climatological standard deviations.
    """
    mean = climatology["mean"].values.astype(float)
    several = len(geometry.fields) > 1
    scales = field_scales(climatology, geometry) if several else np.ones(mean.size)
    times = analysis["time"].values  # where they are not equally spaced, the damping is that of their usual distance
    interval = float(analysis.attrs.get("interval") or np.median(np.diff(times)))
    rho = site_autocorrelation(analysis, np.rint(leads / interval).astype(int))
    start = states[:, :1]
    by_name = {
        "model": states,
        "persistence": np.broadcast_to(start, states.shape),
        "damped_persistence": mean + rho * (start - mean),
        "climatology": np.broadcast_to(mean, states.shape),
    }
    sums = {name: squared_errors(part, verifying, where, scales) for name, part in by_name.items()}
    counts = sums["model"][1]
    total = counts.sum(axis=0)
    mse = {name: _ratio(part[0].sum(axis=0), total) for name, part in sums.items()}
    skill = np.stack([1 - _ratio(mse["model"], mse[name]) for name in REFERENCES])
    uncertainty = np.full(skill.shape, np.nan)
    for r, name in enumerate(REFERENCES):
        for j in np.flatnonzero(total > 0):
            # the standard error of a ratio of means: that of the mean of what is left of the numerator
            left = sums["model"][0][:, j] - (1 - skill[r, j]) * sums[name][0][:, j]
            series = np.where(counts[:, j] > 0, left, np.nan) / np.maximum(mse[name][j] * total[j] / len(left), 1e-300)
            known = series[np.isfinite(series)]
            uncertainty[r, j] = mean_and_uncertainty(known)[1] * known.size / len(left) if known.size else np.nan
    units = "1" if several else geometry.units
    axes = ("reference", "lead")
    return xr.Dataset(
        {
            "verified_rmse": (
                ("forecaster", "lead"),
                np.sqrt(np.stack(list(mse.values()))),
                {"units": units, "long_name": "root mean square error at values that no forecast saw"},
            ),
            "skill": (axes, skill, {"units": "1", "long_name": "1 - mean square error over that of the reference"}),
            "skill_uncertainty": (axes, uncertainty, {"units": "1", "long_name": "standard error of skill"}),
            "verified_values": ("lead", total.astype(np.int64), {"units": "1", "long_name": "number of values"}),
        },
        coords={
            "forecaster": ("forecaster", list(by_name), {"units": "1", "long_name": "kind of forecast"}),
            "reference": ("reference", list(REFERENCES), {"units": "1", "long_name": "reference forecast"}),
        },
    )


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient, NaN where the divisor is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0)
