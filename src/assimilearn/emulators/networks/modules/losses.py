"""Losses of one step: means over rows and sites, weighted; errors in units of the increments' standard deviation.

Each is ``loss(forecast, target, weight, log_std, level)`` with ``forecast (row, sample, site)``, one sample but for
``crps``, and the rest (row, site).
"""

from collections.abc import Callable
from typing import Any

import torch

SPECTRAL = 0.1  # weight of the spectral part


def mse(forecast: Any, target: Any, weight: Any, log_std: Any, level: float) -> Any:
    """Squared error."""
    return (weight * (forecast[:, 0] - target).square()).mean()


def mae(forecast: Any, target: Any, weight: Any, log_std: Any, level: float) -> Any:
    """Absolute error: the median is forecast."""
    return (weight * (forecast[:, 0] - target).abs()).mean()


def huber(forecast: Any, target: Any, weight: Any, log_std: Any, level: float) -> Any:
    """Squared error up to one standard deviation of the increments, linear beyond (Huber 1964)."""
    error = (forecast[:, 0] - target).abs()
    return (weight * torch.where(error < 1, error.square(), 2 * error - 1)).mean()


def quantile(forecast: Any, target: Any, weight: Any, log_std: Any, level: float) -> Any:
    """Pinball loss of Koenker & Bassett (1978): the quantile ``level`` is forecast."""
    error = target - forecast[:, 0]
    return (weight * torch.maximum(level * error, (level - 1) * error)).mean()


def gaussian_nll(forecast: Any, target: Any, weight: Any, log_std: Any, level: float) -> Any:
    """Minus the log density of a normal distribution (Nix & Weigend 1994), without the constant."""
    error = (forecast[:, 0] - target) * torch.exp(-log_std)
    return (weight * (0.5 * error.square() + log_std)).mean()


def crps(forecast: Any, target: Any, weight: Any, log_std: Any, level: float) -> Any:
    """Continuous ranked probability score of an ensemble, fair (Ferro 2014, Q. J. R. Meteorol. Soc. 140, 1917-1923)."""
    count = forecast.shape[1]
    order = torch.arange(1, count + 1, device=forecast.device)
    ranked = (2 * order - count - 1)[:, None] * forecast.sort(dim=1).values
    distance = (forecast - target[:, None]).abs().mean(1) - ranked.sum(1) / (count * (count - 1))
    return (weight * distance).mean()


def spectral(forecast: Any, target: Any, weight: Any, log_std: Any, level: float) -> Any:
    """Squared error plus that of the amplitudes along the sites, so that small scales are not smoothed away."""
    found, true = (torch.fft.rfft(x, norm="ortho").abs() for x in (forecast[:, 0], target))
    return mse(forecast, target, weight, log_std, level) + SPECTRAL * (found - true).square().mean()


LOSSES: dict[str, Callable[[Any, Any, Any, Any, float], Any]] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "quantile": quantile,
    "gaussian_nll": gaussian_nll,
    "crps": crps,
    "spectral": spectral,
}
