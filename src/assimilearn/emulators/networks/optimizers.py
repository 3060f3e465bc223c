"""Gradient methods: how a gradient changes the weights. Both work in place on one vector of all weights.

They take the same steps as those of torch (a test holds them to it), which cost four seconds to be imported and built:
more than the whole training of a small network here.
"""

from typing import Protocol

import numpy as np


class Optimizer(Protocol):
    """A gradient method with its memory of earlier gradients."""

    def step(self, weights: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        """Change ``weights`` in place, given the ``gradient`` and the learning rate."""


class Adam:
    """Kingma & Ba (2015), ICLR, algorithm 1, with the constants of the paper."""

    def __init__(self, size: int) -> None:
        """Begin without memory, for ``size`` weights."""
        self.first, self.second, self.count = np.zeros(size, np.float32), np.zeros(size, np.float32), 0

    def step(self, weights: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        """One step along the running mean of gradients over the root of that of their squares."""
        self.count += 1
        self.first += np.float32(0.1) * (gradient - self.first)
        self.second += np.float32(0.001) * (gradient**2 - self.second)
        mean = self.first / np.float32(1 - 0.9**self.count)
        root = np.sqrt(self.second / np.float32(1 - 0.999**self.count))
        weights -= np.float32(rate) * mean / (root + np.float32(1e-8))


class Adagrad:
    """Duchi, Hazan & Singer (2011), J. Mach. Learn. Res. 12, 2121-2159, diagonal form.

    The sum of squares begins at zero, as in Keras at the time of Brajard et al. (2020).
    """

    def __init__(self, size: int) -> None:
        """Begin without memory, for ``size`` weights."""
        self.total = np.zeros(size, np.float32)

    def step(self, weights: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        """One step along the gradient over the root of the sum of all squares so far."""
        self.total += gradient**2
        weights -= np.float32(rate) * gradient / (np.sqrt(self.total) + np.float32(1e-7))


OPTIMIZERS: dict[str, type[Adam] | type[Adagrad]] = {"adam": Adam, "adagrad": Adagrad}
