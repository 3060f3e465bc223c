"""The gradient of a loss over a mini-batch, in blocks that fit the cache, on copies of the module side by side.

The gradient of a batch is the sum over its blocks, always in the order of the blocks: the number of threads changes no
bit. Batch normalisation takes the moments of each block; the running ones follow the first block of each batch.
"""

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from torch import nn

BLOCK = 5120  # numbers of a state times windows of a block: 128 windows of 40 sites


class Part(NamedTuple):
    """Loss and gradient of one block, times its share of the batch."""

    loss: float
    gradient: tuple[torch.Tensor, ...]

    def __add__(self, other: "Part") -> "Part":  # type: ignore[override]  # not the joined tuples
        """Of both blocks together."""
        return Part(self.loss + other.loss, torch._foreach_add(self.gradient, other.gradient))


class Gradients:
    """Gradients of one module's loss.

    Parameters
    ----------
    module : torch.nn.Module
    loss : callable
        ``loss(module, windows (window,) int64) -> scalar tensor``: the mean over these windows.
    size : numbers of a state
    workers : threads
    """

    def __init__(
        self, module: nn.Module, loss: Callable[[nn.Module, torch.Tensor], torch.Tensor], size: int, workers: int = 1
    ) -> None:
        self.module, self.loss, self.block = module, loss, max(1, BLOCK // size)
        self.copies = [module, *(copy.deepcopy(module) for _ in range(workers - 1))]
        self.parameters: list[list[torch.Tensor]] = [list(one.parameters()) for one in self.copies]
        self.normalisations = [
            [part for part in one.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)] for one in self.copies
        ]
        self.pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))

    def __enter__(self) -> "Gradients":
        return self

    def __exit__(self, *_: Any) -> None:
        self.pool.shutdown()

    def write(self, windows: torch.Tensor) -> float:
        """Set ``grad`` of all parameters to the gradient of the mean loss over ``windows``; returns that loss."""
        blocks = windows.split(self.block)
        self._update_copies()
        total: Part | None = None
        for start in range(0, len(blocks), len(self.copies)):
            for part in self._side_by_side(blocks[start : start + len(self.copies)], len(windows), start == 0):
                total = part if total is None else total + part
        assert total is not None
        for parameter, value in zip(self.parameters[0], total.gradient, strict=True):
            parameter.grad = value
        return total.loss

    def _side_by_side(self, blocks: Sequence[torch.Tensor], windows: int, first: bool) -> list[Part]:
        """One block a copy."""
        if len(blocks) == 1:
            return [self._part(0, blocks[0], windows, first)]
        return list(self.pool.map(lambda k: self._part(k, blocks[k], windows, first and k == 0), range(len(blocks))))

    def _part(self, number: int, block: torch.Tensor, windows: int, first: bool) -> Part:
        """One block on one copy; of the first block of a batch the running moments are kept."""
        module, share = self.copies[number], len(block) / windows
        for normalisation in self.normalisations[number]:
            normalisation.track_running_stats = first
        loss = share * self.loss(module, block)
        gradient = torch.autograd.grad(loss, self.parameters[number], materialize_grads=True)
        return Part(float(loss.detach()), gradient)

    def _update_copies(self) -> None:
        """The copies get the weights of the module."""
        with torch.no_grad():
            for others in self.parameters[1:]:
                torch._foreach_copy_(others, self.parameters[0])
