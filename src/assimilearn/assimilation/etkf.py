"""Ensemble transform Kalman filter with the symmetric square root.

Bishop, Etherton & Majumdar (2001), Mon. Wea. Rev. 129, 420-436; symmetric form of Hunt, Kostelich & Szunyogh (2007),
Physica D 230, 112-126, eqs. 20-24. With anomalies A (member, site), scaled observed anomalies S = A_y R^-1/2 /
sqrt(N-1) and scaled innovation d = R^-1/2 (y - H x_f):

    x_a = x_f + A^T w / sqrt(N-1),  w = (I + S S^T)^-1 S d,      A_a = (I + S S^T)^-1/2 A

Then the anomalies are multiplied by ``inflation`` and, on request, rotated at random; the recorded spread is that of
the ensemble after both, the one that is carried on. Without observations nothing is done, inflation included.

Cost: with m = min(N, p), an eigen-decomposition of order m (about 10 m^3 flops) and products of order N m n.
"""

from typing import Literal

import numpy as np
from numba import njit
from pydantic import Field

from assimilearn.assimilation.algebra import centre, column_products, recompose, row_products, scaled
from assimilearn.assimilation.filtering import Filter, run_filter
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.record import Record
from assimilearn.assimilation.rotations import rotate, rotation_noise
from assimilearn.assimilation.settings import EnsembleSettings


class ETKFSettings(EnsembleSettings):
    """Ensemble transform Kalman filter, symmetric square root."""

    method: Literal["etkf"] = "etkf"
    inflation: float = Field(1.04, ge=1, description="factor on the anomalies of the analysis, after the update")
    rotation: bool = Field(False, description="rotate the anomalies at random after each update, keeping their mean")


@njit(cache=True)
def etkf_update(E, Y, y, variance, sites, parameters, noise):
    """One analysis, in place on E; parameters are (inflation,); the noise is that of a rotation, or empty."""
    mean = centre(E)
    d = scaled(Y, y, variance)
    if y.size < E.shape[0]:
        transform_in_observations(E, mean, Y, d)
    else:
        transform_in_members(E, mean, Y, d)
    if noise.size > 0:
        rotate(E, noise)
    recompose(E, mean, parameters[0])


@njit(cache=True)
def transform_in_members(A, mean, S, d):
    """Update A and mean, in place, by the eigenvectors of S S^T (member, member)."""
    eigenvalues, V = np.linalg.eigh(row_products(S))
    g = 1 / np.sqrt(1 + np.maximum(eigenvalues, 0))
    T = np.dot(V * g, V.T)
    w = np.dot(T, np.dot(T, np.dot(S, d))) / np.sqrt(A.shape[0] - 1)
    mean += np.dot(w, A)
    A[:] = np.dot(T, A)


@njit(cache=True)
def transform_in_observations(A, mean, S, d):
    """The same by the eigenvectors of S^T S (observation, observation): (I + S S^T)^-1/2 = I - S G S^T."""
    eigenvalues, V = np.linalg.eigh(column_products(S))
    root = np.sqrt(1 + np.maximum(eigenvalues, 0))
    observed = np.dot(V.T, np.dot(S.T, A))  # (eigenvector, site)
    mean += np.dot(np.dot(V.T, d) / root**2, observed) / np.sqrt(A.shape[0] - 1)
    projected = np.dot(S, V / (root * (1 + root)))
    A -= np.dot(projected, observed)


def run(problem: Problem, settings: ETKFSettings, rng: np.random.Generator) -> Record:
    """Cycle the ensemble."""
    method = Filter(
        etkf_update,
        np.array([settings.inflation]),
        settings.members,
        noise=rotation_noise(settings.members) if settings.rotation else 0,
    )
    return run_filter(problem, method, settings, rng)
