"""The cost function of variational analysis, its gradient and its minimizer.

    J(x) = (x - x_f)^T B^-1 (x - x_f) / 2 + (y - H x)^T R^-1 (y - H x) / 2

Lorenc (1986), Q. J. R. Meteorol. Soc. 112, 1177-1194, eq. 11; H picks sites, R is diagonal. Three ways to one
analysis: the gain K = B H^T (H B H^T + R)^-1 of BLUE, the minimum of J, and, with B = L L^T and x = x_f + L v, the
ridge regression of the scaled innovations R^-1/2 (y - H x_f) on the columns of R^-1/2 H L, whose penalty is 1.
"""

import numpy as np


def cost(
    x: np.ndarray, forecast: np.ndarray, precision: np.ndarray, y: np.ndarray, variance: np.ndarray, sites: np.ndarray
) -> float:
    """J at ``x``.

    Parameters
    ----------
    x, forecast : ndarray (site,)
    precision : ndarray (site, site)
        Inverse of B.
    y, variance, sites : ndarray (observation,)
        Observations, their error variances and sites.
    """
    increment, residual = x - forecast, y - x[sites]
    return float(increment @ precision @ increment + residual @ (residual / variance)) / 2


def gradient(
    x: np.ndarray, forecast: np.ndarray, precision: np.ndarray, y: np.ndarray, variance: np.ndarray, sites: np.ndarray
) -> np.ndarray:
    """Gradient of J at ``x``, (site,); arguments as for :func:`cost`."""
    result = precision @ (x - forecast)
    np.subtract.at(result, sites, (y - x[sites]) / variance)
    return result


def minimize(
    forecast: np.ndarray, covariance: np.ndarray, y: np.ndarray, variance: np.ndarray, sites: np.ndarray
) -> np.ndarray:
    """The minimizer of J, found by iteration.

    In the variable v of x = x_f + L v, with B = L L^T, the Hessian of J is the identity plus one term for each
    observation: well conditioned whatever B is (Lorenc 1988). L-BFGS then needs few iterations.

    Parameters
    ----------
    forecast : ndarray (site,)
    covariance : ndarray (site, site)
        B, positive definite.
    y, variance, sites : ndarray (observation,)

    Returns
    -------
    ndarray (site,)
    """
    from scipy.optimize import minimize as search

    L = np.linalg.cholesky(covariance)

    def in_control(v: np.ndarray) -> tuple[float, np.ndarray]:
        residual = y - forecast[sites] - L[sites] @ v
        return float(v @ v + residual @ (residual / variance)) / 2, v - L[sites].T @ (residual / variance)

    options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-10}
    found = search(in_control, np.zeros(forecast.size), jac=True, method="L-BFGS-B", options=options)
    return forecast + L @ found.x
