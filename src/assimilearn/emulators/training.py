"""The one training loop of all networks: mini-batches, early stopping, a loss over one or several steps.

The loss is the weighted mean square of (forecast - analysis) / increment std over `lead` successive steps, each from
the forecast before it. Torch's random numbers are not used: weights and mini-batches come from the given Generator.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.scaling import Scaling
from assimilearn.settings import Settings


class TrainingSettings(Settings):
    """What all networks have in common."""

    optimizer: Literal["adam", "adagrad"] = Field("adam", description="gradient method")
    learning_rate: float = Field(3e-3, gt=0, description="step size of the gradient method")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="how the learning rate falls over the epochs")
    epochs: int = Field(20, ge=1, description="largest number of passes through the training period")
    batch_size: int = Field(64, ge=1, description="windows in a mini-batch")
    patience: int = Field(10, ge=1, description="stop after so many epochs without a smaller validation loss")
    lead: int = Field(1, ge=1, le=64, description="successive steps in the loss; 1 is the one-step loss")


class Network(NamedTuple):
    """A network to be trained.

    Attributes
    ----------
    weights : dict of name -> ndarray
        Trainable, float32.
    statistics : dict of name -> ndarray
        Running statistics that `increment` updates in place while training.
    increment : callable (weights, statistics, states (batch, site), training) -> (batch, site)
        Standardised increment of standardised states, as torch tensors.
    penalty : callable (weights) -> scalar tensor or 0
        Added to the training loss only.
    """

    weights: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    increment: Callable[[dict[str, Any], dict[str, Any], Any, bool], Any]
    penalty: Callable[[dict[str, Any]], Any]


class Trained(NamedTuple):
    """The weights of the best epoch, the history, and why training failed, if it did."""

    weights: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    loss: np.ndarray
    validation_loss: np.ndarray
    failure: str


class Tensors(NamedTuple):
    """Windows in torch: states (window, lead + 1, site), standardised, and weights (window, lead, site), float32."""

    states: Any
    weights: Any


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
    import torch
    from tqdm import tqdm

    weights = {name: torch.tensor(values, requires_grad=True) for name, values in network.weights.items()}
    statistics = {name: torch.tensor(values) for name, values in network.statistics.items()}
    ratio = scaling.increment_std / scaling.state_std
    data, held_out = tensors(training, scaling), tensors(validation, scaling)
    optimizer = optimizer_of(list(weights.values()), settings)
    losses: list[float] = []
    validation_losses: list[float] = []
    best, best_epoch, failure = snapshot(weights, statistics), 0, ""
    for epoch in tqdm(range(settings.epochs), disable=None, leave=False, desc="training", unit="epoch"):
        set_learning_rate(optimizer, settings, epoch)
        order = rng.permutation(len(data.states))
        batches = np.array_split(order, math.ceil(order.size / settings.batch_size))
        losses.append(one_epoch(network, weights, statistics, data, ratio, optimizer, batches))
        validation_losses.append(evaluate(network, weights, statistics, held_out, ratio, settings.batch_size))
        if not math.isfinite(losses[-1] + validation_losses[-1]):
            failure = f"the loss is not finite in epoch {epoch}: lower `learning_rate`"
            break
        if validation_losses[-1] < min(validation_losses[:-1], default=math.inf):
            best, best_epoch = snapshot(weights, statistics), epoch
        if epoch - best_epoch >= settings.patience:
            break
    return Trained(*best, np.array(losses), np.array(validation_losses), failure)


def one_epoch(
    network: Network,
    weights: dict[str, Any],
    statistics: dict[str, Any],
    data: Tensors,
    ratio: float,
    optimizer: Any,
    batches: list[np.ndarray],
) -> float:
    """One pass through all ``batches`` (indices of windows); returns the mean loss, without the penalty."""
    import torch

    total = 0.0
    for batch in batches:
        index = torch.from_numpy(batch)
        optimizer.zero_grad()
        loss = loss_of(network, weights, statistics, Tensors(data.states[index], data.weights[index]), ratio, True)
        (loss + network.penalty(weights)).backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(data.states)


def evaluate(
    network: Network, weights: dict[str, Any], statistics: dict[str, Any], data: Tensors, ratio: float, batch_size: int
) -> float:
    """Mean loss over ``data``, with the statistics frozen."""
    import torch

    total = 0.0
    with torch.no_grad():
        for states, w in zip(data.states.split(batch_size), data.weights.split(batch_size), strict=True):
            total += loss_of(network, weights, statistics, Tensors(states, w), ratio, False).item() * len(states)
    return total / len(data.states)


def loss_of(
    network: Network,
    weights: dict[str, Any],
    statistics: dict[str, Any],
    data: Tensors,
    ratio: float,
    training: bool,
) -> Any:
    """Weighted mean square error over all windows, steps and sites, in units of the increment std squared."""
    z, total = data.states[:, 0], 0.0
    for k in range(data.weights.shape[1]):
        z = z + ratio * network.increment(weights, statistics, z, training)
        total = total + (data.weights[:, k] * ((z - data.states[:, k + 1]) / ratio) ** 2).mean()
    return total / data.weights.shape[1]


def tensors(windows: Windows, scaling: Scaling) -> Tensors:
    """Standardised windows as float32 tensors."""
    import torch

    states = torch.from_numpy(scaling.standardise(windows.states).astype(np.float32))
    return Tensors(states, torch.from_numpy(windows.weights.astype(np.float32)))


def optimizer_of(parameters: list[Any], settings: TrainingSettings) -> Any:
    """The optimizer; Adagrad starts from an accumulator of 0.1, as in Keras, with which the paper worked."""
    import torch

    if settings.optimizer == "adagrad":
        return torch.optim.Adagrad(parameters, lr=settings.learning_rate, initial_accumulator_value=0.1)
    return torch.optim.Adam(parameters, lr=settings.learning_rate)


def set_learning_rate(optimizer: Any, settings: TrainingSettings, epoch: int) -> None:
    """Learning rate of one epoch: constant, or half a cosine from the full rate towards zero."""
    factor = 1.0
    if settings.schedule == "cosine":
        factor = 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))
    for group in optimizer.param_groups:
        group["lr"] = factor * settings.learning_rate


def snapshot(
    weights: dict[str, Any], statistics: dict[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Copies of weights and statistics as NumPy arrays."""
    return (
        {name: values.detach().numpy().copy() for name, values in weights.items()},
        {name: values.numpy().copy() for name, values in statistics.items()},
    )
