"""The cost function of variational analysis, its gradient and its minimizer.

    J(x) = (x - x_f)^T B^-1 (x - x_f) / 2 + (y - h(x))^T R^-1 (y - h(x)) / 2

Lorenc (1986), Q. J. R. Meteorol. Soc. 112, 1177-1194, eq. 11. By default h picks sites and R is diagonal; an
:class:`~assimilearn.observations.observation_model.ObservationModel` gives any other. For a linear h there are three
ways to one analysis: the gain K = B H^T (H B H^T + R)^-1 of BLUE, the minimum of J, and, with B = L L^T and x = x_f + L
v, the ridge regression of the scaled innovations R^-1/2 (y - H x_f) on the columns of R^-1/2 H L, whose penalty is 1.
"""

import numpy as np

from assimilearn.observations.observation_model import SITES, ObservationModel
from assimilearn.observations.operator_kernels import observed


def cost(
    x: np.ndarray,
    forecast: np.ndarray,
    precision: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    sites: np.ndarray,
    observation: ObservationModel = SITES,
) -> float:
    """J at ``x``.

    Parameters
    ----------
    x, forecast : ndarray (site,)
    precision : ndarray (site, site)
        Inverse of B.
    y, variance, sites : ndarray (observation,)
        Observations, their error variances and sites.
    observation : ObservationModel
        What is observed, and how the errors are correlated.
    """
    increment, d = x - forecast, departures(x, y, variance, sites, observation)
    return float(increment @ precision @ increment + d @ (d / variance)) / 2


def gradient(
    x: np.ndarray,
    forecast: np.ndarray,
    precision: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    sites: np.ndarray,
    observation: ObservationModel = SITES,
) -> np.ndarray:
    """Gradient of J at ``x``, (site,); arguments as for :func:`cost`."""
    H = observation.tangents(np.eye(x.size), x, variance, sites)
    return precision @ (x - forecast) - H.T @ (departures(x, y, variance, sites, observation) / variance)


def departures(
    x: np.ndarray, y: np.ndarray, variance: np.ndarray, sites: np.ndarray, observation: ObservationModel
) -> np.ndarray:
    """y - h(x), whitened by the error correlation, (observation,)."""
    difference = y - observed(x[None], sites, observation.operator)
    return observation.whitened(difference, variance, sites)[0]


def minimize(
    forecast: np.ndarray,
    covariance: np.ndarray,
    y: np.ndarray,
    variance: np.ndarray,
    sites: np.ndarray,
    observation: ObservationModel = SITES,
) -> np.ndarray:
    """The minimizer of J, found by iteration; for a nonlinear h one that is near the forecast.

    In the variable v of x = x_f + L v, with B = L L^T, the Hessian of J is the identity plus one term for each
    observation: well conditioned whatever B is (Lorenc 1988). L-BFGS then needs few iterations.

    Parameters
    ----------
    forecast : ndarray (site,)
    covariance : ndarray (site, site)
        B, positive definite.
    y, variance, sites : ndarray (observation,)
    observation : ObservationModel

    Returns
    -------
    ndarray (site,)
    """
    from scipy.optimize import minimize as search

    L = np.linalg.cholesky(covariance)

    def in_control(v: np.ndarray) -> tuple[float, np.ndarray]:
        x = forecast + L @ v
        d = departures(x, y, variance, sites, observation)
        return float(v @ v + d @ (d / variance)) / 2, v - observation.tangents(L, x, variance, sites).T @ (d / variance)

    options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10}
    found = search(in_control, np.zeros(forecast.size), jac=True, method="L-BFGS-B", options=options)
    return forecast + L @ found.x
