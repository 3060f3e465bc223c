"""What a filter is trained by: likelihood of innovations, CRPS, energy score, rmse, of tensors; all are to be small.

The first three are proper: no other distribution than the right one has a smaller mean (Gneiting & Raftery 2007, J. Am.
Stat. Assoc. 102, 359-378). Against observations the ensemble is that of what members would observe, with the noise that
observations have.
"""

from typing import Any

import numpy as np


def innovation_likelihood(Y: Any, y: Any, variance: Any) -> Any:
    """Minus the log density of y in the normal distribution of Y (member, observation) with covariance S S^T + R.

    In the space of members, by the matrix determinant lemma: Cost N^2 p + N^3.
    """
    import torch

    N = len(Y)
    std = variance**0.5
    S, d = (Y - Y.mean(dim=0)) / std / (N - 1) ** 0.5, (y - Y.mean(dim=0)) / std
    L = torch.linalg.cholesky(S @ S.mT + torch.eye(N, dtype=Y.dtype))
    within = torch.linalg.solve_triangular(L, (S @ d)[:, None], upper=False)
    mahalanobis = (d**2).sum() - (within**2).sum()
    log_determinant = 2 * L.diagonal().log().sum() + variance.log().sum()
    return 0.5 * (mahalanobis + log_determinant + y.numel() * np.log(2 * np.pi))


def crps(members: Any, value: Any) -> Any:
    """Mean over entries of the continuous ranked probability score of ``members (member, entry)``, fair in N.

    Ferro (2014), Q. J. R. Meteorol. Soc. 140, 1917-1923: mean |x_j - v| - sum over j, k of |x_j - x_k| / (2 N (N-1)).
    By sorting, N log N.
    """
    import torch

    N = len(members)
    error = (members - value).abs().mean(dim=0)
    ordered = members.sort(dim=0).values
    weight = 2 * torch.arange(1, N + 1, dtype=members.dtype) - N - 1
    spread = (weight[:, None] * ordered).sum(dim=0) / (N * (N - 1))
    return (error - spread).mean()


def energy_score(members: Any, value: Any) -> Any:
    """Energy score of ``members (member, entry)``, fair in N: the CRPS of whole states."""
    N = len(members)
    error = (members - value).norm(dim=1).mean()
    apart = (members[:, None] - members[None]).pow(2).sum(dim=2)
    distinct = apart > 0  # the root has no derivative at 0
    distance = (apart + (~distinct)) ** 0.5 * distinct
    return error - distance.sum() / (2 * N * (N - 1))


def rmse(members: Any, value: Any) -> Any:
    """Root mean square over entries of the error of the mean."""
    return ((members.mean(dim=0) - value) ** 2).mean() ** 0.5
