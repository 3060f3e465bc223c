"""The inverse of the square root of I + C, with a gradient that equal eigenvalues do no harm.

For f of a symmetric matrix A = V diag(l) V^T the derivative in the direction dA is V (F o (V^T dA V)) V^T, with the
divided differences F_ij = (f(l_i) - f(l_j)) / (l_i - l_j) (Daleckii & Krein 1965; Higham 2008, Functions of Matrices,
theorem 3.11). For f = l^-1/2

    F_ij = -1 / (sqrt(l_i) sqrt(l_j) (sqrt(l_i) + sqrt(l_j))),

which needs no difference of eigenvalues. The derivative of the eigenvectors themselves, which torch would take, does,
and fails for C of a small rank.
"""

from functools import cache
from typing import Any


def inverse_root(C: Any) -> Any:
    """(I + C)^-1/2 for the symmetric tensor C (..., member, member)."""
    import torch

    return _function().apply(C + torch.eye(C.shape[-1], dtype=C.dtype))


@cache
def _function() -> Any:
    """The operation, made when torch is there."""
    import torch

    class InverseRoot(torch.autograd.Function):
        """A^-1/2 of symmetric positive definite matrices."""

        @staticmethod
        def forward(ctx: Any, A: Any) -> Any:
            values, vectors = torch.linalg.eigh(A)
            root = values.sqrt()
            ctx.save_for_backward(root, vectors)
            return (vectors / root[..., None, :]) @ vectors.mT

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            root, vectors = ctx.saved_tensors
            column, row = root[..., :, None], root[..., None, :]
            divided = -1 / (column * row * (column + row))
            inner = vectors.mT @ ((gradients[0] + gradients[0].mT) / 2) @ vectors
            return vectors @ (divided * inner) @ vectors.mT

    return InverseRoot
