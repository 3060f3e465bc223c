"""What is done to an ensemble after its update: relaxation to the prior, inflation, random rotation, in this order.

The update itself knows nothing of them, so every ensemble method takes each of them. The mean is never changed, and the
recorded spread is that of the ensemble afterwards, the one that goes on. Without observations nothing is done.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra.rotations import rotate, rotation_noise
from assimilearn.assimilation.algebra.small import centre, recompose
from assimilearn.assimilation.cycling.adaptive import inflation_scale
from assimilearn.assimilation.settings import AfterUpdate, AnalysisSettings
from assimilearn.kernels import FAST


class InflationKernel(NamedTuple):
    """What is done to the ensemble of a run after each update.

    Attributes
    ----------
    kernel : numba dispatcher of the signature INFLATE
    parameters : ndarray (3,) or (0,)
        Those of :func:`relax_and_inflate`; empty if there is nothing to do.
    scale : ndarray
        State of :mod:`assimilearn.assimilation.cycling.scales` of an adaptive inflation, else empty.
    """

    kernel: Any
    parameters: np.ndarray
    scale: np.ndarray


def inflation_for(settings: AnalysisSettings) -> InflationKernel:
    """What the settings say of it: no parameters if there is nothing to do; an adaptive inflation starts from 1.

    Plain inflation has a kernel of its own, which compiles in no time.
    """
    given = settings.after_update
    parameters = np.empty(0) if given == AfterUpdate() else np.array(given[:3], dtype=float)
    plain = given.to_spread == given.to_perturbations == 0 and not given.rotates
    return InflationKernel(inflate if plain else relax_and_inflate, parameters, inflation_scale(settings))


def rotation_numbers(settings: AnalysisSettings) -> int:
    """Standard normal numbers that :func:`relax_and_inflate` needs at each time."""
    return rotation_noise(settings.ensemble_size) if settings.after_update.rotates else 0


@njit(cache=True, error_model="numpy")
def inflate(E, prior, prior_spread, parameters, noise):
    """:func:`relax_and_inflate` with nothing but an inflation."""
    mean = centre(E)
    for j in range(E.shape[0]):
        for i in range(E.shape[1]):
            factor = parameters[0] if i < prior_spread.size else 1.0
            E[j, i] = mean[i] + factor * E[j, i]


@njit(cache=True, fastmath=FAST, error_model="numpy")
def relax_and_inflate(E, prior, prior_spread, parameters, noise):
    """Relax, inflate and rotate E (member, site) in place.

    Parameters
    ----------
    E, prior : ndarray (member, site + parameter)
        Ensemble after and before the update; ``prior`` may be empty if there is no relaxation to its perturbations.
    prior_spread : ndarray (site,)
        Standard deviation before the update. Parameters that members carry after their sites are only rotated: they
        have a random walk of their own.
    parameters : ndarray (3,)
        inflation; weight of the prior spread, RTPS (Whitaker & Hamill 2012, Mon. Wea. Rev. 140, 3078-3089, eq. 2);
        weight of the prior perturbations, RTPP (Zhang, Snyder & Sun 2004, Mon. Wea. Rev. 132, 1238-1253, eq. 5).
    noise : ndarray
        Random numbers of a rotation, or empty.
    """
    inflation, to_spread, to_perturbations = parameters
    N, n = E.shape[0], prior_spread.size
    mean = centre(E)
    if to_perturbations > 0:
        centre(prior)
        for j in range(N):
            for i in range(n):
                E[j, i] = (1 - to_perturbations) * E[j, i] + to_perturbations * prior[j, i]
    if to_spread > 0:
        square = np.zeros(n)
        for j in range(N):
            for i in range(n):
                square[i] += E[j, i] ** 2
        for i in range(n):
            spread = np.sqrt(square[i] / (N - 1))
            square[i] = 1 + to_spread * (prior_spread[i] - spread) / spread
        for j in range(N):
            for i in range(n):
                E[j, i] *= square[i]
    if noise.size > 0:
        rotate(E, noise)
    for j in range(N):
        for i in range(n, E.shape[1]):
            E[j, i] /= inflation
    recompose(E, mean, inflation)
