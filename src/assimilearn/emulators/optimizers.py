"""Gradient methods and their learning rates: those of torch, on one vector of all weights."""

import numpy as np

EPSILON = 1e-7  # of Adagrad, as in Keras; torch's own is smaller


class Descent:
    """A gradient method at work on ``weights (weight,)`` float32, which it changes in place.

    Adam is that of Kingma & Ba (2015), Adagrad the diagonal form of Duchi, Hazan & Singer (2011). The schedule
    "cosine" takes the learning rate down along half a cosine over the epochs, towards zero.
    """

    def __init__(self, weights: np.ndarray, optimizer: str, learning_rate: float, schedule: str, epochs: int) -> None:
        """Begin without memory of earlier gradients."""
        from torch import from_numpy, optim

        self.weights = from_numpy(weights)  # the same memory, not a copy
        self.optimizer: optim.Optimizer
        if optimizer == "adagrad":
            self.optimizer = optim.Adagrad([self.weights], lr=learning_rate, eps=EPSILON)
        else:
            self.optimizer = optim.Adam([self.weights], lr=learning_rate)
        cosine = optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=epochs)
        self.schedule = cosine if schedule == "cosine" else None

    @property
    def learning_rate(self) -> float:
        """That of the present epoch."""
        return float(self.optimizer.param_groups[0]["lr"])

    def step(self, gradient: np.ndarray) -> None:
        """One step, given the ``gradient (weight,)`` float32 of the loss."""
        from torch import from_numpy

        self.weights.grad = from_numpy(gradient)
        self.optimizer.step()

    def end_epoch(self) -> None:
        """Go on to the learning rate of the next epoch."""
        if self.schedule is not None:
            self.schedule.step()
