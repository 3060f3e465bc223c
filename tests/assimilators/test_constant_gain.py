"""On a linear Gaussian model the learned constant gain is the steady gain of the Kalman filter."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import xarray as xr
from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov

from assimilearn.assimilators.constant_gain import ConstantGainSettings, opened
from assimilearn.assimilators.train import train_assimilator

SITES, MODEL_ERROR, LENGTH = np.array([0, 2, 3]), 0.6, 151_000


@dataclass(frozen=True)
class LinearModel:
    M: np.ndarray
    time_step: float = 0.1
    compiled = None

    @property
    def size(self):
        return len(self.M)

    def step(self, states):
        return states @ self.M.T

    def differentiable(self, tensor):
        return tensor @ torch.as_tensor(self.M.T, dtype=tensor.dtype)


@pytest.fixture(scope="module")
def linear():
    """A rotating, mixing, stochastic linear model; three of its four variables observed with error 1."""
    rng = np.random.default_rng(3)
    model = LinearModel(0.95 * np.linalg.qr(rng.standard_normal((4, 4)))[0])
    x, states = np.zeros(4), []
    for _ in range(LENGTH):
        x = model.step(x) + MODEL_ERROR * rng.standard_normal(4)
        states.append(x)
    truth, dims = np.array(states), ("time", "observation")
    period = np.where(np.arange(LENGTH) < 150_000, 1, 2).astype(np.int8)
    shape, coords = (LENGTH, 3), {"time": 0.1 * np.arange(LENGTH), "period": ("time", period)}
    observations = xr.Dataset(
        {
            "value": (dims, truth[:, SITES] + rng.standard_normal(shape)),
            "error_std": (dims, np.ones(shape)),
            "site_index": (dims, np.broadcast_to(SITES, shape).astype(np.int32)),
            "valid": (dims, np.ones(shape, np.int8)),
        },
        coords,
    )
    covariance = solve_discrete_lyapunov(model.M, MODEL_ERROR**2 * np.eye(4))
    file = xr.Dataset({"mean": ("site", np.zeros(4)), "covariance": (("site", "other_site"), covariance)})
    return model, observations, file, xr.Dataset({"state": (("time", "site"), truth)}, coords)


def steady_gain(M):
    H, Q = np.eye(4)[SITES], MODEL_ERROR**2 * np.eye(4)
    P = solve_discrete_are(M.T, H.T, Q, np.eye(3))
    return P @ H.T @ np.linalg.inv(H @ P @ H.T + np.eye(3))


def test_the_learned_gain_is_the_steady_gain_of_the_kalman_filter(linear):
    model, observations, file, truth = linear
    settings = ConstantGainSettings(
        iterations=300,
        batch_size=1000,
        unroll=4,
        learning_rate=0.02,
        warm_up=0,
        validations=1,
    )
    rng = np.random.default_rng(0)
    trained = train_assimilator(observations, model, settings, file, rng, truth)
    step = opened(trained)
    found = []
    for o in range(3):  # the increments of single innovations of 1 are the columns of the gain
        innovation = np.zeros((1, 1, 4), np.float32)
        innovation[0, 0, SITES[o]] = 1
        error = np.full((1, 1, 4), 1 / step.weights["scale"][0], np.float32)
        increment, _ = step.graph([0 * innovation, innovation, 0 * innovation, error], innovation[:, :0])
        found.append(increment[0, 0] * step.weights["std"][0])
    np.testing.assert_allclose(np.array(found).T, steady_gain(model.M), atol=0.01)
