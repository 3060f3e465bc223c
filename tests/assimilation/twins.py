"""Small twin experiments: a linear model with its exact Kalman filter, Lorenz-96, and observations of either."""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numba import njit

from assimilearn.models import CompiledStep, Lorenz96, Lorenz96Settings
from assimilearn.models.integrate import spun_up_state, trajectory


@njit
def linear_step(E, parameters):
    n = E.shape[1]
    M = parameters.reshape(n, n)
    for j in range(E.shape[0]):
        E[j] = np.dot(M, E[j])


@dataclass(frozen=True)
class LinearModel:
    """x -> M x, with or without a compiled step."""

    M: np.ndarray
    with_kernel: bool = True
    time_step: float = 0.1

    @property
    def size(self):
        return len(self.M)

    @property
    def compiled(self):
        return CompiledStep(linear_step, self.M.ravel().copy()) if self.with_kernel else None

    def step(self, states):
        return states @ self.M.T

    def interpreted(self):
        return replace(self, with_kernel=False)


def linear_model(n=4, seed=3):
    """A slowly growing, rotating and mixing map."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return LinearModel(1.02 * rotation)


def climatology_file(mean, covariance):
    """The part of a climatology file that assimilation reads."""
    return xr.Dataset({"mean": ("site", mean), "covariance": (("site", "other_site"), covariance)})


def observe_states(states, time_step, error_std, rng, sites=None, every=1):
    """Observations of ``states (time, site)`` at fixed or moving ``sites``; train, validation and test thirds."""
    K, n = states.shape
    sites = np.arange(n) if sites is None else np.asarray(sites)
    sites = np.broadcast_to(sites, (K, sites.shape[-1]))
    value = np.take_along_axis(states, sites, axis=1)
    value = value + error_std * rng.standard_normal(value.shape)
    dims, thirds = ("time", "observation"), (1 + 3 * np.arange(K) // K).astype(np.int8)
    return xr.Dataset(
        {
            "value": (dims, value),
            "error_std": (dims, np.full(value.shape, float(error_std))),
            "site_index": (dims, sites.astype(np.int32)),
            "valid": (dims, np.ones(value.shape, np.int8)),
        },
        {
            "time": time_step * np.arange(1, K + 1) * every,
            "period": ("time", thirds),
        },
    )


def lorenz96_truth(times, seed=0, n=40, every=1):
    """The model and ``times`` states on its attractor, (time, site)."""
    model = Lorenz96(Lorenz96Settings(size=n))
    start = spun_up_state(model, 20.0, np.random.default_rng(seed))
    return model, trajectory(model, start, times * every)[every::every]


def lorenz96_climatology(n=40):
    """Mean and covariance of a free run, homogeneous by construction."""
    _, states = lorenz96_truth(20_000, seed=99, n=n)
    anomalies = states - states.mean()
    by_lag = np.array([(anomalies * np.roll(anomalies, -lag, axis=1)).mean() for lag in range(n)])
    by_lag = (by_lag + by_lag[-np.arange(n)]) / 2
    covariance = by_lag[(np.arange(n)[:, None] - np.arange(n)) % n]
    return climatology_file(np.full(n, states.mean()), covariance)


def kalman_filter(model, observations, mean, covariance, model_error=0.0):
    """Exact analysis means and covariances, one model step between observation times; valid entries only."""
    x, P, means, covariances = mean, covariance, [], []
    for k in range(observations.sizes["time"]):
        if k > 0:
            x = model.M @ x
            P = model.M @ P @ model.M.T + model_error**2 * np.eye(len(x))
        valid = observations["valid"].values[k] != 0
        H = np.eye(len(x))[observations["site_index"].values[k, valid]]
        R = np.diag(observations["error_std"].values[k, valid] ** 2)
        K = P @ H.T @ np.linalg.inv(H @ P @ H.T + R)
        x = x + K @ (observations["value"].values[k, valid] - H @ x)
        P = P - K @ H @ P
        means.append(x)
        covariances.append(P)
    return np.array(means), np.array(covariances)
