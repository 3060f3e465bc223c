"""The climatology of the states that analyses estimate: that of a learned model, which no other model has a part in.

By the law of total variance the variance of the state is that of the analysis means plus the mean of the analysis
variances (Wilks 2011, "Statistical methods in the atmospheric sciences"). Only the training period counts. Of many
sites no matrix is formed: the background is then a static ensemble of analyses, localized.
"""

import json

import numpy as np
import xarray as xr

from assimilearn.errors import FileError
from assimilearn.models.climate import mean_and_std
from assimilearn.models.fields import geometry_in, with_geometry
from assimilearn.observations.climatology import sample_climatology
from assimilearn.observations.dates import clock_of
from assimilearn.periods import TRAIN

LARGEST = 2_000  # sites whose covariance is held as a matrix
STATES = 500  # of the static ensemble
LOCALIZATION_RADIUS = 10.0  # of the covariance of a static ensemble, in the units of the positions


def climatology_of_analyses(analysis: xr.Dataset) -> xr.Dataset:
    """The climatology file of the states of the training period of an analysis.

    Parameters
    ----------
    analysis : Dataset
        ``mean`` and ``spread`` (time, site), and ``period(time)``. A spread that is NaN counts as none.

    Returns
    -------
    Dataset as of :func:`assimilearn.observations.climatology.sample_climatology`, with ``states(state, site)``: up to
    500 analyses, equally spaced in time, with anomalies that have the variance of the state. Of more than 2,000 sites
    with positions only moments and states.

    Raises
    ------
    FileError
        If the analysis has no finite state in its training period.
    """
    training = np.flatnonzero(analysis["period"].values == TRAIN)
    mean = analysis["mean"].values[training].astype(float)
    known = mean[np.isfinite(mean).all(axis=1)]
    if len(known) < 2:
        reason = "it diverged, or `periods.train` is too short"
        raise FileError(f"the analysis has no states in its training period: {reason}")
    within = (np.nan_to_num(analysis["spread"].values[training].astype(float)) ** 2).mean(axis=0)
    geometry, between = geometry_in(analysis), known.var(axis=0)
    growth = np.sqrt(1 + np.divide(within, between, out=np.zeros_like(within), where=between > 0))
    if geometry.size > LARGEST and geometry.has_space:
        found = mean_and_std(known.mean(axis=0), np.sqrt(between + within)).assign_attrs(size=geometry.size)
        found.attrs["climate_settings"] = json.dumps({"localization_radius": LOCALIZATION_RADIUS})
        found = with_geometry(found, geometry)
    else:
        found = sample_climatology(mean, -within, float(analysis.attrs["interval"]), geometry)
    chosen = known[np.linspace(0, len(known) - 1, min(STATES, len(known))).astype(int)]
    states = known.mean(axis=0) + (chosen - known.mean(axis=0)) * growth
    text = {"units": "1", "long_name": "analyses, equally spaced in time"}
    found["states"] = (("state", "site"), states.astype(np.float32), text)
    return found.assign_attrs(clock_of(analysis.attrs).attributes)
