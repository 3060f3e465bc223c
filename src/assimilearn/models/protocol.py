"""What a forecast model is: one protocol that joins physics, emulators and assimilation, and optional pieces.

Every model is a :class:`Model`. What else it can do it says by having one of the members of the other protocols;
``isinstance(model, Differentiable)`` tells. Three of them change what a forecast is:

* ``draws``: chance is part of the step. A step needs so many standard normal numbers for each member; they are drawn
  outside, member by member and step by step, so that equal seeds give equal bytes on any number of cores.
* ``memory``: members carry entries after their sites, such as earlier states or the hidden state of a recurrent
  network. ``size`` counts sites only.
* ``error_std``: the error of a step depends on the state. Filters draw it with ``model_error: by_state``.

A compiled step is given rows ``(site, memory, noise)``, side by side, and writes the first two.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import xarray as xr

from assimilearn.models.geometry import Geometry


class CompiledStep(NamedTuple):
    """A model step that the compiled cycle can call.

    Attributes
    ----------
    step : numba dispatcher ``step(ensemble, parameters) -> None``
        Advances every row of ``ensemble (member, site + memory + draws)``, float64 and C-contiguous, in place by one
        step; the last ``draws`` entries of a row are its random numbers. It should release the GIL (``nogil=True``):
        runs on threads then go side by side.
    parameters : ndarray (parameter,)
        Everything that the step needs, as one float64 vector.
    """

    step: Any
    parameters: np.ndarray


class Identity(NamedTuple):
    """An exact fact about the climatology of a model, which the scorecard checks.

    Attributes
    ----------
    name : row of the scorecard
    of : callable
        ``of(climatology)`` computes the value from the climatology file.
    exact, tolerance : float
        The value must be within ``tolerance`` of ``exact``; the rest is sampling error of the free run.
    needs : names of variables without which the fact cannot be checked
    """

    name: str
    of: Callable[[xr.Dataset], float]
    exact: float
    tolerance: float
    needs: tuple[str, ...] = ()

    @classmethod
    def of_lyapunov_sum(cls, exact: float, tolerance: float) -> "Identity":
        """The sum of all Lyapunov exponents is the mean divergence of the flow."""
        return cls("lyapunov_sum", _sum_of_all_exponents, exact, tolerance, ("lyapunov_exponent",))

    @classmethod
    def of_divergence(cls, of: Callable[[xr.Dataset], float], tolerance: float) -> "Identity":
        """The same where the divergence depends on the state: ``of(climatology)`` is its mean."""
        needs = ("lyapunov_exponent",)
        return cls("lyapunov_sum_error", lambda file: _sum_of_all_exponents(file) - of(file), 0.0, tolerance, needs)


def _sum_of_all_exponents(climatology: xr.Dataset) -> float:
    """Their sum, per MTU; NaN where only the leading ones are known."""
    exponents = climatology["lyapunov_exponent"].values
    return float(exponents.sum()) if exponents.size == climatology.sizes["site"] else float("nan")


@runtime_checkable
class Model(Protocol):
    """Anything that maps states one step forward.

    Lorenz-96 is a Model; so is a trained emulator. Every assimilation method takes any Model.
    """

    @property
    def size(self) -> int:
        """Number of sites of one state."""

    @property
    def time_step(self) -> float:
        """Length of one step, in model time units (MTU)."""

    @property
    def compiled(self) -> CompiledStep | None:
        """The same step for the compiled cycle, or None if there is only ``step``."""

    def step(self, states: np.ndarray) -> np.ndarray:
        """Map ``states (..., site)`` one step forward; the input is left as it was."""


class PhysicalModel(Model, Protocol):
    """A Model that its settings describe whole, so that a file can hold them and give the model back."""

    @property
    def settings(self) -> Any:
        """Settings with a ``method``."""

    @property
    def geometry(self) -> Geometry:
        """Where the numbers of a state are: fields, grids, distances."""


@runtime_checkable
class Differentiable(Protocol):
    """A model whose step torch can differentiate: 4D-Var and the EKF then need no finite differences."""

    def differentiable(self, tensor: Any) -> Any:
        """One step of a torch tensor ``(..., site)``, float64, that gradients flow through.

        Returns
        -------
        torch.Tensor (..., site), within round-off of ``step``.
        """


@runtime_checkable
class DifferentiableInParameters(Protocol):
    """A model whose step torch can differentiate with respect to its parameters too."""

    parameters: tuple[str, ...]

    def differentiable_at(self, tensor: Any, values: Mapping[str, Any]) -> Any:
        """One step of a torch tensor ``(..., site)``, float64, with some parameters at other values.

        Parameters
        ----------
        values : name -> tensor
            Through which gradients flow, as through the states.
        """


@runtime_checkable
class WithStart(Protocol):
    """A model that says itself where free runs begin, before their spin-up."""

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """One state, (site,). Models without it start from standard normal numbers."""


@runtime_checkable
class Stochastic(Protocol):
    """A model with chance in its step: stochastic parametrizations, generative emulators.

    An ensemble of forecasts from one state is then more than one forecast. Filters, smoothers with a fixed lag and
    particle filters hand the numbers in; methods that carry a single state, or step a window anew, refuse the model.
    """

    @property
    def draws(self) -> int:
        """Standard normal numbers that a member needs in each step; 0 for a step without chance."""

    def step(self, states: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """Map ``states (..., site)`` one step forward, given ``noise (..., draws)``; without it, given zeros."""


@runtime_checkable
class WithMemory(Protocol):
    """A model whose next state depends on more than the present one: delays, hidden states, unresolved variables.

    ``step`` maps ``(..., site + memory)``. Global filters update the memory of a member by its covariances with what is
    observed, as they do parameters; local ones, for which it has no place, leave it as it is; particle filters draw it
    with its member. Inflation spares it.
    """

    @property
    def memory(self) -> int:
        """Entries that each member carries after its sites; 0 for none."""

    def begin(self, states: np.ndarray) -> np.ndarray:
        """``states (..., site)`` followed by the memory that a forecast from them begins with, (..., site + memory)."""


@runtime_checkable
class WithErrorStd(Protocol):
    """A model that says how wrong its next step is, state by state."""

    def error_std(self, states: np.ndarray) -> np.ndarray:
        """Standard deviation, (..., site), of the error of the step that begins at ``states (..., site + memory)``."""


def draws_of(model: Model) -> int:
    """Standard normal numbers that a member needs in each step of a model.

    Asked at every forecast of the loops in Python: the attribute is read, since ``isinstance`` of a protocol takes as
    long as a step.
    """
    return getattr(model, "draws", 0)


def memory_of(model: Model) -> int:
    """Entries that a member carries after its sites."""
    return getattr(model, "memory", 0)


def with_memory(model: Model, states: np.ndarray) -> np.ndarray:
    """``states (..., site)`` with the memory of a forecast that begins there; as they are where the model has none."""
    return model.begin(states) if isinstance(model, WithMemory) and model.memory > 0 else states


@runtime_checkable
class WithParameters(Protocol):
    """A model whose members may each have parameters of their own, which a filter estimates with the state."""

    def augmented(self, names: tuple[str, ...]) -> Model:
        """The model of states that carry the parameters ``names`` after their sites; a step leaves these unchanged."""


@runtime_checkable
class WithResidual(Protocol):
    """A learned model that states its one-step error."""

    @property
    def residual_std(self) -> float:
        """Standard deviation of the error of one step on data that were not learned from; NaN where it is unknown."""


def residual_std(model: Model) -> float:
    """The one-step error that a model states; NaN where it states none."""
    return float(model.residual_std) if isinstance(model, WithResidual) else float("nan")


@runtime_checkable
class WithIdentities(Protocol):
    """A model of which something is known exactly."""

    def identities(self) -> list[Identity]:
        """Facts about its climatology that must hold but for sampling errors."""
