"""Linear inverse model: the linear stochastic model with the covariance and lag covariance of the analyses.

    x(t + tau) - m = G (x(t) - m) + e,     G = C(tau) C(0)^-1,     e ~ N(0, Q),     Q = C(0) - G C(0) G^T

Penland & Sardeshmukh (1995), J. Climate 8, 1999-2024, eqs. 3-6; Hasselmann (1988), J. Geophys. Res. 93, 11015-11021.
C(0) and C(tau) are those of pairs one interval apart in the training period, m the mean of each site. With
`stochastic`, a step draws e: free runs then have the covariance of the analyses, and filters their model error; else it
gives the mean of what may come. The model may live in the leading `modes` of the empirical orthogonal functions of
standardised states: what is outside them is forecast to be the mean, and is part of e.

Cost of a step: sites^2 a member.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.emulators.emulator import Fitted
from assimilearn.emulators.fields import field_scaling
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.weights import Shape
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import CompiledStep

LOCAL = False


class LimSettings(EmulatorSettings):
    """Linear inverse model of the whole state."""

    more: ClassVar[bool] = True
    differentiates: ClassVar[bool] = True

    method: Literal["lim"] = "lim"
    modes: int | None = Field(
        None, ge=1, description="empirical orthogonal functions that are kept; null: as many as there are sites"
    )
    stochastic: bool = Field(False, description="steps draw what the propagator leaves from its covariance")


def fit(training: Windows, validation: Windows, settings: LimSettings, rng: np.random.Generator) -> Fitted:
    """Propagator and covariance of what it leaves; nothing is drawn at random."""
    scale = field_scaling(training).std[training.geometry.field_of]
    mean = training.states[:, :2].mean(axis=(0, 1))
    before, after = ((states - mean) / scale for states in (training.inputs, training.targets))
    functions = orthogonal_functions(before, settings.modes)
    a, b = before @ functions, after @ functions
    C0, lagged = a.T @ a / len(a), b.T @ a / len(a)
    G = np.linalg.lstsq(C0, lagged.T, rcond=None)[0].T
    Q = C0 - G @ C0 @ G.T
    outside = before - a @ functions.T  # what the modes leave is noise of its own
    propagator = functions @ G @ functions.T * scale[:, None] / scale
    noise = (functions @ Q @ functions.T + outside.T @ outside / len(a)) * scale[:, None] * scale
    texts = {
        "mean": ("site", mean, "mean of the training analyses"),
        "propagator": (("site", "other_site"), propagator, "G, anomalies one interval later from those before"),
        "noise": (("site", "other_site"), (noise + noise.T) / 2, "Q, covariance of what the propagator leaves"),
    }
    return Fitted({name: xr.DataArray(v, dims=d, attrs={"long_name": text}) for name, (d, v, text) in texts.items()})


def orthogonal_functions(anomalies: np.ndarray, modes: int | None) -> np.ndarray:
    """Leading eigenvectors (site, mode) of the covariance of ``anomalies (time, site)``; all of them for None."""
    if modes is None or modes >= anomalies.shape[1]:
        return np.eye(anomalies.shape[1])
    return np.linalg.eigh(anomalies.T @ anomalies)[1][:, ::-1][:, :modes]


def shapes(settings: LimSettings, size: int) -> dict[str, Shape]:
    """The mean, and two matrices."""
    return {"mean": (size,), "propagator": (size, size), "noise": (size, size)}


def problems(weights: Mapping[str, np.ndarray], settings: LimSettings) -> list[str]:
    """None beside those of shapes."""
    return []


def more(weights: Mapping[str, np.ndarray], settings: LimSettings, geometry: Geometry) -> dict[str, Any]:
    """How many numbers a step draws."""
    return {"draws": geometry.size if settings.stochastic else 0}


def compiled(weights: Mapping[str, np.ndarray], settings: LimSettings, geometry: Geometry) -> CompiledStep:
    """Parameters: number of sites, the mean, the propagator row by row, and a square root of Q if a step draws."""
    root = square_root(weights["noise"]).ravel() if settings.stochastic else np.empty(0)
    parts = ([geometry.size], weights["mean"], weights["propagator"].ravel(), root)
    return CompiledStep(propagate, np.concatenate(parts, dtype=float))


def tensor_step(weights: Mapping[str, np.ndarray], settings: LimSettings, geometry: Geometry) -> Callable[[Any], Any]:
    """The step of a torch tensor (..., site), without what is drawn."""
    import torch

    mean, propagator = torch.as_tensor(weights["mean"]), torch.as_tensor(weights["propagator"])
    return lambda x: mean + (x - mean) @ propagator.T


def square_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root; directions of negative variance, which sampling may leave, count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


@njit(cache=True, nogil=True)
def propagate(E, parameters):
    """Replace the sites of every row of E (member, site + draw) by m + G (x - m) + Q^1/2 times the draws."""
    n = int(parameters[0])
    mean, G = parameters[1 : n + 1], parameters[n + 1 : n + 1 + n * n].reshape(n, n)
    root = parameters[n + 1 + n * n :]
    anomaly, moved = np.empty(n), np.empty(n)
    for member in range(E.shape[0]):
        for i in range(n):
            anomaly[i] = E[member, i] - mean[i]
        np.dot(G, anomaly, moved)
        for i in range(n):
            E[member, i] = mean[i] + moved[i]
        if root.size > 0:
            for i in range(n):
                anomaly[i] = E[member, n + i]
            np.dot(root.reshape(n, n), anomaly, moved)
            for i in range(n):
                E[member, i] += moved[i]
