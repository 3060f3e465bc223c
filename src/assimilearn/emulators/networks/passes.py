"""Forward and backward passes through the layers of a convolutional network on the ring, compiled.

All layers work on matrices with one row for each site of each state and one column for each channel. A convolution
gathers every site's neighbours into one row (place x input) and multiplies by its kernel: one matrix product, of BLAS.
Its backward pass is two products: the gradient of the kernel, and that of the gathered rows, which is scattered back to
the sites they came from (the adjoint of gathering).

Gathered rows are ``width`` times as large as what they are gathered from: ten megabytes for a batch of 256 states of 40
sites. So a batch is worked through in blocks of few states. Forward pass, loss and backward pass of one block are done
in the cache before the next block begins; over whole batches, more than half of the time goes into memory.

Weights are one flat float32 vector: for each layer its kernel (place, input, output), then its biases (output,).
``layers (layer, 5)`` holds channels, inputs, width, code of the activation and product of every layer, int64.
"""

import numpy as np
from numba import njit

from assimilearn.emulators.networks.activations import activate

ROWS = 320  # of a block: 0.7 MB for the network of Brajard et al., within the second cache of a core that others share


@njit(cache=True)
def forward(x, layers, weights, increments):
    """Write the network's ``increments`` of standardised states ``x``, both (state, site) float32."""
    states, sites = x.shape
    block = min(states, max(1, ROWS // sites))
    gathered, outputs, joined, slopes, _ = workspace(block * sites, layers)
    for first in range(0, states, block):
        last = min(first + block, states)
        result = run(x[first:last], layers, weights, gathered, outputs, joined, slopes, False)
        copy(result, increments[first:last])


@njit(cache=True)
def descend(x, drift, pull, carried, layers, weights, gradient, of_x):
    """Loss of one step and its gradient.

    The loss is the sum of ``pull / 2 (drift + f(x))^2``; ``carried`` is what later steps ask of f.

    Parameters
    ----------
    x : (state, site)
        Standardised states, as the network sees them.
    drift : (state, site)
        (state - target) / increment std before the increment f is added.
    pull : (state, site)
        Twice the weight of the squared error in the loss.
    carried : (state, site)
        Gradient of the rest of the loss in f; overwritten with the whole gradient in f.
    gradient : (weight,)
        That of this step is added.
    of_x : (state, site)
        Receives the gradient in x.

    Returns
    -------
    float : the loss of this step.
    """
    states, sites = x.shape
    block = min(states, max(1, ROWS // sites))
    gathered, outputs, joined, slopes, of_inputs = workspace(block * sites, layers)
    of_kernel = np.empty(weights.size, np.float32)
    loss = 0.0
    for first in range(0, states, block):
        last = min(first + block, states)
        f = run(x[first:last], layers, weights, gathered, outputs, joined, slopes, True)
        for s in range(first, last):
            for i in range(sites):
                error = drift[s, i] + f[(s - first) * sites + i, 0]
                loss += pull[s, i] * error * error / 2
                carried[s, i] += pull[s, i] * error
        result = run_back(
            x[first:last],
            carried[first:last].reshape(f.shape),
            layers,
            weights,
            gathered,
            outputs,
            joined,
            slopes,
            of_inputs,
            of_kernel,
            gradient,
        )
        copy(result, of_x[first:last])
    return loss


@njit(cache=True)
def workspace(rows, layers):
    """Room for what the passes of one block leave for each other: a row of every array for each layer."""
    count, gathered, outputs, joined, inputs = len(layers), 0, 0, 0, 0
    for k in range(count):
        channels, entering, width, _, product = layers[k]
        gathered = max(gathered, width * entering if width > 1 else 0)
        outputs, inputs = max(outputs, channels), max(inputs, entering)
        joined = max(joined, channels - product if product else 0)
    return (
        np.empty((count, rows * gathered), np.float32),
        np.empty((count, rows * outputs), np.float32),
        np.empty((count, rows * joined), np.float32),
        np.empty((count, rows * outputs), np.float32),
        np.empty((count, rows * inputs), np.float32),
    )


@njit(cache=True)
def run(x, layers, weights, gathered, outputs, joined, slopes, learning):
    """All layers for states ``x (state, site)``; the result (row, 1) is in the workspace."""
    sites, rows, at = x.shape[1], x.size, 0
    hidden = x.reshape(rows, 1)
    for k in range(len(layers)):
        channels, inputs, width, code, product = layers[k]
        depth = width * inputs
        kernel = weights[at : at + depth * channels].reshape(depth, channels)
        at += (depth + 1) * channels
        if width > 1:
            columns = gathered[k, : rows * depth].reshape(rows, depth)
            gather(hidden, sites, width, columns)
        else:
            columns = hidden
        y = outputs[k, : rows * channels].reshape(rows, channels)
        np.dot(columns, kernel, y)
        activate(y, weights[at - channels : at], code, slopes[k, : rows * channels].reshape(rows, channels), learning)
        hidden = y
        if product:
            hidden = joined[k, : rows * (channels - product)].reshape(rows, channels - product)
            join(y, product, hidden)
    return hidden


@njit(cache=True)
def run_back(x, seed, layers, weights, gathered, outputs, joined, slopes, of_inputs, of_kernel, gradient):
    """From the gradient in the result, ``seed (row, 1)``, to those in the weights (added) and in x (row, 1)."""
    sites, rows, at = x.shape[1], x.size, weights.size
    for k in range(len(layers) - 1, -1, -1):
        channels, inputs, width, _, product = layers[k]
        depth = width * inputs
        at -= (depth + 1) * channels
        size = depth * channels
        y = outputs[k, : rows * channels].reshape(rows, channels)
        of_y = slopes[k, : rows * channels].reshape(rows, channels)
        split(seed, y, product, of_y)
        entered = of_inputs[k, : rows * inputs].reshape(rows, inputs)
        if width > 1:
            columns = gathered[k, : rows * depth].reshape(rows, depth)
        elif k == 0:
            columns = x.reshape(rows, 1)
        elif layers[k - 1, 4]:
            columns = joined[k - 1, : rows * inputs].reshape(rows, inputs)
        else:
            columns = outputs[k - 1, : rows * inputs].reshape(rows, inputs)
        of_this = of_kernel[at : at + size].reshape(depth, channels)
        np.dot(columns.T, of_y, of_this)
        for i in range(at, at + size):
            gradient[i] += of_kernel[i]
        add_rows(of_y, gradient[at + size : at + size + channels])
        kernel = weights[at : at + size].reshape(depth, channels)
        if width > 1:
            np.dot(of_y, kernel.T, columns)
            scatter(columns, sites, width, entered)
        else:
            np.dot(of_y, kernel.T, entered)
        seed = entered
    return seed


@njit(cache=True)
def gather(hidden, sites, width, columns):
    """Row i of ``columns (row, place x input)``: the channels of all neighbours of site i."""
    inputs, radius = hidden.shape[1], width // 2
    flat = hidden.reshape(hidden.size)
    for first in range(0, len(hidden), sites):
        for i in range(sites):
            row = columns[first + i]
            if radius <= i < sites - radius:  # neighbours lie side by side in memory
                start = (first + i - radius) * inputs
                source = flat[start : start + width * inputs]
                for c in range(width * inputs):
                    row[c] = source[c]
            else:
                for j in range(width):
                    place = row[j * inputs : (j + 1) * inputs]
                    source = hidden[first + (i + j - radius) % sites]
                    for c in range(inputs):
                        place[c] = source[c]


@njit(cache=True)
def scatter(columns, sites, width, hidden):
    """Adjoint of :func:`gather`: every site's sum of what its copies in ``columns`` hold."""
    inputs, radius = hidden.shape[1], width // 2
    for first in range(0, len(hidden), sites):
        for i in range(sites):
            row = hidden[first + i]
            for j in range(width):
                place = i - j + radius
                if not 0 <= place < sites:
                    place %= sites
                source = columns[first + place, j * inputs : (j + 1) * inputs]
                if j == 0:
                    for c in range(inputs):
                        row[c] = source[c]
                else:
                    for c in range(inputs):
                        row[c] += source[c]


@njit(cache=True)
def join(y, product, hidden):
    """Channels (a, b, c) of y to (a, b c), where b and c have ``product`` channels each."""
    keep, count = np.uint64(y.shape[1] - 2 * product), np.uint64(product)  # unsigned: no index can be negative
    for i in range(len(y)):
        for c in range(keep):
            hidden[i, c] = y[i, c]
        for c in range(keep, keep + count):
            hidden[i, c] = y[i, c] * y[i, c + count]


@njit(cache=True)
def split(seed, y, product, of_y):
    """Gradient in the layer's result to that before its activation, whose slopes stand in ``of_y``."""
    keep, count = np.uint64(y.shape[1] - 2 * product), np.uint64(product)
    for i in range(len(y)):
        for c in range(keep):
            of_y[i, c] *= seed[i, c]
        for c in range(keep, keep + count):
            of_y[i, c] *= seed[i, c] * y[i, c + count]
        for c in range(keep, keep + count):
            of_y[i, c + count] *= seed[i, c] * y[i, c]


@njit(cache=True)
def add_rows(rows, total):
    """Add the sum of all rows to ``total``."""
    for i in range(len(rows)):
        for c in range(total.size):
            total[c] += rows[i, c]


@njit(cache=True)
def copy(rows, states):
    """Rows (row, 1) to states (state, site)."""
    sites = states.shape[1]
    for s in range(len(states)):
        for i in range(sites):
            states[s, i] = rows[s * sites + i, 0]
