"""The one training loop of all networks: mini-batches, early stopping, a loss over one or several steps.

The loss is the weighted mean square of (forecast - analysis) / increment std over `lead` successive steps, each from
the forecast before it. Weights and mini-batches are drawn from the given Generator.

The passes through the layers are compiled (`passes.py`). What is left, a few operations on arrays (window, site) and on
the 9,389 weights of the largest network here, takes some hundredths of the time. For networks so small a general
framework spends most of its time in memory: with torch a batch of 256 took two and a half times as long on one core,
and a short training less than the import of torch.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from assimilearn.emulators.networks.convolution import Layer, packed, table, unpacked
from assimilearn.emulators.networks.normalisation import back, normalise, normalise_batch
from assimilearn.emulators.networks.optimizers import OPTIMIZERS, Optimizer
from assimilearn.emulators.networks.passes import descend, forward
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.scaling import Scaling
from assimilearn.emulators.settings import EmulatorSettings


class TrainingSettings(EmulatorSettings):
    """What all networks have in common."""

    trained_in_epochs: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    goes_on: ClassVar[bool] = True

    optimizer: Literal["adam", "adagrad"] = Field("adam", description="gradient method")
    learning_rate: float = Field(3e-3, gt=0, description="step size of the gradient method")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="how the learning rate falls over the epochs")
    epochs: int = Field(20, ge=1, description="largest number of passes through the training period")
    batch_size: int = Field(64, ge=1, description="windows in a mini-batch")
    patience: int = Field(10, ge=1, description="stop after so many epochs without a smaller validation loss")
    lead: int = Field(1, ge=1, le=64, description="successive steps in the loss; 1 is the one-step loss")

    @property
    def steps(self) -> int:
        """Successive steps in the loss."""
        return self.lead


class Network(NamedTuple):
    """A network to be trained.

    Attributes
    ----------
    layers : sequence of Layer
    weights : mapping of name -> ndarray
        ``kernel_k``, ``bias_k`` of every layer, float32, and ``gamma``, ``beta`` of a batch normalisation before them.
    statistics : mapping of name -> ndarray
        Running ``mean`` and ``variance`` of the batch normalisation; empty if there is none.
    penalty : float
        Times the squares of the last kernel: added to the training loss only.
    """

    layers: Sequence[Layer]
    weights: Mapping[str, np.ndarray]
    statistics: Mapping[str, np.ndarray]
    penalty: float = 0.0


class Trained(NamedTuple):
    """The weights of the best epoch, the history, and why training failed, if it did."""

    weights: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    loss: np.ndarray
    validation_loss: np.ndarray
    failure: str


class State(NamedTuple):
    """A network in training.

    Attributes
    ----------
    layers : ndarray (layer, 5)
        Their table.
    kernels : ndarray (weight,)
        Kernels and biases as one vector, a view of the first weights of ``weights``.
    affine : ndarray (2,) or (0,)
        gamma and beta of the batch normalisation, a view of the last of ``weights``; empty if there is none.
    weights : ndarray (weight + affine,)
        All that is trained.
    statistics : dict of name -> ndarray
    """

    layers: np.ndarray
    kernels: np.ndarray
    affine: np.ndarray
    weights: np.ndarray
    statistics: dict[str, np.ndarray]


class Batch(NamedTuple):
    """Standardised ``states (window, lead + 1, site)`` and ``weights (window, lead, site)``, float32.

    ``ratio`` is increment std / state std: what an increment counts in units of the state.
    """

    states: np.ndarray
    weights: np.ndarray
    ratio: np.float32

    def take(self, index: np.ndarray) -> "Batch":
        """The windows ``index`` alone."""
        return Batch(self.states[index], self.weights[index], self.ratio)


def train_network(
    network: Network,
    training: Windows,
    validation: Windows,
    scaling: Scaling,
    settings: TrainingSettings,
    rng: np.random.Generator,
) -> Trained:
    """Minimise the loss on ``training``; keep the weights that do best on ``validation``.

    Parameters
    ----------
    network : Network
    training, validation : Windows
        Of the lead of the settings.
    scaling : Scaling
    settings : TrainingSettings
    rng : numpy.random.Generator
        Draws the mini-batches.

    Returns
    -------
    Trained
        ``failure`` says so if a loss is not finite; the weights are then those of the best epoch before.
    """
    from tqdm import tqdm

    state = begin(network)
    data, held_out = batch_of(training, scaling), batch_of(validation, scaling)
    optimizer = OPTIMIZERS[settings.optimizer](state.weights.size)
    losses: list[float] = []
    validation_losses: list[float] = []
    best, best_epoch, failure = snapshot(network, state), 0, ""
    for epoch in tqdm(range(settings.epochs), disable=None, leave=False, desc="training", unit="epoch"):
        order = rng.permutation(len(data.states))
        batches = np.array_split(order, math.ceil(order.size / settings.batch_size))
        with np.errstate(over="ignore", invalid="ignore"):
            losses.append(one_epoch(state, data, batches, optimizer, learning_rate(settings, epoch), network.penalty))
            validation_losses.append(evaluate(state, held_out))
        if not math.isfinite(losses[-1] + validation_losses[-1]):
            failure = f"the loss is not finite in epoch {epoch}: lower `learning_rate`"
            break
        if validation_losses[-1] < min(validation_losses[:-1], default=math.inf):
            best, best_epoch = snapshot(network, state), epoch
        if epoch - best_epoch >= settings.patience:
            break
    return Trained(*best, np.array(losses), np.array(validation_losses), failure)


def begin(network: Network) -> State:
    """The network as vectors, copied."""
    affine = [network.weights["gamma"], network.weights["beta"]] if network.statistics else []
    kernels = packed(network.layers, network.weights)
    weights = np.concatenate([kernels, *affine]).astype(np.float32)
    statistics = {name: values.astype(np.float32) for name, values in network.statistics.items()}
    size = kernels.size
    return State(table(network.layers), weights[:size], weights[size:], weights, statistics)


def batch_of(windows: Windows, scaling: Scaling) -> Batch:
    """All windows, standardised."""
    states = scaling.standardise(windows.states).astype(np.float32)
    return Batch(states, windows.weights.astype(np.float32), np.float32(scaling.increment_std / scaling.state_std))


def one_epoch(
    state: State, data: Batch, batches: list[np.ndarray], optimizer: Optimizer, rate: float, penalty: float
) -> float:
    """One pass through all ``batches`` (indices of windows); returns the mean loss, without the penalty."""
    total = 0.0
    last = state.kernels.size - state.layers[-1, 0]  # the last biases follow the last kernel
    penalised = slice(last - np.prod(state.layers[-1, :3]), last)
    for batch in batches:
        loss, gradient = loss_and_gradient(state, data.take(batch))
        gradient[penalised] += np.float32(2 * penalty) * state.weights[penalised]
        optimizer.step(state.weights, gradient, rate)
        total += loss * batch.size
    return total / len(data.states)


def loss_and_gradient(state: State, batch: Batch) -> tuple[float, np.ndarray]:
    """The loss on a batch and its gradient in all weights; the running statistics move.

    The steps of a window are retraced from the last to the first, each with a forward pass of its own: to keep what
    they leave behind would cost memory and, through it, more time.
    """
    lead, ratio = batch.weights.shape[1], batch.ratio
    z, entered = [np.ascontiguousarray(batch.states[:, 0])], []
    for k in range(lead):
        entered.append(normalise_batch(z[k], state.affine, state.statistics) if state.statistics else None)
        if k < lead - 1:
            z.append(z[k] + ratio * increments(state, z[k] if (x := entered[k]) is None else x.values))
    gradient = np.zeros_like(state.weights)
    of_kernels, of_affine = gradient[: state.kernels.size], gradient[state.kernels.size :]
    carried, of_z = np.zeros_like(z[0]), np.empty_like(z[0])
    pull = batch.weights * np.float32(2 / batch.weights.size)
    loss = 0.0
    for k in reversed(range(lead)):
        drift = (z[k] - batch.states[:, k + 1]) / ratio
        x = entered[k]
        loss += descend(
            z[k] if x is None else x.values,
            drift,
            np.ascontiguousarray(pull[:, k]),
            carried,
            state.layers,
            state.kernels,
            of_kernels,
            of_z,
        )
        if x is not None:
            of_z, of_this = back(of_z, x, state.affine)
            of_affine += of_this
        carried += ratio * of_z
    return loss, gradient


def increments(state: State, x: np.ndarray) -> np.ndarray:
    """The network's increments of states ``x (state, site)`` as it sees them."""
    result = np.empty_like(x)
    forward(x, state.layers, state.kernels, result)
    return result


def evaluate(state: State, data: Batch) -> float:
    """Mean loss over ``data``, with the statistics frozen."""
    z, total = np.ascontiguousarray(data.states[:, 0]), 0.0
    for k in range(data.weights.shape[1]):
        x = normalise(z, state.affine, **state.statistics).values if state.statistics else z
        z = z + data.ratio * increments(state, x)
        error = (z - data.states[:, k + 1]) / data.ratio
        total += float(np.mean(data.weights[:, k] * error**2, dtype=float))
    return total / data.weights.shape[1]


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Learning rate of one epoch: constant, or half a cosine from the full rate towards zero."""
    if settings.schedule == "constant":
        return settings.learning_rate
    return 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs)) * settings.learning_rate


def snapshot(network: Network, state: State) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Copies of weights and statistics under their names."""
    weights = unpacked(network.layers, state.kernels.copy())
    if state.statistics:
        weights |= {"gamma": state.affine[:1].copy(), "beta": state.affine[1:].copy()}
    return weights, {name: values.copy() for name, values in state.statistics.items()}
