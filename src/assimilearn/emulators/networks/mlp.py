"""A multi-layer perceptron on the local stencil, one set of weights for all sites.

Dense layers from the standardised states z_{i-r} ... z_{i+r} to the standardised increment of site i; with linear
activations it is linear regression. Applied at every site it is a convolution of width 2 r + 1 followed by
convolutions of width 1, and it is trained and run as such, by the loop of `training.py`.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from assimilearn.emulators.classical.stencil import check_radius
from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.networks.convolution import (
    Activation,
    Layer,
    compiled_network,
    initial_weights,
    network_shapes,
    scaled_arrays,
    stored_weights,
)
from assimilearn.emulators.networks.descent import Network, TrainingSettings, train_network
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.scaling import scaling_from, scaling_of, scaling_problems
from assimilearn.emulators.weights import Shape
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep

LOCAL = True


class MlpSettings(TrainingSettings):
    """Multi-layer perceptron on the stencil."""

    method: Literal["mlp"] = "mlp"
    epochs: int = Field(15, ge=1, description="largest number of passes through the training period")
    learning_rate: float = Field(5e-3, gt=0, description="step size of the gradient method")
    radius: int = Field(4, ge=0, description="sites of the stencil to either side")
    hidden: tuple[int, ...] = Field((32, 32), description="units of the hidden layers; none makes it linear")
    activation: Activation = Field("swish", description="activation of the hidden layers")


def fit(
    training: Windows,
    validation: Windows,
    settings: MlpSettings,
    rng: np.random.Generator,
    previous: Mapping[str, np.ndarray] | None = None,
) -> Fitted:
    """Train the perceptron from random weights, or go on from ``previous`` ones and their scaling."""
    check_radius(settings.radius, training.states.shape[-1])
    scaling = scaling_from(previous) if previous else scaling_of(training)
    layers = layers_of(settings)
    weights = stored_weights(layers, previous) if previous else initial_weights(layers, rng)
    network = Network(layers, weights, {})
    trained = train_network(network, training, validation, scaling, settings, rng)
    arrays = scaled_arrays(scaling, trained.weights)
    return Fitted(arrays, trained.loss, trained.validation_loss, trained.failure)


def layers_of(settings: MlpSettings) -> list[Layer]:
    """The hidden layers and one linear output; the first layer sees the stencil."""
    widths = [2 * settings.radius + 1] + [1] * len(settings.hidden)
    activations: list[Activation] = [settings.activation] * len(settings.hidden) + ["linear"]
    return [Layer(*layer) for layer in zip([*settings.hidden, 1], widths, activations, strict=True)]


def shapes(settings: MlpSettings, size: int) -> dict[str, Shape]:
    """The scaling, and a kernel and biases for each layer."""
    return network_shapes(layers_of(settings), size)


def problems(weights: Mapping[str, np.ndarray], settings: MlpSettings) -> list[str]:
    """A scaling that cannot be."""
    return scaling_problems(weights)


def compiled(weights: Mapping[str, np.ndarray], settings: MlpSettings, geometry: Geometry) -> CompiledStep:
    """The compiled forward pass."""
    return compiled_network(layers_of(settings), weights)
