"""The climate of free runs of one model, beside that of a reference.

Many runs of moderate length take the place of one long run: they advance together, which for a learned model costs
little more than one, and a model that some initial states send astray is found out.
"""

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.errors import SettingsError
from assimilearn.models.climate import statistics
from assimilearn.models.protocol import Model
from assimilearn.settings import Settings
from assimilearn.verification.climate import climate_distances
from assimilearn.verification.matching import test_period
from assimilearn.verification.runs import runs


class FreeRunSettings(Settings):
    """Free runs of a model, started from analyses of the test period."""

    duration: float = Field(100.0, ge=0, description="MTU of each run over which the climate is measured; 0: no runs")
    count: int = Field(10, ge=1, description="number of runs, which advance together")
    spinup: float = Field(10.0, ge=0, description="MTU of each run before its climate is measured")


def free_run_climate(
    model: Model, analysis: xr.Dataset, model_file: xr.Dataset, settings: FreeRunSettings, rng: np.random.Generator
) -> tuple[xr.Dataset, str]:
    """Climate of the free runs on the axes of the model file and its distances from it, and "ok", "diverged" or "none".

    Moments are pooled over the runs; densities and spectra are averaged. Nothing is averaged if one run blows up.
    """
    from tqdm import tqdm

    if settings.duration == 0:
        return xr.Dataset(), "none"
    frequency = model_file["frequency"].values
    segment = 1 / float(frequency[1])
    if settings.duration < segment:
        raise SettingsError(
            f"free_runs.duration ({settings.duration:g} MTU) is shorter than the segments of the power spectrum ({segment:g} MTU)"
        )
    initial = _finite_analyses(analysis, settings.count, rng)
    skipped = round(settings.spinup / model.time_step)
    steps = skipped + int(np.ceil(settings.duration / model.time_step))
    states = np.empty((steps - skipped, *initial.shape))
    together = runs(model, initial, steps, model_file["mean"].values, model_file["std"].values)
    for k, state in enumerate(tqdm(together, total=steps + 1, desc="free run", disable=None, leave=False)):
        if initial.size == 0 or np.isnan(state).any():
            return xr.Dataset(), "diverged"
        if k > skipped:
            states[k - skipped - 1] = state
    climate = _pooled([statistics(states[:, i], model.time_step, model_file) for i in range(states.shape[1])])
    for name, value in climate_distances(climate, model_file).items():
        long_name, units = DISTANCES[name]
        climate[name] = ((), value, {"units": units, "long_name": long_name})
    return climate, "ok"


DISTANCES = {
    "mean_error": ("free run minus reference mean, in reference standard deviations", "1"),
    "std_error": ("relative error of the standard deviation of the free run", "1"),
    "pdf_distance": ("Wasserstein distance of the densities, in reference standard deviations", "1"),
    "pdf_hellinger": ("Hellinger distance of the densities", "1"),
    "spectrum_distance": ("log spectral distance over the energetic band", "dB"),
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
