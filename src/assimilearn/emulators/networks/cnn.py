"""The periodic residual convolutional network of Brajard et al. (2020), J. Comput. Sci. 44, 101171, section 3.1.

    x(t+1) = x(t) + f(x(t))

where f is a batch normalisation; three parallel convolutions a, b, c (24 channels each, width 5, ReLU), joined to
(a, b c); a convolution (37 channels, width 5, ReLU); a convolution (1 channel, width 1, linear, L2 penalty 1e-4). That
is 9,389 trainable weights. The product b c lets the network form products of neighbours, as Lorenz-96 has them.

Differences from the paper: Adam with a falling learning rate by default (Adagrad on request), early stopping, states
and increments standardised. Batch normalisation uses running statistics outside training; when training ends it is
folded into the first layer, which is exact because the padding is circular.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from assimilearn.emulators.classical.stencil import check_radius
from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.networks.convolution import (
    Layer,
    compiled_network,
    initial_weights,
    network_shapes,
    scaled_arrays,
    stored_weights,
)
from assimilearn.emulators.networks.descent import Network, TrainingSettings, train_network
from assimilearn.emulators.networks.normalisation import EPSILON, running_statistics
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.scaling import scaling_from, scaling_of, scaling_problems
from assimilearn.emulators.weights import Shape
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep

LOCAL = True
LAYERS = (Layer(72, 5, "relu", product=24), Layer(37, 5, "relu"), Layer(1, 1, "linear"))


class CnnSettings(TrainingSettings):
    """Convolutional network of Brajard et al. (2020)."""

    method: Literal["cnn"] = "cnn"
    epochs: int = Field(10, ge=1, description="largest number of passes through the training period")
    penalty: float = Field(1e-4, ge=0, description="L2 penalty on the weights of the last layer")


def fit(
    training: Windows,
    validation: Windows,
    settings: CnnSettings,
    rng: np.random.Generator,
    previous: Mapping[str, np.ndarray] | None = None,
) -> Fitted:
    """Train the network from random weights, or go on from ``previous`` ones, and fold the batch normalisation."""
    check_radius(LAYERS[0].width // 2, training.states.shape[-1])
    if previous:
        scaling = scaling_from(previous)
        weights, statistics = unfolded(previous, scaling.standardise(training.inputs))
    else:
        scaling = scaling_of(training)
        weights, statistics = initial(rng), running_statistics()
    network = Network(LAYERS, weights, statistics, settings.penalty)
    trained = train_network(network, training, validation, scaling, settings, rng)
    arrays = scaled_arrays(scaling, folded(trained.weights, trained.statistics))
    return Fitted(arrays, trained.loss, trained.validation_loss, trained.failure)


def initial(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """All 9,389 trainable weights: those of the batch normalisation, then those of the layers."""
    return {"gamma": np.ones(1, np.float32), "beta": np.zeros(1, np.float32), **initial_weights(LAYERS, rng)}


def folded(weights: Mapping[str, np.ndarray], statistics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of the layers with the batch normalisation, statistics frozen, folded into the first one."""
    scale = weights["gamma"] / np.sqrt(statistics["variance"] + EPSILON)
    shift = weights["beta"] - scale * statistics["mean"]
    layers = {name: values for name, values in weights.items() if name not in ("gamma", "beta")}
    layers["bias_0"] = weights["bias_0"] + shift * weights["kernel_0"].sum(axis=(1, 2))
    layers["kernel_0"] = scale * weights["kernel_0"]
    return layers


def unfolded(
    previous: Mapping[str, np.ndarray], states: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Weights and statistics of a trained network, ready to be trained further.

    Its batch normalisation is in its first layer. The new one begins as the identity: it takes out mean and variance of
    the standardised ``states (state, site)`` of training and puts them back, so that the network is the same function.
    """
    mean, variance = np.float32(states.mean()), np.float32(states.var())
    normalisation = {"gamma": np.sqrt(variance + np.float32(EPSILON)).reshape(1), "beta": mean.reshape(1)}
    statistics = {"mean": mean.reshape(1), "variance": variance.reshape(1)}
    return {**normalisation, **stored_weights(LAYERS, previous)}, statistics


def shapes(settings: CnnSettings, size: int) -> dict[str, Shape]:
    """The scaling, and a kernel and biases for each layer."""
    return network_shapes(LAYERS, size)


def problems(weights: Mapping[str, np.ndarray], settings: CnnSettings) -> list[str]:
    """A scaling that cannot be."""
    return scaling_problems(weights)


def compiled(weights: Mapping[str, np.ndarray], settings: CnnSettings, geometry: Geometry) -> CompiledStep:
    """The compiled forward pass."""
    return compiled_network(LAYERS, weights)
