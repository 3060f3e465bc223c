"""Tangent linear models: the derivative of one model step, by automatic differentiation or by differences."""

from typing import Any, Literal

import numpy as np

from assimilearn.errors import PluginError, SettingsError
from assimilearn.models.integrate import advance
from assimilearn.models.protocol import Differentiable, Model

Linearization = Literal["autodiff", "differences"]
SIZE = 1e-3  # central differences err by its square; single-precision networks allow no smaller one


def jacobians(model: Model, states: np.ndarray, linearization: Linearization) -> np.ndarray:
    """The Jacobian of one model step at each of ``states (time, site)``.

    Parameters
    ----------
    model : Model
        For "autodiff" its ``step`` must take and return torch tensors.
    states : ndarray (time, site)
    linearization : "autodiff" or "differences"
        "differences" are central ones and take any model.

    Returns
    -------
    ndarray (time, site, other_site)
        Derivative of the new value at ``site`` with respect to the old one at ``other_site``. All are computed in one
        batch. Cost: n model steps, and as much for the gradient or twice for the differences, for each state.

    Raises
    ------
    SettingsError
        If automatic differentiation is asked for and the model's step cannot be differentiated.
    """
    n = states.shape[1]
    if linearization == "differences":
        up, down = (advance(model, states[:, None] + size * np.eye(n), 1) for size in (SIZE, -SIZE))
        return np.ascontiguousarray(((up - down) / (2 * SIZE)).transpose(0, 2, 1))
    import torch

    x = torch.tensor(np.broadcast_to(states, (n, *states.shape)).copy(), requires_grad=True)
    stepped = differentiable_step(model, x)
    site = torch.arange(n)
    (slopes,) = torch.autograd.grad(stepped[site, :, site].sum(), x)
    return np.ascontiguousarray(slopes.numpy().transpose(1, 0, 2))


def differentiable_step(model: Model, states: Any) -> Any:
    """One step of a torch tensor ``states (..., site)`` that gradients flow through.

    Raises
    ------
    SettingsError
        If the model has none.
    """
    import torch

    try:
        stepped: Any = model.differentiable(states) if isinstance(model, Differentiable) else model.step(states)
    except (TypeError, ValueError, RuntimeError, AttributeError, PluginError) as error:
        raise SettingsError(_advice(model)) from error
    if not (isinstance(stepped, torch.Tensor) and stepped.requires_grad):
        raise SettingsError(_advice(model))
    return stepped


def _advice(model: Model) -> str:
    name = type(model).__name__
    return f'the step of {name} cannot be differentiated automatically: set linearization to "differences"'
