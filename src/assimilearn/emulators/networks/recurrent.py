"""A recurrent network: a hidden state at each grid point carries what past states told of the unobserved.

Gated recurrent units (Cho et al. 2014, EMNLP, 1724-1734) with convolutions for matrices (Ballas et al. 2016, ICLR):

    u, r = sigmoid(A [z, h]),    c = tanh(B [z, r h]),    h' = (1 - u) h + u c,    increment = C [z, h'].

The hidden state is memory, which each member carries after its sites. In training it begins at zero and takes up the
analyses of the warm-up. Cost of a step: about 6 (width + fields) width kernel flops a grid point, on one axis.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.models.geometry import Geometry


class RecurrentSettings(NetworkSettings):
    """Convolutional gated recurrent units."""

    side_by_side: ClassVar[bool] = True

    method: Literal["gru"] = "gru"
    width: int = Field(8, ge=1, le=1024, description="numbers of the hidden state at each grid point")
    kernel: int = Field(5, ge=1, le=31, description="points of a convolution along each axis, odd")
    takes_up: int = Field(
        8, ge=1, le=200, description="analyses before each window of training from which the hidden state is formed"
    )

    @model_validator(mode="after")
    def _alone(self) -> "RecurrentSettings":
        if self.delays or self.noisy or self.integrator != "none" or self.loss == "gaussian_nll" or self.ensemble > 1:
            raise ValueError(
                "gru has a memory of its own: it goes with none of delays, rk4, gaussian_nll, crps, ensemble"
            )
        return self

    @property
    def warm_up(self) -> int:
        """Steps in which the hidden state takes up the analyses."""
        return self.takes_up

    @property
    def local(self) -> bool:
        """No: the memory is bound to its grid points."""
        return False

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there is no grid to convolve on."""
        super().refuse_unlike(geometry)
        self.refuse_without_grid(geometry, self.kernel)


def module(geometry: Geometry, settings: RecurrentSettings) -> Any:
    """The torch module of standardised states (row, field, *grid) and memory (row, entry)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import Convolution, zeroed

    periodic, fields, width = [axis.periodic for axis in geometry.axes], len(geometry.fields), settings.width
    grid = (1, *geometry.fields[0].shape)[-2:]

    class Recurrent(torch.nn.Module):
        """One step of the units."""

        memory = width * geometry.fields[0].size

        def __init__(self) -> None:
            super().__init__()
            self.gates = Convolution(fields + width, 2 * width, settings.kernel, periodic)
            self.candidate = Convolution(fields + width, width, settings.kernel, periodic)
            self.last = torch.nn.Sequential(
                *(Convolution(fields + width, 4 * width, settings.kernel, periodic), torch.nn.SiLU()),
                zeroed(Convolution(4 * width, fields, 1, periodic)),
            )

        def forward(self, states: Any, memory: Any) -> Any:
            z, h = states.reshape(-1, fields, *grid), memory.reshape(-1, width, *grid)
            update, reset = torch.sigmoid(self.gates(torch.cat([z, h], dim=1))).chunk(2, dim=1)
            h = (1 - update) * h + update * torch.tanh(self.candidate(torch.cat([z, reset * h], dim=1)))
            return self.last(torch.cat([z, h], dim=1)).reshape(states.shape), h.reshape(memory.shape)

    return Recurrent()


METHOD = NetworkMethod(module)
