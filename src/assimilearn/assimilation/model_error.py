"""Model error: what is done to an ensemble after each model step so that its covariance grows by Q = std^2 I.

Either noise is drawn for each member, or the anomalies A (member, site) are multiplied by a matrix,

    A <- T A,    T = (I + (N - 1) (A^+)^T Q A^+)^1/2 = (I + (N - 1) std^2 (A A^T)^+)^1/2

so that the covariance becomes P + Pi Q Pi exactly, Pi the projection on the span of the anomalies, and the mean stays:
the core square root of Raanes, Carrassi & Bertino (2015), Mon. Wea. Rev. 143, 3857-3872, section 4. Nothing is drawn: a
small ensemble has no sampling error from it. What Q has outside of the span is lost, as it must be: with too few
members for the model (Lorenz-96 of 40 sites: 20, but not 30) drawn noise, which leaves the span, is better.
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra import centre, recompose, row_products

RANK = 1e-12  # relative to the largest, squared singular values that count as zero


@njit(cache=True, error_model="numpy")
def add_noise(E, std, noise):
    """Add noise (member, site), standard normal numbers times std, to the first sites of E, in place."""
    for j in range(noise.shape[0]):
        for i in range(noise.shape[1]):
            E[j, i] += std * noise[j, i]


@njit(cache=True, error_model="numpy")
def square_root_core(E, std, noise):
    """Make the covariance of E (member, site) larger by std^2 I in its span, in place; ``noise`` is not read.

    Cost: some 20 N^3 flops and a product of order N^2 n.
    """
    N = E.shape[0]
    mean = centre(E)
    G = row_products(E)
    largest = 0.0
    for j in range(N):
        largest += G[j, j]
    if np.isfinite(largest):  # what is no number stays so, for the cycle to see
        squares, axes = np.linalg.eigh(G)
        for j in range(N):
            zero = squares[j] <= RANK * largest
            squares[j] = 0.0 if zero else np.sqrt(1 + (N - 1) * std**2 / squares[j]) - 1
        E += np.dot(axes * squares, np.dot(axes.T, E))
    recompose(E, mean, 1.0)
