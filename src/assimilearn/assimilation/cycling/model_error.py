"""Model error: what is done to an ensemble after each model step so that its covariance grows by Q = std^2 I.

Either noise is drawn for each member, or the anomalies A (member, site) are multiplied by a matrix,

    A <- T A,    T = (I + (N - 1) (A^+)^T Q A^+)^1/2 = (I + (N - 1) std^2 (A A^T)^+)^1/2

so that the covariance becomes P + Pi Q Pi exactly, Pi the projection on the span of the anomalies, and the mean stays:
the core square root of Raanes, Carrassi & Bertino (2015), Mon. Wea. Rev. 143, 3857-3872, section 4. Nothing is drawn: a
small ensemble has no sampling error from it. What Q has outside of the span is lost, as it must be: with too few
members for the model (Lorenz-96 of 40 sites: 20, but not 30) drawn noise, which leaves the span, is better.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra.small import centre, recompose, row_products
from assimilearn.assimilation.cycling.adaptive import error_scale
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilation.settings import AnalysisSettings
from assimilearn.errors import SettingsError
from assimilearn.models.protocol import Model, residual_std

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


class ModelError(NamedTuple):
    """The model error of a run.

    Attributes
    ----------
    kernel : numba dispatcher of the signature ERROR
    std : float
        Standard deviation after each model step.
    scale : ndarray
        State of :mod:`assimilearn.assimilation.cycling.scales` if it is estimated, else empty.
    """

    kernel: Any
    std: float
    scale: np.ndarray

    @property
    def present(self) -> bool:
        """Whether there is any."""
        return self.std > 0 or self.scale.size > 0

    @property
    def drawn(self) -> bool:
        """Whether it needs random numbers."""
        return self.present and self.kernel is add_noise


def model_error(settings: AnalysisSettings, problem: Problem) -> ModelError:
    """What the settings say of the model error of a filter."""
    state = error_scale(settings, problem.model, problem.background)
    std = 0.0 if state.size > 0 else model_error_std(settings, problem.model)
    return ModelError(square_root_core if settings.error_given.square_root else add_noise, std, state)


def model_error_std(settings: AnalysisSettings, model: Model) -> float:
    """Standard deviation of the noise added after each model step; 0 for none, or if it is part of the step.

    Raises
    ------
    SettingsError
        If the residual is asked for and the model states none.
    """
    std, scale, _ = settings.error_given
    if std == "by_state":  # :mod:`assimilearn.assimilation.cycling.forecasting`
        return 0.0
    if std == "residual":
        std = residual_std(model)
        if not np.isfinite(std):
            raise SettingsError('model_error "residual" needs a trained emulator as the model: give a number instead')
    return float(std) * scale
