"""What one observation is made from: a row of weighted sites, then a function.

    h_r(x) = f_r(sum over corners c of w_rc x_s(r, c))

An :class:`Operator` is the table of all rows r that a record uses. One row a site is the default, and costs nothing.
Rows with several corners interpolate between sites, or sum over a footprint. f is the identity, the square, the
absolute value, ln|z| (as in Poterjoy 2016, Mon. Wea. Rev. 144, 59-76), the arc tangent, the cube, or a function of the
user (:mod:`assimilearn.observations.plugin`). Below |z| = ``FLOOR`` the logarithm is held, where it would go to minus
infinity.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

IDENTITY, SQUARE, ABSOLUTE, LOG, ARCTAN, CUBE = range(6)
FUNCTIONS = {
    "identity": IDENTITY,
    "square": SQUARE,
    "absolute": ABSOLUTE,
    "log": LOG,
    "arctan": ARCTAN,
    "cube": CUBE,
}
FLOOR = 1e-3
OWN = len(FUNCTIONS)
"""Number of the first function of a user; others follow it."""


class OwnFunction(Protocol):
    """A function of a user, element by element."""

    @property
    def compiled(self) -> tuple[Any, tuple[float, ...]] | None:
        """``function`` and ``parameters`` of a numba kernel, f(z) = function(z, *parameters) of a number, or None."""

    def values(self, z: np.ndarray) -> np.ndarray:
        """f(z), of any shape."""

    def slope(self, z: np.ndarray) -> np.ndarray:
        """f'(z), of any shape."""


class Rows(NamedTuple):
    """What compiled loops take of an :class:`Operator`, field by field."""

    site: np.ndarray
    weight: np.ndarray
    function: np.ndarray


class Operator(NamedTuple):
    """The rows that observations refer to by number.

    Attributes
    ----------
    site : ndarray (row, corner), int64
    weight : ndarray (row, corner)
        0 in corners that a row does not need.
    function : ndarray (row,), int64
        Numbers of :data:`FUNCTIONS`, and from :data:`OWN` on those of ``own``.
    own : tuple of OwnFunction
        Functions of the user.
    """

    site: np.ndarray
    weight: np.ndarray
    function: np.ndarray
    own: tuple[OwnFunction, ...] = ()

    @property
    def rows(self) -> Rows:
        """What compiled loops take; they leave the weighted sums of rows with a function of the user."""
        return Rows(self.site, self.weight, self.function)

    @property
    def direct(self) -> bool:
        """Whether row r is the value of site r: the table is then empty."""
        return self.function.size == 0

    @property
    def linear(self) -> bool:
        """Whether no row has a function but the identity."""
        return not self.function.any()

    @property
    def linear_part(self) -> "Operator":
        """The same rows without their functions."""
        return self._replace(function=np.zeros_like(self.function), own=())

    def transformed(self, function: np.ndarray, z: np.ndarray) -> np.ndarray:
        """f(z), element by element, for the numbers ``function``, which are broadcast against z."""
        return self.with_own(function, transformed(function, z))

    def with_own(self, function: np.ndarray, z: np.ndarray) -> np.ndarray:
        """``z`` with the functions of the user where ``function``, broadcast against it, has their numbers."""
        return self._own(function, z, lambda f, part: f.values(part))

    def own_slopes(self, function: np.ndarray, z: np.ndarray) -> np.ndarray:
        """f'(z) where f is a function of the user, else 1."""
        return self._own(function, z, lambda f, part: f.slope(part), np.ones_like(z))

    def _own(self, function: np.ndarray, z: np.ndarray, what: Any, into: np.ndarray | None = None) -> np.ndarray:
        result = z if into is None else into
        for number, f in enumerate(self.own, start=OWN):
            chosen = np.broadcast_to(function == number, z.shape)
            if chosen.any():
                result = result.copy() if result is z else result
                result[chosen] = what(f, z[chosen])
        return result


DIRECT = Operator(np.empty((0, 0), dtype=np.int64), np.empty((0, 0)), np.empty(0, dtype=np.int64))
"""The values of the sites themselves."""


def transformed(function: np.ndarray, z: np.ndarray) -> np.ndarray:
    """f(z), element by element; ``function`` and ``z`` are broadcast against each other."""
    function, z = np.broadcast_arrays(function, z)
    result = z.astype(float)
    for code, f in ARRAY_FUNCTIONS.items():
        chosen = function == code
        if chosen.any():
            result[chosen] = f(z[chosen])
    return result


ARRAY_FUNCTIONS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    SQUARE: np.square,
    ABSOLUTE: np.abs,
    LOG: lambda z: np.log(np.maximum(np.abs(z), FLOOR)),
    ARCTAN: np.arctan,
    CUBE: lambda z: z**3,
}


def observed_values(states: np.ndarray, rows: np.ndarray, operator: Operator) -> np.ndarray:
    """h of ``states (..., site)`` at ``rows (..., observation)``, whose leading axes are broadcast."""
    lead = np.broadcast_shapes(states.shape[:-1], rows.shape[:-1])
    states = np.broadcast_to(states, (*lead, states.shape[-1]))
    rows = np.broadcast_to(rows, (*lead, rows.shape[-1]))
    if operator.direct:
        return np.take_along_axis(states, rows, axis=-1)
    total = np.zeros(rows.shape)
    for c in range(operator.site.shape[1]):
        total += operator.weight[rows, c] * np.take_along_axis(states, operator.site[rows, c], axis=-1)
    return total if operator.linear else operator.transformed(operator.function[rows], total)


def differentiable_values(x: Any, rows: np.ndarray, operator: Operator) -> Any:
    """h of one state, the torch tensor ``x (site,)``, at ``rows (observation,)``, with gradients."""
    import torch

    if operator.direct:
        return x[torch.as_tensor(rows)]
    z = (torch.as_tensor(operator.weight[rows]) * x[torch.as_tensor(operator.site[rows])]).sum(dim=-1)
    if operator.linear:
        return z
    functions: dict[int, Callable[[Any], Any]] = {
        IDENTITY: lambda z: z,
        SQUARE: torch.square,
        ABSOLUTE: torch.abs,
        LOG: lambda z: torch.log(torch.clamp(torch.abs(z), min=FLOOR)),
        ARCTAN: torch.arctan,
        CUBE: lambda z: z**3,
        **{number: tensor_function(f) for number, f in enumerate(operator.own, start=OWN)},
    }
    return torch.stack([functions[int(code)](z[o]) for o, code in enumerate(operator.function[rows])])


def tensor_function(f: OwnFunction) -> Callable[[Any], Any]:
    """A function of the user for torch tensors, with its slope as the gradient."""
    import torch

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: Any) -> Any:
            ctx.save_for_backward(z)
            return torch.as_tensor(f.values(z.detach().numpy()))

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            (z,) = ctx.saved_tensors
            return gradients[0] * torch.as_tensor(f.slope(z.detach().numpy()))

    applied: Callable[[Any], Any] = Own.apply
    return applied
