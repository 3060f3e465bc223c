"""What makes the forecasts of a run: the model, with what the settings of the method add to it.

Model error that depends on the state, x' = M(x) + s(x) e with e standard normal, is chance in the step of a model: it
becomes one that draws.
"""

from dataclasses import dataclass

import numpy as np

from assimilearn.assimilation.cycling.parameters import augmented
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.errors import SettingsError
from assimilearn.models.protocol import CompiledStep, Model, WithErrorStd, draws_of, memory_of, with_memory


@dataclass(frozen=True)
class ErringByState:
    """A model whose steps have the error that it states for each state.

    Attributes
    ----------
    model : Model
        With ``error_std``.
    sites : int
        Entries of a state that err: those after them are memory or parameters.
    scale : float
        Factor on the standard deviation.
    """

    model: Model
    sites: int
    scale: float

    @property
    def size(self) -> int:
        """That of the model."""
        return self.model.size

    @property
    def time_step(self) -> float:
        """Length of one step in MTU."""
        return self.model.time_step

    @property
    def compiled(self) -> CompiledStep | None:
        """None: the standard deviation is a Python function."""
        return None

    @property
    def draws(self) -> int:
        """Numbers of the model's own step, then one for each site."""
        return draws_of(self.model) + self.sites

    @property
    def memory(self) -> int:
        """That of the model."""
        return memory_of(self.model)

    def begin(self, states: np.ndarray) -> np.ndarray:
        """As the model begins."""
        return with_memory(self.model, states)

    def step(self, states: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """One step of ``states (..., site + memory)``, and its error, given ``noise (..., draws)``."""
        if noise is None:
            return self.model.step(states)
        own, of_sites = noise[..., : -self.sites], noise[..., -self.sites :]
        stepped = self.model.step(states, own) if own.shape[-1] else self.model.step(states)  # type: ignore[call-arg]
        assert isinstance(self.model, WithErrorStd)  # the only models that this is made of
        stepped[..., : self.sites] += self.scale * self.model.error_std(states) * of_sites
        return stepped


def forecast_model(model: Model, settings: AnalysisSettings) -> Model:
    """What makes the forecasts of a run.

    Raises
    ------
    SettingsError
        If the method cannot use the model, or the model has not what the settings ask for.
    """
    name, by_state = settings.method, settings.error_given.std == "by_state"
    if (draws_of(model) > 0 or by_state) and not settings.stochastic_models:
        raise SettingsError(f"{name} has no use for a model with chance in its steps: take an ensemble filter, as etkf")
    if memory_of(model) > 0 and not settings.models_with_memory:
        raise SettingsError(f"{name} cannot carry the memory of this model: take an ensemble filter, as etkf or letkf")
    if memory_of(model) > 0 and settings.estimates:
        raise SettingsError("parameters: a model with memory has none that could be estimated")
    forecaster = augmented(model, settings.estimates)
    if not by_state:
        return forecaster
    if not isinstance(forecaster, WithErrorStd):
        raise SettingsError('model_error "by_state" needs a forecast model that says how wrong it is: give a number')
    return ErringByState(forecaster, model.size, settings.error_given.scale)
