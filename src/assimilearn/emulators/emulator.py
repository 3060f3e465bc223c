"""An emulator is a Model: learned weights and the compiled step that uses them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr

from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry, ring
from assimilearn.models.protocol import CompiledStep

LAYOUT = 1
"""Version of the way in which weights are stored; files of a newer one are refused."""


Step: TypeAlias = Callable[..., np.ndarray]
"""``step(states (row, site + memory)) -> states``: one interval forward; its input is its own. That of an emulator with
chance is given ``noise (row, draws)`` besides."""


class Fitted(NamedTuple):
    """What the ``fit`` of a method returns.

    Attributes
    ----------
    weights : dict of name -> DataArray
        Everything that the step needs beside the settings.
    loss, validation_loss : ndarray (epoch,)
        Empty for methods without epochs.
    failure : str
        Why the weights are unusable; empty if they are not.
    step_loss : ndarray (step,)
        Of every mini-batch; empty for methods without them.
    """

    weights: dict[str, xr.DataArray]
    loss: np.ndarray = np.empty(0)
    validation_loss: np.ndarray = np.empty(0)
    failure: str = ""
    step_loss: np.ndarray = np.empty(0)


@dataclass(frozen=True)
class Emulator:
    """A learned forecast model; one step is one assimilation interval.

    Attributes
    ----------
    settings : EmulatorSettings
        The settings of the method, as fitted.
    weights : mapping of name -> ndarray
    geometry : Geometry
        Where the numbers of a state are.
    time_step : float
        Length of one step in MTU.
    residual_std : float
        One-step rms error on the validation period of the analysis; NaN if not measured yet.
    compiled : CompiledStep or None
        The step for compiled loops, where the method has one.
    mapping : callable or None
        ``mapping(states (row, site)) -> states``: the step of a method without a compiled one.
    local : bool
        Whether every site is forecast by the same function of its neighbours.
    draws, memory : int
        Standard normal numbers that a member needs in each step, and entries that it carries after its sites
        (:mod:`assimilearn.models.protocol`).
    begin : callable, optional
        ``begin(states (..., site))`` puts the first memory after the sites.
    error_std : callable, optional
        ``error_std(states (..., site + memory))`` is the standard deviation, (..., site), of the error of a step.
    """

    settings: EmulatorSettings
    weights: Mapping[str, np.ndarray]
    geometry: Geometry
    time_step: float
    residual_std: float
    compiled: CompiledStep | None
    mapping: Step | None
    local: bool
    draws: int = field(default=0, kw_only=True)
    memory: int = field(default=0, kw_only=True)
    begin: Callable[[np.ndarray], np.ndarray] | None = field(default=None, kw_only=True)
    error_std: Callable[[np.ndarray], np.ndarray] | None = field(default=None, kw_only=True)

    @property
    def size(self) -> int:
        """Number of sites."""
        return self.geometry.size

    def step(self, states: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """Map ``states (..., site + memory)`` one interval forward; the input is left as it was.

        ``noise (..., draws)`` are standard normal numbers of an emulator with chance; by default zeros.

        Raises
        ------
        ValueError
            If the last axis is not ``size + memory`` long.
        """
        states, width = np.array(states, dtype=float, order="C"), self.size + self.memory
        if states.ndim == 0 or states.shape[-1] != width:
            raise ValueError(f"states of shape {states.shape}: the last axis must be the {width} sites")
        rows = states.reshape(-1, width)
        chance = np.zeros((len(rows), self.draws)) if noise is None else np.reshape(noise, (len(rows), self.draws))
        if self.compiled is None:
            assert self.mapping is not None
            stepped = self.mapping(rows) if self.draws == 0 else self.mapping(rows, chance)
        else:
            stepped = np.hstack([rows, chance])
            self.compiled.step(stepped, self.compiled.parameters)
        return stepped[:, :width].reshape(states.shape)

    def on_ring(self, size: int) -> "Emulator":
        """The same local emulator on a ring of another size.

        Raises
        ------
        SettingsError
            If the method is not local.
        """
        if not self.local and size != self.size:
            raise SettingsError(f"this emulator is bound to {self.size} sites: it cannot be used on {size}")
        from assimilearn.emulators.train import emulator_of  # which makes emulators, and so imports this file

        made = emulator_of(self.settings, self.weights, ring(size), self.time_step)
        return replace(made, residual_std=self.residual_std)


@dataclass(frozen=True)
class DifferentiableEmulator(Emulator):
    """An emulator whose step torch can differentiate: tangent and adjoint for 4D-Var and the EKF.

    Attributes
    ----------
    tensor_step : callable
        Makes the step of a tensor (..., site), float64; called when it is first needed, since torch comes with it.
    """

    tensor_step: Callable[[], Callable[[Any], Any]]

    @cached_property
    def _of_tensors(self) -> Callable[[Any], Any]:
        return self.tensor_step()

    def differentiable(self, tensor: Any) -> Any:
        """One step of a torch tensor (..., site) that gradients flow through."""
        return self._of_tensors(tensor)


def as_dataset(fitted: Fitted, attributes: Mapping[str, Any], epochs_before: int = 0) -> xr.Dataset:
    """Weights (left out if training failed), history and attributes as one Dataset; epochs are counted on."""
    weights = {} if attributes["status"] == "failed" else fitted.weights
    dataset = xr.Dataset({f"weight_{name}": array for name, array in weights.items()}, attrs=dict(attributes))
    if fitted.loss.size:
        dataset["loss"] = ("epoch", fitted.loss, {"long_name": "training loss"})
        dataset["validation_loss"] = ("epoch", fitted.validation_loss, {"long_name": "validation loss"})
        epochs = epochs_before + np.arange(1, fitted.loss.size + 1)
        dataset = dataset.assign_coords(epoch=("epoch", epochs, {"long_name": "epoch"}))
    if fitted.step_loss.size:
        dataset["step_loss"] = ("step", fitted.step_loss, {"long_name": "loss of each mini-batch before its step"})
    for name in dataset.variables:
        dataset[name].attrs.setdefault("units", "1")
    return dataset
