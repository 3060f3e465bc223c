"""Message passing on the graph of the geometry: grid points send messages to those that are near.

Gilmer et al. (2017), ICML, 1263-1272; Lam et al. (2023), Science 382, 1416-1421, on the sphere. In each round a point
sums messages of its neighbours, dense functions of both and of the way between them, and adds a dense function of
the sum to what it knows. The functions are the same everywhere; on bounded axes and spheres some points have fewer
neighbours. Cost of a step: about 6 rounds width^2 flops a grid point and neighbour.
"""

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.models.geometry import Geometry


class GraphSettings(NetworkSettings):
    """Message passing between neighbours."""

    side_by_side: ClassVar[bool] = True

    method: Literal["graph"] = "graph"
    width: int = Field(32, ge=1, le=4096, description="features of a grid point")
    rounds: int = Field(2, ge=1, le=64, description="how often messages are sent")
    radius: int = Field(2, ge=1, le=20, description="grid points along each axis to which messages reach")

    @property
    def local(self) -> bool:
        """No: the file keeps the graph of its own geometry."""
        return False

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there are no neighbours."""
        geometry.need_space("message passing")
        super().refuse_unlike(geometry)
        geometry.stencil(self.radius)


def module(geometry: Geometry, settings: GraphSettings) -> Any:
    """The torch module for standardised states (row, field, *grid)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import zeroed

    fields, points, width = len(geometry.fields), geometry.fields[0].size, settings.width
    near, ways = neighbours(geometry, settings.radius)

    class Round(torch.nn.Module):
        """Messages, their sum, and what it changes."""

        def __init__(self) -> None:
            super().__init__()
            self.receiver, self.sender = torch.nn.Linear(width, width), torch.nn.Linear(width, width, bias=False)
            self.way = torch.nn.Linear(ways.shape[-1] - 1, width, bias=False)
            self.change = torch.nn.Sequential(
                *(torch.nn.Linear(2 * width, width), torch.nn.SiLU(), torch.nn.Linear(width, width)),
            )
            self.near: Any
            self.ways: Any
            self.register_buffer("near", torch.as_tensor(near), persistent=False)
            self.register_buffer("ways", torch.as_tensor(ways, dtype=torch.float32), persistent=False)

        def forward(self, h: Any) -> Any:
            there, apart = self.ways[..., :1], self.way(self.ways[..., 1:])
            sent = self.sender(h).index_select(1, self.near.flatten()).reshape(-1, *self.near.shape, width)
            messages = torch.nn.functional.silu(self.receiver(h)[:, :, None] + sent + apart) * there
            return h + self.change(torch.cat([h, messages.sum(2)], dim=-1))

    class Graph(torch.nn.Module):
        """All rounds."""

        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Linear(fields, width)
            self.rounds = torch.nn.Sequential(*(Round() for _ in range(settings.rounds)))
            self.last = zeroed(torch.nn.Linear(width, fields))

        def forward(self, states: Any) -> Any:
            h = self.first(states.reshape(-1, fields, points).transpose(1, 2))
            return self.last(self.rounds(h)).transpose(1, 2).reshape(states.shape)

    return Graph()


def neighbours(geometry: Geometry, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of each grid point, and the ways to them.

    Returns
    -------
    near : ndarray (point, neighbour), int64; 0 where there is none
    ways : ndarray (point, neighbour, 1 + dimension)
        1 where there is a neighbour, else 0; then where it lies, in units of the longest way.
    """
    count = geometry.fields[0].size
    near = geometry.stencil(radius)[:, : (2 * radius + 1) ** len(geometry.axes)]
    there, near = near >= 0, np.maximum(near, 0)
    apart = geometry.positions[near] - geometry.positions[:count, None]
    period = geometry.periods
    far = (period > 0) & (np.abs(apart) > period / 2)
    apart = np.where(far, apart - np.sign(apart) * period, apart)
    apart = np.where(there[..., None], apart, 0.0)
    return near, np.concatenate([there[..., None], apart / np.abs(apart).max()], axis=-1)


METHOD = NetworkMethod(module)
