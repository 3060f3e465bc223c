"""What a user writes: a model on a plane with two fields, and a network, in one file."""

import numpy as np
import torch

from assimilearn.plugins import model, network


@model("pond", fields={"height": (8, 8), "flow": (8, 8)}, spacing=1.0, periodic=True, time_step=0.1)
def pond(fields, *, damping: float = 0.1, forcing: float = 8.0):
    """Coupled Lorenz-96 rows, with flow that follows height."""
    x, flow = fields["height"], fields["flow"]
    steps = 4
    for _ in range(steps):
        advection = (np.roll(x, -1, -1) - np.roll(x, 2, -1)) * np.roll(x, 1, -1)
        mixing = 0.2 * (np.roll(x, 1, -2) + np.roll(x, -1, -2) - 2 * x)
        x, flow = (
            x + 0.1 / steps * (advection + mixing - x + forcing - damping * flow),
            flow + 0.1 / steps * (x - flow),
        )
    return {"height": x, "flow": flow}


@network("unet")
class UNet(torch.nn.Module):
    """Two levels, periodic, on any plane with an even number of points along each axis."""

    def __init__(self, geometry, *, width: int = 32):
        super().__init__()
        fields = len(geometry.fields)
        self.down = torch.nn.Conv2d(fields, width, 3)
        self.deep = torch.nn.Conv2d(width, width, 3)
        self.up = torch.nn.Conv2d(2 * width, fields, 3)

    def forward(self, states):
        wrap = lambda h: torch.cat([h[..., -1:], h, h[..., :1]], -1)  # noqa: E731
        padded = lambda h: wrap(wrap(h).transpose(-1, -2)).transpose(-1, -2)  # noqa: E731
        fine = torch.relu(self.down(padded(states)))
        coarse = torch.relu(self.deep(padded(torch.nn.functional.avg_pool2d(fine, 2))))
        coarse = torch.nn.functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return self.up(padded(torch.cat([fine, coarse], 1)))
