"""The analyses of one time: ETKF, stochastic EnKF, LETKF and 3D-Var, as the compiled ones, of torch tensors.

With anomalies A (member, site), S = A_y R^-1/2 / sqrt(N-1) and d = R^-1/2 (y - mean of Y). Formulas and papers stand
with the compiled methods of the same names. Leading axes, as of several ensembles, go through. An infinite error
variance leaves an observation out. Cost: N^3 for a square root (LETKF: at every site), and its products.
"""

from typing import Any, NamedTuple

from assimilearn.assimilators.filters.roots import inverse_root
from assimilearn.assimilators.filters.tapers import gaspari_cohn


class Anomalies(NamedTuple):
    """Mean (..., 1, site) and anomalies (..., member, site), S (..., member, observation) and d (..., observation)."""

    mean: Any
    A: Any
    S: Any
    d: Any

    @classmethod
    def of(cls, E: Any, Y: Any, y: Any, variance: Any) -> "Anomalies":
        """Those of E (..., member, site), which would observe Y (..., member, observation)."""
        mean, seen, std = E.mean(dim=-2, keepdim=True), Y.mean(dim=-2, keepdim=True), variance**0.5
        S = (Y - seen) / std[..., None, :] / (E.shape[-2] - 1) ** 0.5
        return cls(mean, E - mean, S, (y - seen[..., 0, :]) / std)


def etkf(E: Any, Y: Any, y: Any, variance: Any) -> Any:
    """T A about x_f + A^T T T S d / sqrt(N-1), T = (I + S S^T)^-1/2: (..., member, site)."""
    mean, A, S, d = Anomalies.of(E, Y, y, variance)
    T = inverse_root(S @ S.mT)
    transformed = T @ A
    toward = T @ (S @ d[..., None])  # (..., member, 1)
    return mean + toward.mT @ transformed / (E.shape[-2] - 1) ** 0.5 + transformed


def enkf(E: Any, Y: Any, y: Any, variance: Any, noise: Any) -> Any:
    """E + D (S^T S + I)^-1 S^T A / sqrt(N-1), D the innovations perturbed by ``noise (..., member, observation)``."""
    import torch

    N = E.shape[-2]
    _, A, S, d = Anomalies.of(E, Y, y, variance)
    centred = noise - noise.mean(dim=-2, keepdim=True)
    D = (N / (N - 1)) ** 0.5 * centred + d[..., None, :] - (N - 1) ** 0.5 * S
    gain = S.mT @ torch.linalg.solve(S @ S.mT + torch.eye(N, dtype=E.dtype), A)
    return E + D @ gain / (N - 1) ** 0.5


def letkf(E: Any, Y: Any, y: Any, variance: Any, distance: Any, radius: Any) -> Any:
    """An ETKF at every site, its S and d multiplied by the root of the taper of their distance.

    Parameters
    ----------
    distance : tensor (site, observation)
    radius : tensor or float, or tensor (site, 1)
        Localization radius.
    """
    import torch

    mean, A, S, d = Anomalies.of(E, Y, y, variance)
    weight = gaspari_cohn(distance, radius)
    inside = weight > 0  # the root has no derivative at 0
    root = torch.where(inside, weight, torch.ones_like(weight)).sqrt() * inside
    local = S[..., None, :, :] * root[:, None]  # (..., site, member, observation)
    T = inverse_root(local @ local.mT)
    toward = T @ (local @ (root * d[..., None, :])[..., None])  # T S d of every site, (..., site, member, 1)
    anomalies = T @ A.mT[..., None]
    increment = (toward * anomalies).sum(dim=-2).mT / (E.shape[-2] - 1) ** 0.5  # (..., 1, site)
    return mean + increment + anomalies[..., 0].mT


def threedvar(x: Any, B: Any, y: Any, variance: Any, sites: Any) -> Any:
    """x + B H^T (H B H^T + R)^-1 (y - H x) for the states x (..., site), H the observed ``sites``."""
    import torch

    HB = B[sites]
    S = HB[:, sites] + torch.diag(variance)
    return x + torch.linalg.solve(S, (y - x[..., sites])[..., None])[..., 0] @ HB
