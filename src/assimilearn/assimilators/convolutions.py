"""What convolutions along one axis need: points beyond the ends."""

from typing import Any


def padded(h: Any, reach: int, periodic: bool) -> Any:
    """``h (..., point)`` with ``reach`` more points at both ends: from round a ring, or zeros. By concatenation."""
    import torch

    if reach == 0:
        return h
    before, after = (h[..., -reach:], h[..., :reach]) if periodic else (0 * h[..., :reach],) * 2
    return torch.cat([before, h, after], dim=-1)
