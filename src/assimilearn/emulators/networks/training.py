"""One training loop for all torch modules: rollout over the lead, a loss, mini-batches, early stopping.

A state z is standardised field by field; the module f gives standardised increments, and the forecast over a window is
z_{k+1} = z_k + r f(z_k) with r the ratio of the two scales. The loss is the mean over windows, leads and sites of
weight times squared error, in units of the standard deviation of the increments, as in Brajard et al. (2020), J.
Comput. Sci. 44, 101171, eq. 4. The weights of the epoch with the smallest validation loss are kept. Algorithms are
deterministic, each on one thread: the same on any number of cores.
"""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from assimilearn.emulators.fields import FieldScaling
from assimilearn.emulators.networks.optimizers import optimizer_of, rate_factor
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.emulators.pairs import Windows


class History(NamedTuple):
    """How training went.

    Attributes
    ----------
    loss, validation_loss : ndarray (epoch,)
        After each epoch, over training windows (as many as validation has, evenly chosen) and over validation: the same
        score of the same weights, without what only training adds.
    step_loss : ndarray (step,)
        Of every mini-batch before its step, with the penalty.
    failure : why training failed, if it did
    """

    loss: np.ndarray
    validation_loss: np.ndarray
    step_loss: np.ndarray
    failure: str = ""


@contextmanager
def reproducibly(seed: int) -> Iterator[None]:
    """Torch on one thread, with its own random numbers and deterministic algorithms; afterwards as before."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else matrix products of a GPU are not deterministic
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
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

    def take(self, windows: Any) -> "Examples":
        """Some of the windows."""
        return Examples(self.z[windows], self.weights[windows])


def examples(windows: Windows, scaling: FieldScaling, device: Any) -> Examples:
    """Tensors of the windows."""
    import torch

    z = torch.as_tensor(scaling.standardised(windows.states), dtype=torch.float32, device=device)
    return Examples(z, torch.as_tensor(windows.weights, dtype=torch.float32, device=device))


def device_of(settings: NetworkSettings) -> Any:
    """Where a module is trained."""
    import torch

    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)


def train_module(
    flat: Any,
    training: Windows,
    validation: Windows,
    scaling: FieldScaling,
    settings: NetworkSettings,
    workers: int = 1,
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
    workers : int
        Threads; they change no result.
    """
    import torch
    from tqdm import tqdm

    from assimilearn.emulators.networks.modules.gradients import Gradients

    device = device_of(settings)
    flat.to(device)
    ratio = (scaling.increment_std / scaling.std)[scaling.field_of]
    ratio = torch.as_tensor(ratio, dtype=torch.float32, device=device)
    train, held_out = (examples(windows, scaling, device) for windows in (training, validation))
    shown = torch.linspace(0, len(train.z) - 1, min(len(train.z), len(held_out.z))).long()
    optimizer = optimizer_of(flat.parameters(), settings)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: rate_factor(settings, epoch))
    batches = 1 if settings.batch_size is None else -(-len(train.z) // settings.batch_size)
    best, best_epoch, failure = copy.deepcopy(flat.state_dict()), 0, ""
    losses: list[tuple[float, float]] = []
    step_losses: list[float] = []

    def loss_of(module: Any, windows: Any) -> Any:
        penalty = module.penalty() if hasattr(module, "penalty") else 0.0
        return rollout_loss(module, train.take(windows), ratio, lead_of(settings, len(losses))) + penalty

    with Gradients(flat, loss_of, training.geometry.size, min(workers, settings.threads)) as gradients:

        def loss_and_gradient(batch: Any) -> float:
            loss = gradients.write(batch)
            if settings.clip is not None and settings.optimizer != "l-bfgs":
                torch.nn.utils.clip_grad_norm_(flat.parameters(), settings.clip)
            return loss

        for epoch in tqdm(range(settings.epochs), disable=None, leave=False, desc="training", unit="epoch"):
            flat.train()
            for module in gradients.copies:
                module.train()
            for batch in torch.randperm(len(train.z)).tensor_split(batches):
                step_losses.append(float(optimizer.step(partial(loss_and_gradient, batch))))
            rate.step()
            flat.eval()
            losses.append(
                (evaluated(flat, train.take(shown), ratio, settings), evaluated(flat, held_out, ratio, settings))
            )
            if not np.isfinite([*losses[-1], step_losses[-1]]).all():
                failure = f"the loss is not finite in epoch {epoch}: lower `learning_rate`"
                break
            if losses[-1][1] < min((validation_loss for _, validation_loss in losses[:-1]), default=np.inf):
                best, best_epoch = copy.deepcopy(flat.state_dict()), epoch
            if epoch - best_epoch >= settings.patience:
                break
    flat.load_state_dict(best)
    flat.cpu().eval()
    history = np.array(losses)
    return History(history[:, 0], history[:, 1], np.array(step_losses), failure)


def lead_of(settings: NetworkSettings, epoch: int) -> int:
    """Steps in the loss of an epoch, counted from 0: from 1 to all of them over the curriculum."""
    if epoch >= settings.curriculum:
        return settings.lead
    return 1 + (settings.lead - 1) * epoch // settings.curriculum


def rollout_loss(flat: Any, given: Examples, ratio: Any, lead: int) -> Any:
    """Weighted mean square error over all leads, in units of the increments' standard deviation."""
    z, total = given.z[:, 0], 0.0
    for k in range(lead):
        z = z + ratio * flat(z)
        error = (z - given.z[:, k + 1]) / ratio
        total = total + (given.weights[:, k] * error**2).mean()
    return total / lead


def evaluated(flat: Any, given: Examples, ratio: Any, settings: NetworkSettings) -> float:
    """The loss of the module over all windows, without gradients."""
    import torch

    from assimilearn.emulators.networks.modules.gradients import BLOCK

    total, windows = 0.0, torch.arange(len(given.z))
    with torch.no_grad():
        for block in windows.split(max(1, BLOCK // given.z.shape[-1])):
            total += len(block) * float(rollout_loss(flat, given.take(block), ratio, settings.lead))
    return total / len(windows)
