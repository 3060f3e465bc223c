"""Every emulator as a scikit-learn estimator: ``fit``, ``predict``, ``get_params``, ``clone``, pipelines and searches.

    from assimilearn.emulators.estimator import EmulatorRegressor
    emulator = EmulatorRegressor("cnn", epochs=5, kernel=3).fit(states)         # a trajectory (time, site)
    forecast = emulator.predict(states[-1:])                                    # one interval later

Pedregosa et al. (2011), J. Mach. Learn. Res. 12, 2825-2830. The settings of the method are parameters of the estimator.
This file imports scikit-learn.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import TypeAdapter, ValidationError
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from assimilearn.emulators.emulator import Emulator
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.train import AnyEmulator, emulator_of, method_of
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry, ring, without_space
from assimilearn.models.protocol import with_memory
from assimilearn.registry import first_line

SHAPE = "y must have the shape of X: each row the state one interval after that row of X"


class EmulatorRegressor(RegressorMixin, BaseEstimator):
    """A forecast model learned from states: one interval forward.

    Parameters
    ----------
    method : str
        Any emulator that is learned from states alone.
    geometry : Geometry, optional
        Where the numbers of a state are; by default a ring of one field.
    validation : float
        Share of the data, the last, that is not learned from: early stopping, where there is any.
    random_state : int, RandomState or None
        Of what the method draws.
    **settings
        Settings of the method.

    Attributes
    ----------
    emulator_ : Emulator
        The fitted model.
    n_features_in_ : int
        Number of sites.
    """

    def __init__(
        self,
        method: str = "sklearn",
        *,
        geometry: Geometry | None = None,
        validation: float = 0.2,
        random_state: Any = None,
        **settings: Any,
    ) -> None:
        self.method = method
        self.geometry = geometry
        self.validation = validation
        self.random_state = random_state
        self.settings = settings

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name, settings of the method among them."""
        own: dict[str, Any] = super().get_params(deep)
        return own | self.settings

    def set_params(self, **params: Any) -> Self:
        """Set some of the parameters; settings are checked in ``fit``."""
        for name, value in params.items():
            if name in self._get_param_names():
                setattr(self, name, value)
            else:
                self.settings = {**self.settings, name: value}
        return self

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn from a trajectory ``X (time, site)``, or from pairs of states X and y, both (pair, site).

        Raises
        ------
        SettingsError
            If the settings cannot be used, the method is not learned from states alone, or its training failed.
        ValueError
            If the numbers cannot be used.
        """
        states = self._windows(X, y)
        settings = self._validated()
        geometry = self.geometry or (ring(states.shape[2]) if states.shape[2] > 1 else without_space(["x"]))
        if geometry.size != states.shape[2]:
            raise ValueError(f"X has {states.shape[2]} features, and the geometry has {geometry.size} sites")
        settings.refuse_unlike(geometry)
        held_out = max(1, round(self.validation * len(states)))
        training, validation = (
            Windows(part, np.ones_like(part[:, 1:]), geometry) for part in (states[:-held_out], states[-held_out:])
        )
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        fitted = method_of(settings).fit(training, validation, settings, rng)
        if fitted.failure:
            raise SettingsError(f"the training of {self.method} failed: {fitted.failure}")
        weights = {name: array.values for name, array in fitted.weights.items()}
        self.emulator_: Emulator = emulator_of(settings, weights, geometry, 1.0)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """States (row, site) one interval after ``X (row, site)``."""
        check_is_fitted(self)
        states = validate_data(self, X, reset=False, dtype=float)
        return self.emulator_.step(with_memory(self.emulator_, states))[:, : self.emulator_.size]

    def __sklearn_tags__(self) -> Any:
        """Several outputs, one for each input."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required, tags.target_tags.multi_output = False, True
        tags.target_tags.single_output = False
        return tags

    def _validated(self) -> Any:
        """The settings of the method."""
        try:
            settings: Any = TypeAdapter(AnyEmulator).validate_python({"method": self.method, **self.settings})
        except ValidationError as error:
            raise SettingsError(f"the settings of {self.method} cannot be used: {first_line(error)}") from error
        if settings.needs != ("analysis",):
            raise SettingsError(f"{self.method} is not learned from states alone: use assimilearn.emulators.train")
        return settings

    def _windows(self, X: ArrayLike, y: ArrayLike | None) -> np.ndarray:
        """Successive states (window, step + 1, site)."""
        if y is not None:
            X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=float, ensure_min_samples=2)
            if np.shape(y) != np.shape(X):
                raise ValueError(SHAPE)
            if (steps := self._validated().steps) > 1:
                raise ValueError(f"{self.method} learns from {steps} successive steps: give a trajectory X alone")
            return np.stack([X, np.asarray(y, dtype=float)], axis=1)
        steps = self._validated().steps
        states: np.ndarray = validate_data(self, X, dtype=float, ensure_min_samples=steps + 2)
        return states[np.arange(len(states) - steps)[:, None] + np.arange(steps + 1)]
