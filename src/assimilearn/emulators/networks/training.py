"""One training loop for all torch modules: rollout over the lead, weighted squares, early stopping.

A state z is standardised field by field; the module f gives standardised increments, and the forecast over a window is
z_{k+1} = z_k + r f(z_k) with r the ratio of the two scales. The loss is the mean over windows, leads and sites of
weight times squared error, in units of the standard deviation of the increments, as in Brajard et al. (2020), J.
Comput. Sci. 44, 101171, eq. 4. The weights of the epoch with the smallest validation loss are kept. Runs on one thread,
with deterministic algorithms: the same on any number of cores.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from assimilearn.emulators.fields import FieldScaling
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.emulators.pairs import Windows


class History(NamedTuple):
    """Losses of every epoch, and why training failed, if it did."""

    loss: np.ndarray
    validation_loss: np.ndarray
    failure: str = ""


@contextmanager
def reproducibly(seed: int) -> Iterator[None]:
    """Torch on one thread, with its own random numbers and deterministic algorithms; afterwards as before."""
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)


class Examples(NamedTuple):
    """Windows as tensors, float32, standardised: ``z (window, lead + 1, site)``, ``weights (window, lead, site)``."""

    z: Any
    weights: Any


def examples(windows: Windows, scaling: FieldScaling) -> Examples:
    """Tensors of the windows."""
    import torch

    z = torch.as_tensor(scaling.standardised(windows.states), dtype=torch.float32)
    return Examples(z, torch.as_tensor(windows.weights, dtype=torch.float32))


def train_module(
    flat: Any, training: Windows, validation: Windows, scaling: FieldScaling, settings: NetworkSettings
) -> History:
    """Train the module in place; at the end it has the weights of the best epoch.

    Parameters
    ----------
    flat : torch.nn.Module
        ``flat(z (row, site)) -> increments (row, site)``, both standardised.
    training, validation : Windows
        Of ``settings.lead`` steps.
    scaling : FieldScaling
    settings : NetworkSettings
    """
    import torch

    ratio = torch.as_tensor((scaling.increment_std / scaling.std)[scaling.field_of], dtype=torch.float32)
    train, held_out = examples(training, scaling), examples(validation, scaling)
    optimizer = optimizer_of(flat, settings)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: rate_factor(settings, epoch))
    best, best_loss, since = copy.deepcopy(flat.state_dict()), np.inf, 0
    losses: list[tuple[float, float]] = []
    for _ in range(settings.epochs):
        flat.train()
        total, order = 0.0, torch.randperm(len(train.z))
        for batch in order.split(settings.batch_size):
            optimizer.zero_grad()
            loss = rollout_loss(flat, Examples(train.z[batch], train.weights[batch]), ratio)
            loss.backward()
            if settings.clip is not None:
                torch.nn.utils.clip_grad_norm_(flat.parameters(), settings.clip)
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        rate.step()
        flat.eval()
        with torch.no_grad():
            validation_loss = float(rollout_loss(flat, held_out, ratio))
        losses.append((total / len(train.z), validation_loss))
        since += 1
        if validation_loss < best_loss:
            best, best_loss, since = copy.deepcopy(flat.state_dict()), validation_loss, 0
        if since >= settings.patience or not np.isfinite(losses[-1]).all():
            break
    flat.load_state_dict(best)
    flat.eval()
    history = np.array(losses)
    failure = "" if np.isfinite(best_loss) else "the validation loss was not finite in any epoch"
    return History(history[:, 0], history[:, 1], failure)


def rollout_loss(flat: Any, given: Examples, ratio: Any) -> Any:
    """Weighted mean square error over all leads, in units of the increments' standard deviation."""
    z, total = given.z[:, 0], 0.0
    leads = given.z.shape[1] - 1
    for k in range(leads):
        z = z + ratio * flat(z)
        error = (z - given.z[:, k + 1]) / ratio
        total = total + (given.weights[:, k] * error**2).mean()
    return total / leads


def rate_factor(settings: NetworkSettings, epoch: int) -> float:
    """Factor on the learning rate in an epoch, counted from 0."""
    if settings.schedule == "constant":
        return 1.0
    return 0.5 * (1 + np.cos(np.pi * min(epoch / settings.epochs, 1.0)))


def optimizer_of(flat: Any, settings: NetworkSettings) -> Any:
    """The optimizer that the settings name."""
    import torch

    classes = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad,
        "sgd": torch.optim.SGD,
    }
    make = classes[settings.optimizer]
    return make(flat.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
