"""Any scikit-learn regressor for the increments of one interval, from a stencil of neighbours or the whole state.

Pedregosa et al. (2011), J. Mach. Learn. Res. 12, 2825-2830. Inputs are standardised field by field, outputs are
increments in units of their root mean square. Samples count by 1 / (analysis variance + 0.01) where the regressor takes
weights. An estimator that gives one number at a time is fitted once for each output. One function serves all grid
points (``shared``), or each has one of its own. Least squares, lasso and elastic net are ``LinearRegression``,
``Lasso`` and ``ElasticNet``.

Stored by skops: nothing in the file is executed, and types that are not on a stated list are refused.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from pydantic import Field, field_validator, model_validator

from assimilearn.emulators.classical.threads import one_thread_of_all
from assimilearn.emulators.emulator import Fitted, Step
from assimilearn.emulators.fields import SCALING_SHAPES, View, field_scaling, field_scaling_from, places, view
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry

LOCAL = True
MEMORY_ADDRESS = re.compile(r'"__id__": (\d+)')
WHOLE_NUMBER = re.compile(r"\b\d{9,}\b")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
TRUSTED = {
    *("sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"),
    *(
        f"sklearn.gaussian_process.kernels.{name}"
        for name in ("ConstantKernel", "Product", "Sum", "RBF", "WhiteKernel")
    ),
    *(f"sklearn.gaussian_process.kernels.{name}" for name in ("Matern", "RationalQuadratic", "DotProduct")),
    *("sklearn.metrics._dist_metrics.EuclideanDistance64", "sklearn.metrics._dist_metrics.ManhattanDistance64"),
    *("sklearn.neighbors._kd_tree.KDTree", "sklearn.neighbors._ball_tree.BallTree"),
    *("sklearn.neural_network._stochastic_optimizers.AdamOptimizer",),
    *("sklearn._loss.loss.HalfBinomialLoss", "sklearn._loss.loss.HalfMultinomialLoss"),
    *("sklearn.neural_network._stochastic_optimizers.SGDOptimizer", "sklearn._loss.loss.HalfTweedieLossIdentity"),
}
"""Types that a stored estimator may hold besides those that skops trusts by itself."""


class RegressorSettings(EmulatorSettings):
    """Any regressor of scikit-learn, or a pipeline of transformers and one."""

    compiles: ClassVar[bool] = False

    method: Literal["sklearn"] = "sklearn"
    estimator: str | list[str] = Field(
        "HistGradientBoostingRegressor",
        description="name of a regressor of scikit-learn, or names of transformers and, last, a regressor: a pipeline",
    )
    parameters: dict[str, Any] = Field(
        {}, description="parameters of the estimator; in a pipeline `name__parameter`, with names in lower case"
    )
    radius: int | None = Field(
        2,
        ge=0,
        le=100,
        description="grid points of the stencil along each axis; null, or without space: the whole state",
    )
    shared: bool = Field(True, description="one function for all grid points; false: each has one of its own")
    position: bool = Field(
        False, description="where a grid point is counts among its inputs: sine and cosine along periodic axes"
    )
    stride: int = Field(1, ge=1, description="every how many training times are used")

    @field_validator("estimator")
    @classmethod
    def _exists(cls, value: str | list[str]) -> str | list[str]:
        names = [value] if isinstance(value, str) else value
        if not names:
            raise ValueError("name a regressor")
        for place, name in enumerate(names):
            allowed = regressors() if place == len(names) - 1 else transformers()
            if name not in allowed:
                kind = "regressor" if place == len(names) - 1 else "transformer"
                raise ValueError(f"scikit-learn has no {kind} {name!r}{nearest(name, allowed)}")
        return value

    @model_validator(mode="after")
    def _parameters_fit(self) -> "RegressorSettings":
        estimator = self.unfitted(0)
        known = estimator.get_params()
        for name in self.parameters:
            if name not in known:
                raise ValueError(f"parameters: {self.estimator} has no parameter {name!r}{nearest(name, known)}")
        return self

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if a stencil is asked for where grid points are not alike, or wider than an axis."""
        seen_by(self, geometry)

    @property
    def local(self) -> bool:
        """Not where positions count: they are those of one grid."""
        return super().local and not self.position

    def unfitted(self, seed: int) -> Any:
        """The estimator with its parameters, its random state set where it has one."""
        from sklearn.pipeline import Pipeline

        names = [self.estimator] if isinstance(self.estimator, str) else self.estimator
        classes = {**regressors(), **transformers()}
        steps = [(name.lower(), classes[name]()) for name in names]
        estimator = steps[0][1] if isinstance(self.estimator, str) else Pipeline(steps)
        known = estimator.get_params()
        seeds = {name: seed for name in known if name.split("__")[-1] == "random_state"}
        return estimator.set_params(**seeds, **{k: v for k, v in self.parameters.items() if k in known})


def seen_by(settings: RegressorSettings, geometry: Geometry) -> View:
    """The view of the settings; points need not be alike where their position tells them apart."""
    if settings.position and (settings.radius is None or not settings.shared):
        raise SettingsError("position: only one function of a stencil, for all points, has use for where they are")
    if settings.position:
        places(geometry)
    return view(geometry, settings.radius, shared=settings.shared and not settings.position)


def inputs_of(states: np.ndarray, seen: View, settings: RegressorSettings, geometry: Geometry) -> np.ndarray:
    """Inputs (row * point, input) from standardised ``states (row, site)``: the stencil, and perhaps the position."""
    rows = seen.rows(states)
    if not settings.position:
        return rows
    return np.hstack([rows, np.tile(places(geometry), (len(states), 1))])


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A hint at the name that was meant, if there is one near."""
    near = get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


@cache
def regressors() -> Mapping[str, Callable[..., Any]]:
    """Regressors of scikit-learn by name."""
    return estimators("regressor")


@cache
def transformers() -> Mapping[str, Callable[..., Any]]:
    """Transformers of scikit-learn by name."""
    return estimators("transformer")


def estimators(kind: str) -> Mapping[str, Callable[..., Any]]:
    """Estimators of a kind ("regressor", "classifier", "transformer") that can be made without arguments, by name."""
    import inspect

    from sklearn.utils.discovery import all_estimators

    found = {}
    for name, cls in all_estimators(type_filter=kind):
        parameters = list(inspect.signature(cls).parameters.values())
        if all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
            found[name] = cls
    return found


def fit(training: Windows, validation: Windows, settings: RegressorSettings, rng: np.random.Generator) -> Fitted:
    """Fit the estimator, or one for each grid point, on one thread: the result is the same on any number of cores."""
    scaling = field_scaling(training)
    seen = seen_by(settings, training.geometry)
    inputs, targets = training.inputs[:: settings.stride], training.targets[:: settings.stride]
    rows = inputs_of(scaling.standardised(inputs), seen, settings, training.geometry)
    outputs = seen.targets(scaling.increments(targets - inputs))
    weights = seen.targets(training.weights[:: settings.stride, 0]).mean(axis=1)
    seed = int(rng.integers(2**31))
    if settings.shared:
        return Fitted({**scaling.arrays(), "estimator": stored(fitted(settings, rows, outputs, weights, seed))})
    points = len(seen.inputs)
    each = [fitted(settings, rows[k::points], outputs[k::points], weights[k::points], seed) for k in range(points)]
    return Fitted({**scaling.arrays(), "estimator": stored(each)})


def fitted(settings: RegressorSettings, rows: np.ndarray, outputs: np.ndarray, weights: np.ndarray, seed: int) -> Any:
    """An estimator of ``outputs (row, output)`` from ``rows (row, input)``, with ``weights (row,)`` if it takes them.

    Raises
    ------
    SettingsError
        If scikit-learn refuses a parameter or the data.
    """
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.utils.validation import has_fit_parameter
    from threadpoolctl import threadpool_limits

    estimator = settings.unfitted(seed)
    last = estimator.steps[-1] if hasattr(estimator, "steps") else ("", estimator)
    name = f"{last[0]}__sample_weight".removeprefix("__")
    given = {name: weights} if has_fit_parameter(last[1], "sample_weight") else {}
    if outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    elif not takes_several(estimator):
        estimator = MultiOutputRegressor(estimator)
        given = {} if last[0] else given  # it does not hand weights on to a step of a pipeline
    try:
        with threadpool_limits(1):
            estimator.fit(rows, outputs, **given)
    except (ValueError, TypeError) as error:
        raise SettingsError(f"scikit-learn cannot fit {settings.estimator}: {str(error).splitlines()[0]}") from error
    return estimator


def takes_several(estimator: Any) -> bool:
    """Whether the estimator can be fitted to several outputs at once."""
    from sklearn.utils import get_tags

    return not get_tags(estimator).target_tags.single_output and get_tags(estimator).target_tags.multi_output


def stored(estimator: Any) -> xr.DataArray:
    """The estimator as bytes, the same for equal estimators."""
    from skops.io import dumps

    source, target = zipfile.ZipFile(io.BytesIO(dumps(estimator))), io.BytesIO()
    schema = source.read("schema.json").decode()
    # objects are numbered by where they lay in memory: here by their order instead
    numbers = {old: str(k) for k, old in enumerate(dict.fromkeys(MEMORY_ADDRESS.findall(schema)))}
    with zipfile.ZipFile(target, "w") as file:
        for name in sorted(source.namelist(), key=lambda name: int(numbers.get(name.split(".")[0], -1))):
            content = renumbered(schema, numbers).encode() if name == "schema.json" else source.read(name)
            file.writestr(zipfile.ZipInfo(renumbered(name, numbers), EPOCH), content, zipfile.ZIP_DEFLATED)
    stored_bytes = np.frombuffer(target.getvalue(), dtype=np.uint8)
    return xr.DataArray(stored_bytes, dims="byte", attrs={"long_name": "estimator, stored by skops"})


def renumbered(text: str, numbers: Mapping[str, str]) -> str:
    """The text with every address replaced by its number."""
    return WHOLE_NUMBER.sub(lambda found: numbers.get(found.group(), found.group()), text)


def restored(content: np.ndarray) -> Any:
    """The estimator that :func:`stored` gave.

    Raises
    ------
    FileError
        If the bytes are no estimator, or hold a type that is not trusted.
    """
    from skops.io import get_untrusted_types, loads
    from skops.io.exceptions import UntrustedTypesFoundException

    data = np.asarray(content, dtype=np.uint8).tobytes()
    try:
        types = get_untrusted_types(data=data)
        if wrong := sorted(set(types) - TRUSTED):
            raise FileError(f"the stored estimator holds the type {wrong[0]}, which is not trusted")
        return loads(data, trusted=sorted(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise FileError(f"the stored estimator cannot be trusted: {error}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, ImportError, OSError) as error:
        raise FileError(f"the stored estimator cannot be read: {error}") from error


def shapes(settings: RegressorSettings, size: int) -> dict[str, Shape]:
    """What a file must hold."""
    return {**SCALING_SHAPES, "estimator": ("byte",)}


def problems(weights: Mapping[str, np.ndarray], settings: RegressorSettings) -> list[str]:
    """What is wrong with weights of the right shapes."""
    return [] if (weights["std"] > 0).all() else ["weight_std is not above 0 everywhere"]


def mapping(weights: Mapping[str, np.ndarray], settings: RegressorSettings, geometry: Geometry) -> Step:
    """The step: all members and points in one call of ``predict``, or one call a grid point."""
    estimator, scaling = restored(weights["estimator"]), field_scaling_from(weights, geometry)
    seen = seen_by(settings, geometry)
    points, inputs = seen.inputs.shape
    inputs += places(geometry).shape[1] if settings.position else 0
    each = [estimator] if settings.shared else estimator
    if not isinstance(each, list) or len(each) != (1 if settings.shared else points):
        raise FileError("the stored estimators are not one for each grid point")
    if any(getattr(one, "n_features_in_", None) != inputs for one in each):
        raise FileError(f"the stored estimator does not take the {inputs} inputs of its settings")
    alone = one_thread_of_all()  # after the estimator has loaded its libraries

    def step(states: np.ndarray) -> np.ndarray:
        rows, count = inputs_of(scaling.standardised(states), seen, settings, geometry), len(each)
        increments = np.empty((len(rows), seen.outputs.shape[1]))
        with alone():
            for k, one in enumerate(each):
                increments[k::count] = np.reshape(one.predict(rows[k::count]), (-1, increments.shape[1]))
        return scaling.added(states, seen.states(increments))

    return step
