"""The climate of free runs of one model, beside that of a reference.

Many runs of moderate length take the place of one long run: they advance together, which for a learned model costs
little more than one, and a model that some initial states send astray is found out.
"""

import numpy as np
import xarray as xr

from assimilearn.errors import SettingsError
from assimilearn.models.climate import mean_and_std_of, statistics
from assimilearn.models.fields import geometry_in
from assimilearn.models.large_climate import pooled, standardised
from assimilearn.models.protocol import Model
from assimilearn.verification.climate import climate_distances
from assimilearn.verification.matching import test_period
from assimilearn.verification.runs import AT_REST, runs

SHOWN = 20.0  # MTU of a free run that are kept


def free_run_climate(
    model: Model,
    analysis: xr.Dataset,
    climatology_file: xr.Dataset,
    duration: float,
    count: int,
    spinup: float,
    rng: np.random.Generator,
) -> tuple[xr.Dataset, str]:
    """Climate of the free runs of ``model`` beside that of ``climatology_file``.

    Parameters
    ----------
    model : Model
    analysis : Dataset
        The runs start from its ``mean (time, site)`` at times of the test period.
    climatology_file : Dataset
        Gives the axes and the reference.
    duration : float
        MTU of each run over which the climate is measured; 0 for no runs.
    count : int
        Number of runs, as far as there are finite analyses.
    spinup : float
        MTU of each run before that.
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
        ``mean``, ``std`` (site), ``pdf(value)``, ``power_spectrum(frequency)``, moments pooled over the runs, and the
        distances of :func:`climate_distances`, absent if there are no runs or one blew up, and
        ``free_run_state(run_time)``, the first site of the first run from its start on.
    str
        "ok", "diverged" or "none".

    Raises
    ------
    SettingsError
        If a run is shorter than a segment of the climatology file's power spectrum.
    """
    from tqdm import tqdm

    if duration == 0:
        return xr.Dataset(), "none"
    frequency = climatology_file["frequency"].values
    segment = 1 / float(frequency[1])
    if duration < segment:
        raise SettingsError(
            f"free_run ({duration:g} MTU) is shorter than a segment of the power spectrum of the "
            f"climatology file ({segment:g} MTU)"
        )
    initial = _finite_analyses(analysis, count, rng)
    skipped = round(spinup / model.time_step)
    steps = skipped + int(np.ceil(duration / model.time_step))
    states = np.empty((steps - skipped, *initial.shape))
    std = climatology_file["std"].values
    together = runs(model, initial, steps, climatology_file["mean"].values, std, rng)
    site = int(np.argmax(std > AT_REST * np.sqrt(np.mean(std**2))))  # the first that is not of a boundary at rest
    beginning = np.full(min(steps + 1, round(SHOWN / model.time_step) + 1), np.nan)
    for k, state in enumerate(tqdm(together, total=steps + 1, desc="free run", disable=None, leave=False)):
        if initial.size == 0 or np.isnan(state).any():
            return _shown(beginning, model.time_step), "diverged"
        if k < beginning.size:
            beginning[k] = state[0, site]
        if k > skipped:
            states[k - skipped - 1] = state
    geometry = geometry_in(climatology_file)
    shown = states
    if len(geometry.fields) > 1:  # densities and spectra of several fields are of standardised values
        shown = standardised(states, climatology_file, geometry)
    of_runs = [
        statistics(shown[:, i], model.time_step, climatology_file, mean_and_std_of) for i in range(states.shape[1])
    ]
    climate = _pooled(of_runs)
    if shown is not states:
        climate["mean"].values = states.mean(axis=(0, 1))
        climate["std"].values = states.std(axis=(0, 1))
    if (
        "covariance_at" in climatology_file or "covariance_at_offset" in climatology_file
    ):  # its moments are pooled over sites
        climate.update(pooled(climate, geometry))
    for name, value in climate_distances(climate, climatology_file).items():
        long_name, units = DISTANCES[name]
        climate[name] = ((), value, {"units": units, "long_name": long_name})
    return climate.merge(_shown(beginning, model.time_step), combine_attrs="override"), "ok"


def _shown(beginning: np.ndarray, time_step: float) -> xr.Dataset:
    """The beginning of one run at one site; NaN from where it blew up."""
    text = {"units": "1", "long_name": "free run from an analysis, at the first site that varies"}
    times = time_step * np.arange(beginning.size)
    return xr.Dataset(
        {"free_run_state": ("run_time", beginning, text)},
        {"run_time": ("run_time", times, {"units": "MTU", "long_name": "time since the start of the free run"})},
    )


DISTANCES = {
    "mean_error": ("free run minus reference mean, in reference standard deviations", "1"),
    "std_error": ("relative error of the standard deviation of the free run", "1"),
    "pdf_distance": ("Wasserstein distance of the densities, in reference standard deviations", "1"),
    "pdf_hellinger": ("Hellinger distance of the densities", "1"),
    "spectrum_distance": ("log spectral distance over the energetic band", "dB"),
    "spectrum_error": ("rms relative error of the power spectrum where 95 % of the power lies", "1"),
    "spectrum_error_max": ("largest relative error of the power spectrum where 95 % of the power lies", "1"),
}


def _pooled(climates: list[xr.Dataset]) -> xr.Dataset:
    """One climate of runs of equal length."""
    pooled = climates[0][["mean", "std", "pdf", "power_spectrum"]].copy()
    of_runs = {name: np.stack([climate[name].values for climate in climates]) for name in pooled.data_vars}
    for name in ("mean", "pdf", "power_spectrum"):
        pooled[name].values = of_runs[name].mean(axis=0)
    pooled["std"].values = np.sqrt((of_runs["std"] ** 2).mean(axis=0) + of_runs["mean"].var(axis=0))
    return pooled


def _finite_analyses(analysis: xr.Dataset, count: int, rng: np.random.Generator) -> np.ndarray:
    """Up to ``count`` analysis means of the test period, (run, site), drawn without repetition."""
    means = analysis["mean"].values[test_period(analysis)].astype(float)
    means = means[np.isfinite(means).all(axis=1)]
    return means[np.sort(rng.choice(len(means), size=min(count, len(means)), replace=False))] if len(means) else means
