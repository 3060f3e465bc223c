"""Forecast models and what can be said of them: dynamics, integration, climate, Lyapunov exponents."""

from assimilearn.models.lorenz96 import Lorenz96, Lorenz96Settings
from assimilearn.models.protocol import CompiledStep, Model

__all__ = ["CompiledStep", "Lorenz96", "Lorenz96Settings", "Model", "build"]


def build(settings: Lorenz96Settings) -> Model:
    """The model that ``settings`` describe."""
    return Lorenz96(settings)
