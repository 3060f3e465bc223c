"""Convolutional networks on the ring: their layers, first weights, torch forward pass and compiled step.

A network maps the standardised state to the standardised increment and is the same function at every site, so it runs
on a ring of any size. A dense network on the stencil is one too: a first layer as wide as the stencil, then layers of
width 1. The compiled step works in float32, as the network was trained, one member at a time: a copy of every site's
neighbours, then one matrix product a layer, so that a member's forecast does not depend on the others.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from numba import njit

from assimilearn.emulators.ring_convolution import ring_convolution
from assimilearn.emulators.scaling import Scaling
from assimilearn.errors import FileError
from assimilearn.models.protocol import CompiledStep

Activation = Literal["linear", "tanh", "relu", "sigmoid", "leaky_relu", "swish"]
LINEAR, TANH, RELU, SIGMOID, LEAKY_RELU, SWISH = range(6)
CODES = {"linear": LINEAR, "tanh": TANH, "relu": RELU, "sigmoid": SIGMOID, "leaky_relu": LEAKY_RELU, "swish": SWISH}
LEAK = 0.01


class Layer(NamedTuple):
    """One layer: convolution with circular padding, activation, then the product of two groups of channels.

    Attributes
    ----------
    channels : int
        Outputs of the convolution.
    width : int
        Odd number of sites that the convolution sees.
    activation : str
    product : int
        The last ``2 product`` channels b, c become the ``product`` channels b c; 0 leaves all as they are.
    """

    channels: int
    width: int
    activation: Activation
    product: int = 0


def initial_weights(layers: Sequence[Layer], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Glorot & Bengio (2010) uniform weights ``kernel_k (output, input, width)`` and zero biases, float32."""
    weights, inputs = {}, 1
    for k, layer in enumerate(layers):
        shape = (layer.channels, inputs, layer.width)
        bound = np.sqrt(6 / ((inputs + layer.channels) * layer.width))
        weights[f"kernel_{k}"] = rng.uniform(-bound, bound, shape).astype(np.float32)
        weights[f"bias_{k}"] = np.zeros(layer.channels, np.float32)
        inputs = layer.channels - layer.product
    return weights


def stored_weights(layers: Sequence[Layer], stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Kernels and biases of a trained network, to go on from.

    Raises
    ------
    FileError
        If they are not those of these layers.
    """
    inputs, weights = 1, {}
    for k, layer in enumerate(layers):
        for name, shape in ((f"kernel_{k}", (layer.channels, inputs, layer.width)), (f"bias_{k}", (layer.channels,))):
            if name not in stored or stored[name].shape != shape:
                raise FileError(f"the stored network has other layers: weight_{name} must have the shape {shape}")
            weights[name] = stored[name].astype(np.float32)
        inputs = layer.channels - layer.product
    return weights


def forward(layers: Sequence[Layer], weights: Mapping[str, Any], z: Any) -> Any:
    """Torch forward pass: standardised states (batch, site) to standardised increments (batch, site)."""
    convolve = ring_convolution()
    hidden = z[:, :, None]
    for k, layer in enumerate(layers):
        hidden = activate(convolve(hidden, weights[f"kernel_{k}"], weights[f"bias_{k}"]), layer.activation)
        if layer.product:
            hidden = multiply(hidden, layer.product)
    return hidden[:, :, 0]


def multiply(hidden: Any, product: int) -> Any:
    """Channels (a, b, c) to (a, b c), where b and c have ``product`` channels each; (batch, site, channel)."""
    import torch

    keep = hidden.shape[2] - 2 * product
    a, b, c = hidden.split([keep, product, product], dim=2)
    return torch.cat([a, b * c], dim=2)


def activate(x: Any, activation: Activation) -> Any:
    """The activation in torch."""
    import torch
    from torch.nn import functional

    functions = {
        "linear": lambda x: x,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "leaky_relu": lambda x: functional.leaky_relu(x, LEAK),
        "swish": functional.silu,
    }
    return functions[activation](x)


def weight_arrays(weights: Mapping[str, np.ndarray]) -> dict[str, xr.DataArray]:
    """Kernels and biases as they are stored with an emulator."""
    arrays = {}
    for name, values in weights.items():
        part, k = name.split("_")
        dims = (f"channel_{k}", f"input_{k}", f"place_{k}") if part == "kernel" else (f"channel_{k}",)
        text = "convolution weights" if part == "kernel" else "biases"
        arrays[name] = xr.DataArray(values, dims=dims, attrs={"long_name": f"{text} of layer {k}"})
    return arrays


def compiled_network(layers: Sequence[Layer], weights: Mapping[str, np.ndarray]) -> CompiledStep:
    """Parameters: mean, std, increment std, count of layers, then five numbers, kernel and bias of each layer."""
    parts = [np.array([*(weights[name] for name in ("state_mean", "state_std", "increment_std")), len(layers)], float)]
    inputs = 1
    for k, layer in enumerate(layers):
        parts.append(np.array([layer.channels, inputs, layer.width, CODES[layer.activation], layer.product], float))
        parts += [weights[f"kernel_{k}"].transpose(2, 1, 0).ravel(), weights[f"bias_{k}"]]
        inputs = layer.channels - layer.product
    return CompiledStep(network_step, np.concatenate(parts).astype(float))


def scaled_arrays(scaling: Scaling, weights: Mapping[str, np.ndarray]) -> dict[str, xr.DataArray]:
    """Scaling and weights of a trained network together."""
    return {**scaling.arrays(), **weight_arrays(weights)}


@njit(cache=True)
def network_step(E, parameters):
    """Advance every row of E (member, site) by the network, in place."""
    mean, std, scale = parameters[0], parameters[1], parameters[2]
    numbers = parameters.astype(np.float32)
    first = np.empty((E.shape[1], 1), np.float32)
    for member in range(E.shape[0]):
        x = E[member]
        for i in range(x.size):
            first[i, 0] = (x[i] - mean) / std
        hidden, at = first, 4
        for _ in range(int(parameters[3])):
            outputs, inputs, width = int(parameters[at]), int(parameters[at + 1]), int(parameters[at + 2])
            code, product = int(parameters[at + 3]), int(parameters[at + 4])
            at += 5
            kernel = numbers[at : at + outputs * inputs * width].reshape(inputs * width, outputs)
            at += kernel.size
            hidden = np.dot(_columns(hidden, inputs, width), kernel)
            _activate(hidden, numbers[at : at + outputs], code)
            at += outputs
            if product:
                _multiply(hidden, product)
        for i in range(x.size):
            x[i] += scale * hidden[i, 0]


@njit(cache=True)
def _columns(hidden, inputs, width):
    """The first ``inputs`` channels of hidden (site, channel) at each site's neighbours: (site, width x input)."""
    n, radius = hidden.shape[0], width // 2
    padded = np.empty((n + 2 * radius) * inputs, np.float32)
    for i in range(n + 2 * radius):
        for c in range(inputs):
            padded[i * inputs + c] = hidden[(i - radius) % n, c]
    columns = np.empty((n, width * inputs), np.float32)
    for i in range(n):
        for k in range(width * inputs):
            columns[i, k] = padded[i * inputs + k]
    return columns


@njit(cache=True)
def _multiply(hidden, product):
    """Channels (a, b, c) to (a, b c, c), in place."""
    keep = hidden.shape[1] - 2 * product
    for i in range(hidden.shape[0]):
        for c in range(keep, keep + product):
            hidden[i, c] *= hidden[i, c + product]


@njit(cache=True)
def _activate(hidden, bias, code):
    """Add the bias (channel,) and apply the activation to hidden (site, channel), in place; NaN stays NaN."""
    for i in range(hidden.shape[0]):
        for c in range(bias.size):
            y = hidden[i, c] + bias[c]
            if code == TANH:
                y = np.tanh(y)
            elif code == RELU:
                y = np.float32(0) if y < 0 else y
            elif code == LEAKY_RELU:
                y = np.float32(LEAK) * y if y < 0 else y
            elif code == SIGMOID:
                y = np.float32(1) / (np.float32(1) + np.exp(-y))
            elif code == SWISH:
                y = y / (np.float32(1) + np.exp(-y))
            hidden[i, c] = y
