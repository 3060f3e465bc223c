"""The analyses of one time: ETKF, stochastic EnKF, LETKF and 3D-Var, as the compiled ones, of torch tensors.

With anomalies A (member, site), S = A_y R^-1/2 / sqrt(N-1) and d = R^-1/2 (y - mean of Y). Formulas and papers stand
with the compiled methods of the same names. Cost: N^3 for a square root (LETKF: at every site), and its products.
"""

from typing import Any, NamedTuple

from assimilearn.assimilators.filters.roots import inverse_root
from assimilearn.assimilators.filters.tapers import gaspari_cohn


class Anomalies(NamedTuple):
    """Mean and anomalies of an ensemble, and its S and d."""

    mean: Any
    A: Any
    S: Any
    d: Any

    @classmethod
    def of(cls, E: Any, Y: Any, y: Any, variance: Any) -> "Anomalies":
        """Those of E (member, site), which would observe Y (member, observation)."""
        mean, seen, std = E.mean(dim=0), Y.mean(dim=0), variance**0.5
        return cls(mean, E - mean, (Y - seen) / std / (len(E) - 1) ** 0.5, (y - seen) / std)


def etkf(E: Any, Y: Any, y: Any, variance: Any) -> Any:
    """T A about x_f + A^T T T S d / sqrt(N-1), T = (I + S S^T)^-1/2: (member, site)."""
    mean, A, S, d = Anomalies.of(E, Y, y, variance)
    T = inverse_root(S @ S.mT)
    transformed = T @ A
    return mean + (T @ (S @ d)) @ transformed / (len(E) - 1) ** 0.5 + transformed


def enkf(E: Any, Y: Any, y: Any, variance: Any, noise: Any) -> Any:
    """E + D (S^T S + I)^-1 S^T A / sqrt(N-1), D the innovations perturbed by ``noise (member, observation)``."""
    import torch

    N = len(E)
    _, A, S, d = Anomalies.of(E, Y, y, variance)
    D = (N / (N - 1)) ** 0.5 * (noise - noise.mean(dim=0)) + d - (N - 1) ** 0.5 * S
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
    local = S * root[:, None]  # (site, member, observation)
    T = inverse_root(local @ local.mT)
    toward = (local @ (root * d)[..., None])[..., 0]  # S d of every site, (site, member)
    a = A.mT[..., None]  # (site, member, 1)
    anomalies = (T @ a)[..., 0]
    increment = ((T @ toward[..., None])[..., 0] * anomalies).sum(dim=1) / (len(E) - 1) ** 0.5
    return mean + increment + anomalies.mT


def threedvar(x: Any, B: Any, y: Any, variance: Any, sites: Any) -> Any:
    """x + B H^T (H B H^T + R)^-1 (y - H x) for the states x (..., site), H the observed ``sites``."""
    import torch

    HB = B[sites]
    S = HB[:, sites] + torch.diag(variance)
    return x + torch.linalg.solve(S, (y - x[..., sites])[..., None])[..., 0] @ HB
