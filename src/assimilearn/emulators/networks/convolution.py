"""Convolutional networks on the ring: their layers, first weights, stored weights and compiled step.

A network maps the standardised state to the standardised increment and is the same function at every site, so it runs
on a ring of any size. A dense network on the stencil is one too: a first layer as wide as the stencil, then layers of
width 1. The compiled step works in float32, as the network was trained, one member at a time, so that a member's
forecast does not depend on the others; the products of one member are large enough for BLAS to run at full speed.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numba import njit

from assimilearn.emulators.classical.stencil import check_radius
from assimilearn.emulators.networks.activations import LEAKY_RELU, LINEAR, RELU, SIGMOID, SWISH, TANH
from assimilearn.emulators.networks.passes import run, workspace
from assimilearn.emulators.scaling import SHAPES, Scaling
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError
from assimilearn.models.protocol import CompiledStep

Activation = Literal["linear", "tanh", "relu", "sigmoid", "leaky_relu", "swish"]
CODES = {"linear": LINEAR, "tanh": TANH, "relu": RELU, "sigmoid": SIGMOID, "leaky_relu": LEAKY_RELU, "swish": SWISH}


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
    needed = layer_shapes(layers)
    for name, shape in needed.items():
        if name not in stored or stored[name].shape != shape:
            raise FileError(f"the stored network has other layers: weight_{name} must have the shape {shape}")
    return {name: stored[name].astype(np.float32) for name in needed}


def layer_shapes(layers: Sequence[Layer]) -> dict[str, Shape]:
    """Shapes of kernels and biases."""
    shapes: dict[str, Shape] = {}
    inputs = 1
    for k, layer in enumerate(layers):
        shapes[f"kernel_{k}"] = (layer.channels, inputs, layer.width)
        shapes[f"bias_{k}"] = (layer.channels,)
        inputs = layer.channels - layer.product
    return shapes


def network_shapes(layers: Sequence[Layer], size: int) -> dict[str, Shape]:
    """Shapes of the weights of a network on a ring of ``size`` sites, with its scaling."""
    check_radius(layers[0].width // 2, size)
    return {**SHAPES, **layer_shapes(layers)}


def table(layers: Sequence[Layer]) -> np.ndarray:
    """Channels, inputs, width, code of the activation and product of every layer: (layer, 5), int64."""
    rows, inputs = [], 1
    for layer in layers:
        rows.append([layer.channels, inputs, layer.width, CODES[layer.activation], layer.product])
        inputs = layer.channels - layer.product
    return np.array(rows, dtype=np.int64)


def packed(layers: Sequence[Layer], weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """Kernels and biases as the one float32 vector that the compiled passes take."""
    parts = [
        part
        for k in range(len(layers))
        for part in (weights[f"kernel_{k}"].transpose(2, 1, 0).ravel(), weights[f"bias_{k}"])
    ]
    return np.concatenate(parts).astype(np.float32)


def unpacked(layers: Sequence[Layer], vector: np.ndarray) -> dict[str, np.ndarray]:
    """Kernels and biases as views of a vector that :func:`packed` has made."""
    weights, at = {}, 0
    for k, (channels, inputs, width, *_) in enumerate(table(layers)):
        size = width * inputs * channels
        weights[f"kernel_{k}"] = vector[at : at + size].reshape(width, inputs, channels).transpose(2, 1, 0)
        weights[f"bias_{k}"] = vector[at + size : at + size + channels]
        at += size + channels
    return weights


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
    """Parameters: mean, std, increment std, count of layers, their table, then kernels and biases."""
    head = [float(weights[name]) for name in ("state_mean", "state_std", "increment_std")]
    parameters = np.concatenate([head, [len(layers)], table(layers).ravel(), packed(layers, weights)])
    return CompiledStep(network_step, parameters)


def scaled_arrays(scaling: Scaling, weights: Mapping[str, np.ndarray]) -> dict[str, xr.DataArray]:
    """Scaling and weights of a trained network together."""
    return {**scaling.arrays(), **weight_arrays(weights)}


@njit(cache=True, nogil=True)
def network_step(E, parameters):
    """Advance every row of E (member, site) by the network, in place."""
    mean, std, scale, count = parameters[0], parameters[1], parameters[2], int(parameters[3])
    layers = parameters[4 : 4 + 5 * count].astype(np.int64).reshape(count, 5)
    weights = parameters[4 + 5 * count :].astype(np.float32)
    z = np.empty((1, E.shape[1]), np.float32)
    gathered, outputs, joined, slopes, _ = workspace(z.size, layers)
    for member in range(E.shape[0]):
        x = E[member]
        for i in range(x.size):
            z[0, i] = (x[i] - mean) / std
        increment = run(z, layers, weights, gathered, outputs, joined, slopes, False)
        for i in range(x.size):
            x[i] += scale * increment[i, 0]
