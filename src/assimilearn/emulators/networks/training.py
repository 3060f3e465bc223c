"""One training loop for all torch modules: rollout over the lead, a loss, mini-batches, early stopping.

A state z is standardised field by field; the module f gives standardised increments, and the forecast over a window is
z_{k+1} = z_k + r f(z_k) with r the ratio of the two scales. The loss is the mean over windows, leads and sites, by
default of weight times squared error, in units of the standard deviation of the increments, as in Brajard et al.
(2020), J. Comput. Sci. 44, 101171, eq. 4; others stand in `modules/losses.py`. The weights of the epoch with the
smallest validation loss are kept. Algorithms are deterministic, each on one thread: the same on any number of cores.
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
    """Windows as tensors, float32.

    Attributes
    ----------
    z : tensor (window, time, site)
        Standardised states, from the first of the warm-up on.
    weights : tensor (window, lead, site)
    noise : tensor (window, lead, sample, draws) or None
    """

    z: Any
    weights: Any
    noise: Any = None

    def take(self, windows: Any) -> "Examples":
        """Some of the windows."""
        return Examples(*(None if part is None else part[windows] for part in self))

    def with_noise(self, step: Any, settings: NetworkSettings) -> "Examples":
        """The same windows with new random numbers, where the step takes any."""
        import torch

        if not step.draws:
            return self
        samples = settings.samples if settings.loss == "crps" else 1
        shape = (*self.weights.shape[:2], samples, step.draws)
        return self._replace(noise=torch.randn(shape).to(self.z.device))


def examples(windows: Windows, scaling: FieldScaling, settings: NetworkSettings, device: Any) -> Examples:
    """Tensors of the windows."""
    import torch

    z = torch.as_tensor(scaling.standardised(windows.states), dtype=torch.float32, device=device)
    weights = torch.as_tensor(windows.weights[:, settings.warm_up :], dtype=torch.float32, device=device)
    return Examples(z, weights)


def device_of(settings: NetworkSettings) -> Any:
    """Where a module is trained."""
    import torch

    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)


def train_module(
    step: Any,
    training: Windows,
    validation: Windows,
    scaling: FieldScaling,
    settings: NetworkSettings,
    workers: int = 1,
) -> History:
    """Train the module in place; at the end it has the weights of the best epoch.

    Parameters
    ----------
    step : torch.nn.Module
        A :class:`~assimilearn.emulators.networks.modules.step.Step`.
    training, validation : Windows
        Of ``settings.steps`` steps.
    scaling : FieldScaling
    settings : NetworkSettings
    workers : int
        Threads; they change no result.
    """
    import torch
    from tqdm import tqdm

    from assimilearn.emulators.networks.modules.gradients import Gradients

    device = device_of(settings)
    step.to(device)
    train, held_out = (examples(windows, scaling, settings, device) for windows in (training, validation))
    held_out = held_out.with_noise(step, settings)
    shown = torch.linspace(0, len(train.z) - 1, min(len(train.z), len(held_out.z))).long()
    optimizer = optimizer_of(step.parameters(), settings)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: rate_factor(settings, epoch))
    batches = 1 if settings.batch_size is None else -(-len(train.z) // settings.batch_size)
    best, best_epoch, failure = copy.deepcopy(step.state_dict()), 0, ""
    losses: list[tuple[float, float]] = []
    step_losses: list[float] = []

    def loss_of(module: Any, windows: Any) -> Any:
        return rollout_loss(module, train.take(windows), settings, lead_of(settings, len(losses))) + module.penalty()

    with Gradients(step, loss_of, training.geometry.size, min(workers, settings.threads)) as gradients:

        def loss_and_gradient(batch: Any) -> float:
            loss = gradients.write(batch)
            if settings.clip is not None and settings.optimizer != "l-bfgs":
                torch.nn.utils.clip_grad_norm_(step.parameters(), settings.clip)
            return loss

        for epoch in tqdm(range(settings.epochs), disable=None, leave=False, desc="training", unit="epoch"):
            train = train.with_noise(step, settings)
            for module in gradients.copies:
                module.train()
            for batch in torch.randperm(len(train.z)).tensor_split(batches):
                step_losses.append(float(optimizer.step(partial(loss_and_gradient, batch))))
            rate.step()
            step.eval()
            losses.append((evaluated(step, train.take(shown), settings), evaluated(step, held_out, settings)))
            if not np.isfinite([*losses[-1], step_losses[-1]]).all():
                failure = f"the loss is not finite in epoch {epoch}: lower `learning_rate`"
                break
            if losses[-1][1] < min((validation_loss for _, validation_loss in losses[:-1]), default=np.inf):
                best, best_epoch = copy.deepcopy(step.state_dict()), epoch
            if epoch - best_epoch >= settings.patience:
                break
    step.load_state_dict(best)
    step.cpu().eval()
    history = np.array(losses)
    return History(history[:, 0], history[:, 1], np.array(step_losses), failure)


def lead_of(settings: NetworkSettings, epoch: int) -> int:
    """Steps in the loss of an epoch, counted from 0: from 1 to all of them over the curriculum."""
    if epoch >= settings.curriculum:
        return settings.lead
    return 1 + (settings.lead - 1) * epoch // settings.curriculum


def rollout_loss(step: Any, given: Examples, settings: NetworkSettings, lead: int) -> Any:
    """Mean loss over all leads; each forecast starts from the one before, the first from an analysis.

    In the warm-up the step is given the analyses, and only its memory goes on.
    """
    import torch

    from assimilearn.emulators.networks.modules.losses import LOSSES

    if settings.loss == "flow":
        return flow_loss(step, given)
    size, first, ratio = step.size, settings.warm_up, step.ratio
    z, total = step.begin(given.z[:, 0]), 0.0
    for k in range(first):
        z = torch.cat([given.z[:, k + 1], step(z)[-1]], 1)
    samples = 1 if given.noise is None else given.noise.shape[2]
    z = z.repeat_interleave(samples, 0) if samples > 1 else z
    for k in range(lead):
        outputs = step(z) if given.noise is None else step(z, given.noise[:, k].flatten(0, 1))
        forecast = z[:, :size] + ratio * outputs[0]
        log_std = outputs[1] if settings.loss == "gaussian_nll" else None
        in_units = (forecast / ratio).reshape(len(given.z), samples, size), given.z[:, first + k + 1] / ratio
        total = total + LOSSES[settings.loss](*in_units, given.weights[:, k], log_std, settings.level)
        z = torch.cat([forecast, outputs[-1]], 1) if step.memory else forecast
    return total / lead


def flow_loss(step: Any, given: Examples) -> Any:
    """Flow matching (Lipman et al. 2023, ICLR; Albergo & Vanden-Eijnden 2023, ICLR), with straight paths.

    From noise y_0 to the increment y_1 of a window leads y_s = (1 - s) y_0 + s y_1, and the velocity at y_s, given s
    and the state, is fitted to y_1 - y_0 by least squares: it then carries all of the noise to what follows that state.
    The s of a batch are spread evenly over its rows, which are in random order.
    """
    import torch

    now, noise = given.z[:, 0], given.noise[:, 0, 0]
    increment = (given.z[:, 1] - now) / step.ratio
    s = ((torch.arange(len(now), device=now.device) + 0.5) / len(now))[:, None]
    found = step.velocity(now, (1 - s) * noise + s * increment, s)
    return (given.weights[:, 0] * (found - (increment - noise)).square()).mean()


def evaluated(step: Any, given: Examples, settings: NetworkSettings) -> float:
    """The loss of the module over all windows, without gradients."""
    import torch

    from assimilearn.emulators.networks.modules.gradients import BLOCK

    total, windows = 0.0, torch.arange(len(given.z))
    with torch.no_grad():
        for block in windows.split(max(1, BLOCK // given.z.shape[-1])):
            total += len(block) * float(rollout_loss(step, given.take(block), settings, settings.lead))
    return total / len(windows)
