"""Steps of torch tensors for emulators that are regressions: their tangent and adjoint, by automatic differentiation.

The same sums as in NumPy, in float64. Torch is imported when a step is made.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from assimilearn.emulators.fields import FieldScaling, View


class TensorView(NamedTuple):
    """A :class:`~assimilearn.emulators.fields.View` of tensors.

    Attributes
    ----------
    inputs : tensor (point, input), int64
    order : tensor (site,), int64
        Where each site stands among the outputs of all points.
    """

    inputs: Any
    order: Any

    def rows(self, states: Any) -> Any:
        """Inputs (row * point, input) from standardised ``states (row, site)``; 0 beyond the end of a bounded axis."""
        import torch

        padded = torch.cat([states, states.new_zeros(len(states), 1)], 1)
        return padded[:, self.inputs].reshape(-1, self.inputs.shape[1])

    def states(self, outputs: Any) -> Any:
        """States (row, site) from ``outputs (row * point, output)``."""
        return outputs.reshape(-1, self.order.numel())[:, self.order]


def tensor_view(seen: View) -> TensorView:
    """The view for tensors."""
    import torch

    return TensorView(torch.as_tensor(seen.inputs), torch.as_tensor(np.argsort(seen.outputs.ravel())))


def regression(
    seen: View, scaling: FieldScaling, predict: Callable[[Any], Any], skip: bool = True
) -> Callable[[Any], Any]:
    """The step of a tensor (..., site): states plus scaled increments, or with ``skip`` False the states themselves.

    Parameters
    ----------
    seen : View
    scaling : FieldScaling
    predict : callable
        ``predict(rows (row, input)) -> (row, output)``, standardised.
    skip : bool
    """
    import torch

    view = tensor_view(seen)
    mean, std, scale = (
        torch.as_tensor(part[scaling.field_of]) for part in (scaling.mean, scaling.std, scaling.increment_std)
    )

    def step(x: Any) -> Any:
        rows = x.reshape(-1, x.shape[-1])
        found = view.states(predict(view.rows((rows - mean) / std)))
        return (rows + scale * found if skip else mean + std * found).reshape(x.shape)

    return step


def integrated(seen: View, factors: Any, coefficients: Any, substeps: int) -> Callable[[Any], Any]:
    """The step of a tensor (..., site) by RK4 of a tendency that is a polynomial, in one interval.

    Parameters
    ----------
    seen : View
    factors : tensor (monomial, factor), int64
        Places in what the function sees, -1 where there is no factor.
    coefficients : tensor (monomial, output)
    substeps : int
    """
    import torch

    view, dt = tensor_view(seen), 1 / substeps

    def tendency(states: Any) -> Any:
        rows = view.rows(states)
        padded = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)  # the place -1 is the last one, a factor of 1
        return view.states(padded[:, factors].prod(dim=2) @ coefficients)

    def step(x: Any) -> Any:
        states = x.reshape(-1, x.shape[-1])
        for _ in range(substeps):
            k1 = tendency(states)
            k2 = tendency(states + dt / 2 * k1)
            k3 = tendency(states + dt / 2 * k2)
            states = states + dt / 6 * (k1 + 2 * k2 + 2 * k3 + tendency(states + dt * k3))
        return states.reshape(x.shape)

    return step
