"""The one entry: observations and a model in, an analysis out."""

from dataclasses import replace

import numpy as np
import xarray as xr

from assimilearn.assimilation.background.climatology import Background
from assimilearn.assimilation.cycling.divergence import guarded, lost_windows, outcome
from assimilearn.assimilation.cycling.record import as_dataset, described
from assimilearn.assimilation.learned_step import AnalysisStep
from assimilearn.assimilation.methods.named import run_of
from assimilearn.assimilation.problem import pose, refuse_misfit
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.models.protocol import Model
from assimilearn.periods import with_periods


def assimilate(
    observations: xr.Dataset,
    model: Model,
    settings: AnalysisSettings,
    climatology_file: xr.Dataset,
    rng: np.random.Generator,
    step: AnalysisStep | None = None,
    start: Background | None = None,
) -> xr.Dataset:
    """Assimilate observations into forecasts of a model.

    Parameters
    ----------
    observations : Dataset
        ``value``, ``error_std``, ``site_index``, ``valid`` (time, observation), ``period(time)``. A time may have no
        valid entry: the analysis is then the forecast.
    model : Model
        Any: the true one, a wrong one, or an emulator. Without a compiled step all members are stepped in one batch.
    settings : AnalysisSettings
        Of any of the methods.
    climatology_file : Dataset
        Climatology of a model: the background of BLUE and 3D-Var, and the distribution of the initial ensemble, which
        is taken as the forecast at the first time.
    rng : numpy.random.Generator
    step : AnalysisStep, optional
        The trained step of the method ``learned``.
    start : Background, optional
        Distribution of the state before the first observation, from
        :func:`assimilearn.assimilation.beginning.beginning`; by default that of the climatology.

    Returns
    -------
    Dataset
        The analysis artifact. The attribute ``status`` is "diverged" if the mean became NaN or left the climatology
        (values from ``diverged_at`` on are NaN), and "lost" if ``lost_fraction`` is above a half: the share of windows
        of 100 analysis times, but the first, in which by the innovations the forecast is worse than the climatology or
        far surer than right (:mod:`assimilearn.assimilation.cycling.divergence`). ``reason`` then says why. With a
        background check there is ``rejected(time, observation)``.

    Raises
    ------
    FileError
        If the observations or the climatology file are not usable.
    SettingsError
        If the settings do not fit the model, the kind of observations, or each other.
    """
    problem = replace(pose(observations, model, climatology_file), step=step, start=start)
    refuse_misfit(problem, settings)
    run_rng, _ = rng.spawn(2)  # the other stream is that of a search of its settings
    record = guarded(run_of(settings), problem, settings, run_rng)
    attributes = {"method": settings.method, **outcome(record, problem, lost_windows(record, problem))}
    attributes |= described(problem)
    dataset = with_periods(as_dataset(record, problem, **attributes), problem.period)
    if settings.rejects_beyond is not None:
        rejected = ((problem.valid != 0) & (record.used == 0)).astype(np.int8)
        attributes = {"units": "1", "long_name": "1 where the background check rejected a valid observation"}
        dataset["rejected"] = (("time", "observation"), rejected, attributes)
    return dataset
