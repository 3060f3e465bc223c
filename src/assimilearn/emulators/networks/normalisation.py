"""Batch normalisation of the standardised state (Ioffe & Szegedy 2015, ICML, 448-456): one mean and one variance.

    x = gamma (z - mean) / sqrt(variance + epsilon) + beta

with the moments of the batch, over states and sites, in training, and running ones outside. One channel enters the
networks here, so gamma and beta are one number each. It is so little work that NumPy does it.
"""

from typing import NamedTuple

import numpy as np

MOMENTUM, EPSILON = 0.99, 1e-3  # the defaults of Keras, with which Brajard et al. (2020) worked


class Normalised(NamedTuple):
    """What the backward pass needs of the forward pass.

    Attributes
    ----------
    values : ndarray (state, site)
        gamma times ``whitened`` plus beta.
    whitened : ndarray (state, site)
        Mean 0 and variance 1.
    std : float
        sqrt(variance + epsilon).
    """

    values: np.ndarray
    whitened: np.ndarray
    std: np.float32


def running_statistics() -> dict[str, np.ndarray]:
    """Mean and variance of the standardised states, before any batch was seen."""
    return {"mean": np.zeros(1, np.float32), "variance": np.ones(1, np.float32)}


def normalise(z: np.ndarray, affine: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> Normalised:
    """Normalise ``z (state, site)`` with given moments; ``affine`` holds gamma and beta."""
    std = np.sqrt(np.float32(variance.item() + EPSILON))
    whitened = (z - np.float32(mean.item())) / std
    return Normalised(affine[0] * whitened + affine[1], whitened, std)


def normalise_batch(z: np.ndarray, affine: np.ndarray, statistics: dict[str, np.ndarray]) -> Normalised:
    """Normalise with the moments of ``z`` itself, and move the running ``statistics`` towards them, in place."""
    moments = {"mean": z.mean(), "variance": z.var()}
    for name, value in moments.items():
        statistics[name] += np.float32(1 - MOMENTUM) * (value - statistics[name])
    return normalise(z, affine, moments["mean"], moments["variance"])


def back(of_values: np.ndarray, normalised: Normalised, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients in z (state, site), whose moments depend on it too, and in gamma and beta (2,)."""
    whitened = normalised.whitened
    of_affine = np.array([np.vdot(of_values, whitened), of_values.sum()], np.float32)
    of_gamma, of_beta = of_affine / np.float32(whitened.size)
    return affine[0] / normalised.std * (of_values - of_beta - whitened * of_gamma), of_affine
