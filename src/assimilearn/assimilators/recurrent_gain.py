"""A recurrent convolutional network that predicts a local gain, and carries a memory beside the one state.

Bocquet, Farchi, Finn, Durand, Cheng, Chen, Pasmans & Carrassi (2024), Chaos 34, 091104: a network that analyses a
single state can come close to an ensemble filter, since it learns to infer the errors of the day from the state. Here
the network predicts the gain, not the increment, and is given a memory of its own:

    G, c, g = N(x_f, d, mask, m),        x_a = x_f + sum over |o| <= r of G_o d(. + o),        m' = (1 - g) m + g tanh c

with d the innovations (zero where nothing is observed), G the gain over the sites up to r away, c and g candidate and
gate of the memory m, as in a gated recurrent unit (Cho et al. 2014). N is a stack of convolutions with the same weights
at all grid points, so it runs on a ring of any size. Without observations the state is left as it is.

Cost of an analysis: about 2 depth width^2 kernel flops a grid point.
"""

from typing import Any, Literal

from pydantic import Field

from assimilearn.assimilators.convolutions import padded
from assimilearn.assimilators.method import NetworkMethod
from assimilearn.assimilators.settings import NetworkSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class RecurrentGainSettings(NetworkSettings):
    """Recurrent convolutional network that predicts a local gain."""

    method: Literal["recurrent-gain"] = "recurrent-gain"
    width: int = Field(32, ge=1, le=1024, description="channels of the hidden layers")
    depth: int = Field(3, ge=1, le=32, description="convolutions before the last one, residual but for the first")
    kernel: int = Field(5, ge=1, le=31, description="points of a convolution, odd")
    reach: int = Field(5, ge=0, le=64, description="distance in points r up to which an innovation counts")
    memory_channels: int = Field(8, ge=0, le=256, description="channels of the memory; 0 for none")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there is not one axis to convolve on."""
        super().refuse_unlike(geometry)
        if self.kernel % 2 == 0:
            raise SettingsError(f"recurrent-gain: the kernel must be odd, not {self.kernel}")
        if len(geometry.axes) != 1:
            raise SettingsError("recurrent-gain convolves along one axis, and this model has none or more")


def module(geometry: Geometry, settings: RecurrentGainSettings) -> Any:
    """The torch module; see :mod:`assimilearn.assimilators.network`."""
    import torch

    fields, width, kernel, memory = len(geometry.fields), settings.width, settings.kernel, settings.memory_channels
    span = 2 * settings.reach + 1
    gains = fields * fields * span
    periodic = geometry.axes[0].periodic

    class RecurrentGain(torch.nn.Module):
        """First layer, residual layers, and a last one that gives gains, candidate and gate."""

        memory = settings.memory_channels

        def __init__(self) -> None:
            super().__init__()
            layers = [torch.nn.Conv2d(4 * fields + memory, width, (1, kernel))]
            layers += [torch.nn.Conv2d(width, width, (1, kernel)) for _ in range(settings.depth - 1)]
            self.layers = torch.nn.ModuleList(layers)
            self.last = torch.nn.Conv2d(width, gains + 2 * memory, (1, kernel))
            near = torch.eye(span).repeat(fields, 1)[:, None] * torch.eye(fields).repeat_interleave(span, 0)[:, :, None]
            self.register_buffer("offsets", near, persistent=False)  # a convolution that gives departures near by
            with torch.no_grad():  # the first analyses draw each observed site a little towards its observation
                self.last.weight *= 0.1
                own = span * (fields + 1) * torch.arange(fields) + settings.reach
                self.last.bias[own] += 0.2  # type: ignore[index]  # it has one

        def forward(self, state: Any, innovation: Any, observed: Any, error: Any, memory_before: Any) -> Any:
            first, *others = self.layers
            h = torch.cat([state, innovation, observed, error, memory_before], dim=1)[:, :, None]
            h = torch.nn.functional.silu(first(padded(h, kernel // 2, periodic)))
            for layer in others:
                h = h + torch.nn.functional.silu(layer(padded(h, kernel // 2, periodic)))
            h = self.last(padded(h, kernel // 2, periodic))[:, :, 0]
            gain, candidate, gate = h.split([gains, memory, memory], dim=1)
            departures = padded(innovation * error, settings.reach, periodic)
            increment = self.applied(gain, departures)
            gate = torch.sigmoid(gate - 1)
            return increment, memory_before + gate * (torch.tanh(candidate) - memory_before)

        def applied(self, gain: Any, departures: Any) -> Any:
            """The sum over fields and offsets of gain times departure, (row, field, point)."""
            around = torch.nn.functional.conv1d(departures, self.offsets)  # type: ignore[arg-type]  # a buffer
            gain = gain.reshape(gain.shape[0], fields, fields * span, gain.shape[2])
            return (gain * around[:, None]).sum(dim=2)

    return RecurrentGain()


METHOD = NetworkMethod(module)
fit, opened = METHOD.fit, METHOD.opened
