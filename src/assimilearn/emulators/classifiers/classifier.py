"""Train a classifier on an analysis, keep it as a Dataset with its forecasts of the test period, and open it again."""

from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, TypeAlias

import numpy as np
import xarray as xr
from pydantic import Field, TypeAdapter, ValidationError

from assimilearn.emulators import pairs
from assimilearn.emulators.classifiers import estimators, network
from assimilearn.emulators.classifiers.settings import ClassifierSettings, Labelled, Probability
from assimilearn.emulators.fields import field_scaling, field_scaling_from
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.periods import TEST
from assimilearn.registry import first_line

AnyClassifier: TypeAlias = Annotated[
    network.NetworkClassifierSettings | estimators.EstimatorSettings, Field(discriminator="method")
]
"""Settings of any classifier, told apart by `method`."""


def module_of(settings: ClassifierSettings) -> ModuleType:
    """The file of a method."""
    return network if isinstance(settings, network.NetworkClassifierSettings) else estimators


@dataclass(frozen=True)
class Classifier:
    """What gives probabilities.

    Attributes
    ----------
    settings : ClassifierSettings
    geometry : Geometry
    boundaries : ndarray (category - 1,)
        Values that separate the categories.
    probability : callable
        ``probability(states (row, site)) -> (row, point, category)``.
    """

    settings: ClassifierSettings
    geometry: Geometry
    boundaries: np.ndarray
    probability: Probability


def train_classifier(analysis: xr.Dataset, settings: Any, rng: np.random.Generator) -> xr.Dataset:
    """Fit a classifier to the training period, and forecast from the analyses of the test period.

    Parameters
    ----------
    analysis : Dataset
        ``mean(time, site)``, ``period(time)``. Labels are what the analysis says afterwards.
    settings : settings of any classifier
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
        ``probability(time, point, category)`` for all times of the test period; ``boundary``, ``base_rate(category)``,
        the frequencies in training; ``weight_*``; ``loss(epoch)``, ``validation_loss(epoch)`` of networks.

    Raises
    ------
    FileError
        If the analysis is too short, or all of its training period is of one category.
    """
    event = settings.event
    geometry = geometry_of({**analysis.attrs, "size": analysis.sizes["site"]})
    settings.refuse_unlike(geometry)
    training, validation = (pairs.windows(analysis, period, event.lead) for period in ("train", "validation"))
    boundaries = event.boundaries(training.inputs, geometry)
    labelled, held_out = (
        Labelled(part.inputs, event.labels(part.states, boundaries, geometry)) for part in (training, validation)
    )
    base_rate = np.bincount(labelled.labels.ravel(), minlength=event.categories) / labelled.labels.size
    if (base_rate > 0).sum() < 2:
        raise FileError("the training period of the analysis is all of one category: choose other `thresholds`")
    scaling = field_scaling(training)
    fitted = module_of(settings).fit(labelled, held_out, settings, scaling, geometry, rng)
    curves = {name: fitted.pop(name) for name in ("loss", "validation_loss") if name in fitted}
    arrays = {f"weight_{name}": array for name, array in {**scaling.arrays(), **fitted}.items()}
    for array in arrays.values():
        array.attrs.setdefault("units", "1")
    dataset = xr.Dataset(arrays | curves)
    told = {"units": "1", "long_name": "values that separate the categories"}
    dataset["boundary"] = ("threshold", boundaries, told)
    told = {"units": "1", "long_name": "frequency of each category in training"}
    dataset["base_rate"] = ("category", base_rate, told)
    dataset.attrs = {
        "method": settings.method,
        "settings": settings.canonical(),
        "size": geometry.size,
        "interval": pairs.interval(analysis),
        **geometry.attributes,
    }
    test = np.flatnonzero(analysis["period"].values == TEST)
    states = analysis["mean"].values[test].astype(float)
    found = np.full((test.size, event.sites(geometry).size, event.categories), np.nan, dtype=np.float32)
    usable = np.isfinite(states).all(axis=1)
    found[usable] = open_classifier(dataset).probability(states[usable])
    told = {"units": "1", "long_name": "probability of each category of what follows"}
    dataset["probability"] = (("time", "point", "category"), found, told)
    return dataset.assign_coords(
        time=("time", analysis["time"].values[test], analysis["time"].attrs),
        point=("point", event.sites(geometry), {"units": "1", "long_name": "site of the field"}),
    )


def open_classifier(dataset: xr.Dataset) -> Classifier:
    """The classifier that :func:`train_classifier` stored.

    Raises
    ------
    FileError
        If the file is none, or its weights are not those of its settings.
    """
    try:
        settings: Any = TypeAdapter(AnyClassifier).validate_json(dataset.attrs["settings"])
        geometry = geometry_of(dataset.attrs)
        weights = {str(n).removeprefix("weight_"): dataset[n].values for n in dataset if str(n).startswith("weight_")}
        scaling = field_scaling_from(weights, geometry)
        probability = module_of(settings).opened(weights, settings, scaling, geometry)
    except ValidationError as error:
        raise FileError(f"the settings in the file of the classifier cannot be used: {first_line(error)}") from error
    except (KeyError, SettingsError) as error:
        raise FileError(f"the file of the classifier cannot be used: {error}") from error
    return Classifier(settings, geometry, dataset["boundary"].values, probability)
