"""What a forecast model does with its inputs: which matter, how, and how its Jacobian compares with the physical one.

Any model can be asked, since only its forecasts are: a learned one is a black box here. The output is the state of a
site after one step; the inputs are the sites around it, or all of them.

* Permutation importance (Breiman 2001, Machine Learning 45, 5-32, section 10; scikit-learn): how much the mean square
  error grows when the values of one input are shuffled over the states, in units of the variance of the increments.
* Partial dependence (Friedman 2001, Ann. Stat. 29, 1189-1232, section 8.2; scikit-learn): the mean increment when one
  input takes a value in all states.
* Jacobian: central differences at states of the record, and its distance from that of the physical model,

      jacobian_error^2 = sum (J - J_physical)^2 / sum (J_physical - I)^2     over states, outputs and inputs.

  One-step errors say little of it: a model may fit the states and err in what perturbations do.

* The share of the physical stencil that is found: of the k inputs on which the physical output depends (root mean
  square derivative above a tenth of the largest), how many are among the k most important ones of the model.
"""

from typing import Any

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.errors import FileError
from assimilearn.models.geometry import Geometry, geometry_of
from assimilearn.models.integrate import forecast
from assimilearn.models.protocol import Model
from assimilearn.settings import Settings
from assimilearn.verification.matching import test_period

OUTPUTS = 12  # sites whose forecasts are looked at where points are not alike
WIDEST = 64  # inputs of an output
WEAK = 0.1  # share of the largest derivative below which an input does not belong to the stencil
STEP = 0.02  # of differences, in standard deviations of the record


class ExplainModelSettings(Settings):
    """How learned models are explained."""

    states: int = Field(200, ge=10, le=10_000, description="states of the test period, spread evenly, that are used")
    radius: int = Field(
        4, ge=0, le=30, description="grid points to either side that count as inputs, on a periodic grid"
    )
    repeats: int = Field(3, ge=1, le=100, description="permutations of each input")
    points: int = Field(15, ge=2, le=200, description="values at which partial dependence is found")


def explain_model(
    model: Model, physical: Model, analysis: xr.Dataset, settings: ExplainModelSettings, rng: np.random.Generator
) -> xr.Dataset:
    """Importance, partial dependence and Jacobian of a model.

    Parameters
    ----------
    model : Model
        Whose step is one interval of the analysis, or divides it.
    physical : Model
        What it is compared with.
    analysis : Dataset
        Whose test period gives states, and what followed them.
    settings : ExplainModelSettings
    rng : numpy.random.Generator
        Of the permutations.

    Returns
    -------
    Dataset
        ``importance``, ``jacobian``, ``jacobian_std``, ``physical_jacobian``, ``physical_strength`` (output, input),
        ``dependence_value``, ``dependence`` (output, input, point), coordinates ``output_site(output)``,
        ``input_site(output, input)``, and ``offset(input)`` on a ring or line; attributes ``jacobian_error``,
        ``stencil_found``, and ``geometry`` where the states have one.

    Raises
    ------
    FileError
        If the test period has no two successive analyses.
    """
    geometry = geometry_of({**analysis.attrs, "size": model.size})
    interval = float(analysis.attrs["interval"])
    before, after = successive(analysis, settings.states)
    outputs, inputs = sites_of(geometry, settings.radius)
    asked = [Asked(m, max(1, round(interval / m.time_step)), before) for m in (model, physical)]
    importance, values, dependence = [], [], []
    for output, seen in zip(outputs, inputs, strict=True):
        importance.append(asked[0].importance(output, seen, after, settings.repeats, int(rng.integers(2**31))))
        at, increments = asked[0].dependence(output, seen, settings.points)
        values.append(at)
        dependence.append(increments)
    learned, known = (one.jacobians(outputs, inputs) for one in asked)
    identity = (inputs == outputs[:, None]).astype(float)
    distance = np.sqrt(np.sum((learned - known) ** 2) / np.sum((known - identity) ** 2))
    variables: dict[str, tuple[tuple[str, ...], Any, str]] = {
        "importance": (("output", "input"), np.array(importance), "increase of the error by permutation of the input"),
        "jacobian": (("output", "input"), learned.mean(axis=0), "mean derivative of the output by the input"),
        "jacobian_std": (("output", "input"), learned.std(axis=0), "standard deviation of the derivative over states"),
        "physical_jacobian": (("output", "input"), known.mean(axis=0), "mean derivative of the physical model"),
        "dependence_value": (("output", "input", "point"), np.array(values), "value of the input"),
        "dependence": (("output", "input", "point"), np.array(dependence), "mean increment of the output"),
    }
    strength = np.sqrt(np.mean(known**2, axis=0))
    variables["physical_strength"] = (("output", "input"), strength, "rms derivative of the physical model")
    dataset = xr.Dataset({n: (d, v, {"long_name": text, "units": "1"}) for n, (d, v, text) in variables.items()})
    dataset = dataset.assign_coords(
        output_site=("output", outputs, {"long_name": "site that is forecast", "units": "1"}),
        input_site=(("output", "input"), inputs, {"long_name": "site that is seen", "units": "1"}),
    )
    if geometry.homogeneous and len(geometry.axes) == 1:
        offsets = np.tile(np.arange(inputs.shape[1] // len(geometry.fields)), len(geometry.fields))
        offsets -= inputs.shape[1] // len(geometry.fields) // 2
        dataset = dataset.assign_coords(offset=("input", offsets, {"long_name": "from the output", "units": "1"}))
    found = float(np.mean([stencil_found(*pair) for pair in zip(np.array(importance), strength, strict=True)]))
    facts = {"jacobian_error": float(distance), "stencil_found": found, "size": model.size}
    return dataset.assign_attrs({**facts, **geometry.attributes})


def stencil_found(importance: np.ndarray, strength: np.ndarray) -> float:
    """Share of the inputs (input,) of the physical model that are among as many most important ones of the model."""
    stencil = np.flatnonzero(strength > WEAK * strength.max())
    return float(np.isin(stencil, np.argsort(importance)[-stencil.size :]).mean())


def successive(analysis: xr.Dataset, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Up to ``count`` states (state, site) of the test period, spread evenly, and those one interval later."""
    test, time = test_period(analysis), analysis["time"].values
    regular = np.abs(np.diff(time) - float(analysis.attrs["interval"])) < 1e-4 * float(analysis.attrs["interval"])
    starts = np.flatnonzero(test[:-1] & test[1:] & regular)
    if starts.size == 0:
        raise FileError("the test period has no two analyses one interval apart: lengthen it under `periods`")
    starts = starts[np.linspace(0, starts.size - 1, min(count, starts.size)).astype(int)]
    mean = analysis["mean"].values.astype(float)
    return mean[starts], mean[starts + 1]


def sites_of(geometry: Geometry, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Sites that are looked at (output,), and for each those that it may depend on (output, input).

    Where all grid points are alike, one point stands for all; it sees its neighbourhood. Else up to ``OUTPUTS`` sites
    see the whole state, or sites of it that are spread evenly.
    """
    if geometry.homogeneous:
        narrowest = min(geometry.fields[0].shape)
        stencil = geometry.stencil(min(radius, (narrowest - 1) // 2))
        point = int(np.ravel_multi_index([k // 2 for k in geometry.fields[0].shape], geometry.fields[0].shape))
        outputs = np.array([part.start + point for part in geometry.slices.values()])
        return outputs, np.repeat(stencil[point][None], outputs.size, axis=0)
    outputs, inputs = (
        np.unique(np.linspace(0, geometry.size - 1, min(most, geometry.size)).astype(int)) for most in (OUTPUTS, WIDEST)
    )
    return outputs, np.repeat(inputs[None], outputs.size, axis=0)


class Asked:
    """A model that forecasts one interval from given states with some of their sites replaced.

    Parameters
    ----------
    model : Model
    steps : in an interval
    states : ndarray (state, site)
    """

    def __init__(self, model: Model, steps: int, states: np.ndarray):
        self.model, self.steps, self.states = model, steps, states

    def forecast(self, output: int, inputs: np.ndarray, X: np.ndarray) -> np.ndarray:
        """The output after one interval from the states, again and again, with ``X (row, input)`` at the inputs."""
        states = np.tile(self.states, (len(X) // len(self.states), 1))
        states[:, inputs] = X
        with np.errstate(over="ignore", invalid="ignore"):
            return forecast(self.model, states, self.steps)[:, output]

    def importance(self, output: int, inputs: np.ndarray, after: np.ndarray, repeats: int, seed: int) -> np.ndarray:
        """Permutation importance (input,), in units of the variance of the increments."""
        from sklearn.inspection import permutation_importance

        found = permutation_importance(
            regressor(lambda X: self.forecast(output, inputs, X)),
            self.states[:, inputs],
            after[:, output],
            scoring="neg_mean_squared_error",
            n_repeats=repeats,
            random_state=seed,
        )
        return found.importances_mean / (np.var(after[:, output] - self.states[:, output]) or 1.0)

    def dependence(self, output: int, inputs: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
        """Values of each input and the mean increments of the output there, both (input, point)."""
        from sklearn.inspection import partial_dependence

        X, at = self.states[:, inputs], []
        means = []
        for k in range(inputs.size):
            grid = np.linspace(np.quantile(X[:, k], 0.05), np.quantile(X[:, k], 0.95), points)
            found = partial_dependence(
                regressor(lambda Z: self.forecast(output, inputs, Z)),
                X,
                [k],
                custom_values={k: grid},
                kind="average",
                method="brute",
            )
            own = grid if inputs[k] == output else self.states[:, output].mean()
            at.append(grid)
            means.append(found["average"][0] - own)
        return np.array(at), np.array(means)

    def jacobians(self, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Derivatives (state, output, input) by central differences."""
        std = self.states.std(axis=0)
        found = np.empty((len(self.states), *inputs.shape))
        for j in np.unique(inputs):
            width = STEP * (std[j] or 1.0)
            moved = np.zeros_like(self.states)
            moved[:, j] = width
            with np.errstate(over="ignore", invalid="ignore"):
                ends = [forecast(self.model, self.states + way * moved, self.steps) for way in (1, -1)]
            slope = (ends[0] - ends[1]) / (2 * width)
            for row, output in enumerate(outputs):
                found[:, row, inputs[row] == j] = slope[:, output, None]
        return found


def regressor(predict: Any) -> Any:
    """A fitted regressor of scikit-learn whose prediction is ``predict(X (row, input)) -> (row,)``."""
    from sklearn.base import BaseEstimator, RegressorMixin

    class Given(RegressorMixin, BaseEstimator):
        """A function as a regressor."""

        def fit(self, X: Any, y: Any) -> "Given":
            return self

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict(self, X: Any) -> np.ndarray:
            return predict(np.asarray(X))

    return Given()
