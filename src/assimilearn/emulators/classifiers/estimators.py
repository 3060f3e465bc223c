"""Any scikit-learn classifier: logistic regression, trees, forests, boosting, and pipelines that end in one.

One function serves all grid points that are alike; of the whole state (``radius: null``) there is one for each site of
the field. Stored by skops, as regressors are.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field, field_validator

from assimilearn.emulators.classical.regressor import estimators, nearest, restored, stored, transformers
from assimilearn.emulators.classical.threads import one_thread_of_all
from assimilearn.emulators.classifiers.settings import ClassifierSettings, Labelled, Probability
from assimilearn.emulators.fields import FieldScaling, view
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class EstimatorSettings(ClassifierSettings):
    """A classifier of scikit-learn on a stencil, or of the whole state."""

    method: Literal["sklearn-classifier"] = "sklearn-classifier"
    estimator: str | list[str] = Field(
        "LogisticRegression",
        description="name of a classifier of scikit-learn with probabilities, or names of transformers and, last, one",
    )
    parameters: dict[str, Any] = Field({}, description="parameters of the estimator; in a pipeline `name__parameter`")
    radius: int | None = Field(
        2, ge=0, le=100, description="grid points of the stencil along each axis; null, or without space: all"
    )

    @field_validator("estimator")
    @classmethod
    def _exists(cls, value: str | list[str]) -> str | list[str]:
        names = [value] if isinstance(value, str) else value
        for place, name in enumerate(names):
            allowed = classifiers() if place == len(names) - 1 else transformers()
            if name not in allowed:
                raise ValueError(f"scikit-learn has no {name!r} here{nearest(name, allowed)}")
        return value

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where one function cannot serve all points."""
        super().refuse_unlike(geometry)
        view(geometry, self.radius)

    def unfitted(self, seed: int) -> Any:
        """The estimator with its parameters, its random state set where it has one."""
        from sklearn.pipeline import make_pipeline

        names = [self.estimator] if isinstance(self.estimator, str) else self.estimator
        made = [{**classifiers(), **transformers()}[name]() for name in names]
        estimator = made[0] if isinstance(self.estimator, str) else make_pipeline(*made)
        seeds = {name: seed for name in estimator.get_params() if name.split("__")[-1] == "random_state"}
        try:
            return estimator.set_params(**seeds, **self.parameters)
        except ValueError as error:
            raise SettingsError(f"parameters: {str(error).splitlines()[0]}") from error


@cache
def classifiers() -> Mapping[str, Callable[..., Any]]:
    """Classifiers of scikit-learn with probabilities, by name."""
    return {name: cls for name, cls in estimators("classifier").items() if hasattr(cls, "predict_proba")}


def fit(
    training: Labelled,
    validation: Labelled,
    settings: EstimatorSettings,
    scaling: FieldScaling,
    geometry: Geometry,
    rng: np.random.Generator,
) -> dict[str, xr.DataArray]:
    """Fit an estimator for each output of the view that is of the field."""
    seen, alone = view(geometry, settings.radius), one_thread_of_all()
    rows, seed = seen.rows(scaling.standardised(training.states)), int(rng.integers(2**31))
    fitted = []
    for points in outputs(seen.outputs, settings, geometry):
        with alone():
            try:
                fitted.append(settings.unfitted(seed).fit(rows, training.labels[:, points].ravel()))
            except (ValueError, TypeError) as error:
                reason = str(error).splitlines()[0]
                raise SettingsError(f"scikit-learn cannot fit {settings.estimator}: {reason}") from error
    return {"estimator": stored(fitted)}


def outputs(given: np.ndarray, settings: ClassifierSettings, geometry: Geometry) -> list[np.ndarray]:
    """For each output (column of ``given (point, output)``) that is of the field, which of its sites it gives."""
    sites = settings.event.sites(geometry)
    columns = [column for column in given.T if np.isin(column, sites).all()]
    return [np.searchsorted(sites, column) for column in columns]


def opened(
    weights: Mapping[str, np.ndarray], settings: EstimatorSettings, scaling: FieldScaling, geometry: Geometry
) -> Probability:
    """Probabilities from the stored estimators."""
    each, seen = restored(weights["estimator"]), view(geometry, settings.radius)
    places, alone = outputs(seen.outputs, settings, geometry), one_thread_of_all()
    count, points = settings.event.categories, settings.event.sites(geometry).size

    def probability(states: np.ndarray) -> np.ndarray:
        rows, found = seen.rows(scaling.standardised(states)), np.zeros((len(states), points, count))
        for one, where in zip(each, places, strict=True):
            with alone():
                given = one.predict_proba(rows).reshape(len(states), where.size, -1)
            for column, category in enumerate(one.classes_):
                found[:, where, int(category)] = given[..., column]
        return found

    return probability
