"""Gradient methods and schedules of the learning rate, by the names of the settings."""

import math
from collections.abc import Iterable
from typing import Any

from assimilearn.emulators.networks.settings import NetworkSettings

ITERATIONS = 20  # of L-BFGS in one step


def optimizer_of(parameters: Iterable[Any], settings: NetworkSettings) -> Any:
    """The torch optimizer that the settings name.

    L-BFGS finds its step by a line search (strong Wolfe conditions) and ignores the learning rate; the others are those
    of Kingma & Ba (2015), Loshchilov & Hutter (2019), Duchi et al. (2011), and (stochastic) gradient descent.
    """
    import torch

    if settings.optimizer == "l-bfgs":
        return torch.optim.LBFGS(
            parameters, max_iter=ITERATIONS, history_size=ITERATIONS, line_search_fn="strong_wolfe"
        )
    classes: dict[str, Any] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad,
        "sgd": torch.optim.SGD,
        "momentum": torch.optim.SGD,
    }
    own = {"momentum": 0.9} if settings.optimizer == "momentum" else {}
    make = classes[settings.optimizer]
    return make(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True, **own)


def rate_factor(settings: NetworkSettings, epoch: int) -> float:
    """Factor on the learning rate in an epoch, counted from 0."""
    part = min(epoch / settings.epochs, 1.0)
    rise = math.ceil(settings.epochs / 10)
    if settings.schedule == "warm-up" and epoch < rise:
        return (epoch + 1) / (rise + 1)
    if settings.schedule in ("cosine", "warm-up"):
        return 0.5 * (1 + math.cos(math.pi * part))
    if settings.schedule == "exponential":
        return 0.01**part
    if settings.schedule == "steps":
        return 0.1 ** ((part >= 0.5) + (part >= 0.75))
    return 1.0
