"""Self-attention: every grid point weighs what it sees of all others, past states too where `delays` adds them.

Vaswani et al. (2017), NeurIPS: blocks of attention and a dense layer, each added to what it is given, after layer
normalisation. Grid points are tokens, fields their features; without space each site is a token. Where all grid points
are alike, attention depends on how far apart two are along each axis, by a learned bias (Shaw, Uszkoreit & Vaswani
2018, NAACL); else each has a learned place of its own. Cost of a step: 4 depth width n^2 flops for n tokens, and
24 depth width^2 n.
"""

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.models.geometry import Geometry


class AttentionSettings(NetworkSettings):
    """Self-attention over grid points."""

    side_by_side: ClassVar[bool] = True
    dense: ClassVar[bool] = True

    method: Literal["attention"] = "attention"
    width: int = Field(32, ge=1, le=4096, description="features of a token")
    heads: int = Field(4, ge=1, description="attention heads; they divide the width")
    depth: int = Field(2, ge=1, le=64, description="number of blocks")

    @model_validator(mode="after")
    def _heads(self) -> "AttentionSettings":
        if self.width % self.heads:
            raise ValueError(f"heads: {self.heads} do not divide the width of {self.width}")
        return self

    @property
    def local(self) -> bool:
        """No: every point sees all others."""
        return False


def module(geometry: Geometry, settings: AttentionSettings) -> Any:
    """The torch module for standardised states (row, field, *grid)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import zeroed

    tokens = geometry.fields[0].size if geometry.has_space else geometry.size
    features, width, heads = geometry.size // tokens, settings.width, settings.heads
    apart = torch.as_tensor(offsets(geometry)) if geometry.homogeneous else None

    class Block(torch.nn.Module):
        """Attention, then a dense layer."""

        def __init__(self) -> None:
            super().__init__()
            self.before, self.between = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
            self.asked, self.mixed = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
            self.dense = torch.nn.Sequential(
                *(torch.nn.Linear(width, 2 * width), torch.nn.GELU(), torch.nn.Dropout(settings.dropout)),
                torch.nn.Linear(2 * width, width),
            )
            self.bias = torch.nn.Parameter(torch.zeros(heads, tokens)) if apart is not None else None

        def forward(self, h: Any) -> Any:
            q, k, v = (
                part.reshape(-1, tokens, heads, width // heads).transpose(1, 2)
                for part in self.asked(self.before(h)).chunk(3, dim=-1)
            )
            near = None if self.bias is None else self.bias[:, apart][None]
            seen = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=near)
            h = h + self.mixed(seen.transpose(1, 2).reshape(-1, tokens, width))
            return h + self.dense(self.between(h))

    class Attention(torch.nn.Module):
        """All blocks."""

        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Linear(features, width)
            self.places = torch.nn.Parameter(0.1 * torch.randn(tokens, width)) if apart is None else None
            self.blocks = torch.nn.Sequential(*(Block() for _ in range(settings.depth)))
            self.last = zeroed(torch.nn.Linear(width, features))

        def forward(self, states: Any) -> Any:
            h = self.first(states.reshape(-1, features, tokens).transpose(1, 2))
            h = h if self.places is None else h + self.places
            return self.last(self.blocks(h)).transpose(1, 2).reshape(states.shape)

    return Attention()


def offsets(geometry: Geometry) -> np.ndarray:
    """Number of the offset from each grid point to each other, (point, point), on periodic axes."""
    shape = geometry.fields[0].shape
    places = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape))
    apart = (places[:, None, :] - places[:, :, None]) % np.array(shape)[:, None, None]
    return np.ravel_multi_index(tuple(apart), shape)


METHOD = NetworkMethod(module)
