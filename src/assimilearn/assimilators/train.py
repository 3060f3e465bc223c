"""The one entry: observations, a forecast model and perhaps a truth in, an assimilator file out."""

from typing import Any

import numpy as np
import xarray as xr

from assimilearn.assimilation.problem import pose
from assimilearn.assimilators.files import LAYOUT
from assimilearn.assimilators.settings import AssimilatorSettings
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.protocol import Model
from assimilearn.registry import part_of


def train_assimilator(
    observations: xr.Dataset,
    model: Model,
    settings: AssimilatorSettings,
    climatology_file: xr.Dataset,
    rng: np.random.Generator,
    truth: xr.Dataset | None = None,
) -> xr.Dataset:
    """Train a learned analysis step.

    Parameters
    ----------
    observations : Dataset
        With a training and a validation period.
    model : Model
        The forecast model that stands in the loop.
    settings : AssimilatorSettings
        Of any assimilator.
    climatology_file : Dataset
        Climatology of a model.
    rng : numpy.random.Generator
    truth : Dataset, optional
        For steps whose settings ask for it, and no others.

    Returns
    -------
    Dataset
        ``weight_*``; ``loss(stage)``, ``validation_loss(stage)``, ``iteration(stage)``; attributes ``method``,
        ``settings`` (JSON), ``size``, ``time_step`` (MTU, of the model), ``parameters`` and ``training_analyses`` (how
        many there are), ``status`` "ok", or "failed" with ``reason`` and without weights.

    Raises
    ------
    SettingsError
        If the settings ask for a truth and there is none, or there is one for which they do not ask; if they do not
        fit the geometry or the observations.
    """
    needs_truth = "truth" in settings.needs
    if needs_truth and truth is None:
        raise SettingsError(f"{settings.method} learns from the truth: give it too, or set `learns_from: observations`")
    if truth is not None and not needs_truth:
        raise SettingsError(f"{settings.method} learns from observations alone: no truth may be given to it")
    problem = pose(observations, model, climatology_file)
    settings.refuse_unlike(problem.geometry)
    states = None if truth is None else at_times(truth, problem.times)
    fitted = part_of("assimilator", settings.method).implementation.fit(problem, settings, rng, states)
    dataset = xr.Dataset({f"weight_{name}": array for name, array in fitted.weights.items()})
    texts = {"loss": "training loss", "validation_loss": "validation loss"}
    for name, text in texts.items():
        dataset[name] = ("stage", getattr(fitted, name), {"long_name": text})
    dataset["iteration"] = ("stage", fitted.iteration, {"long_name": "iterations done"})
    for variable in dataset.variables.values():
        variable.attrs.setdefault("units", "1")
    attributes: dict[str, Any] = {
        "method": settings.method,
        "settings": settings.canonical(),
        "layout": LAYOUT,
        "size": problem.model.size,
        "time_step": model.time_step,
        **problem.geometry.attributes,
        **fitted.attributes,
        "status": "failed" if fitted.failure else "ok",
        **({"reason": fitted.failure} if fitted.failure else {}),
    }
    return dataset.assign_attrs(attributes)


def at_times(truth: xr.Dataset, times: np.ndarray) -> np.ndarray:
    """The true states (time, site) at the observation times.

    Raises
    ------
    FileError
        If the truth lacks one of them.
    """
    known = truth["time"].values
    place = np.clip(np.searchsorted(known, times - 1e-9), 0, known.size - 1)
    if not np.allclose(known[place], times, rtol=0, atol=1e-6):
        raise FileError("the truth lacks some of the observation times")
    return truth["state"].transpose("time", "site").values[place]
