"""A recurrent network: a hidden state at each grid point carries what past states told of the unobserved.

Gated recurrent units (Cho et al. 2014, EMNLP, 1724-1734) with convolutions for matrices (Ballas et al. 2016, ICLR):

    u, r = sigmoid(A [z, h]),    c = tanh(B [z, r h]),    h' = (1 - u) h + u c,    increment = C [z, h'].

Long short-term memory (Hochreiter & Schmidhuber 1997, Neural Comput. 9, 1735-1780; Shi et al. 2015, NIPS 28):

    i, f, o = sigmoid(A [z, h]),    c' = f c + i tanh(B [z, h]),    h' = o tanh(c').

The hidden state, and the cell c, are memory, which each member carries after its sites. In training it begins at zero
and takes up the analyses of the warm-up. Cost of a step: about 6 (width + fields) width kernel flops a grid point, on
one axis.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.models.geometry import Geometry


class RecurrentSettings(NetworkSettings):
    """What recurrent networks share."""

    side_by_side: ClassVar[bool] = True
    states_of_cell: ClassVar[int] = 1
    sees_position: ClassVar[bool] = False

    width: int = Field(8, ge=1, le=1024, description="numbers of the hidden state at each grid point")
    kernel: int = Field(5, ge=1, le=31, description="points of a convolution along each axis, odd")
    takes_up: int = Field(
        8, ge=1, le=200, description="analyses before each window of training from which the hidden state is formed"
    )

    @model_validator(mode="after")
    def _alone(self) -> "RecurrentSettings":
        if self.delays or self.noisy or self.integrator != "none" or self.loss == "gaussian_nll" or self.ensemble > 1:
            raise ValueError(
                f"{self.method} has a memory of its own: it goes with none of delays, rk4, gaussian_nll, crps, ensemble"
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


class GruSettings(RecurrentSettings):
    """Convolutional gated recurrent units."""

    method: Literal["gru"] = "gru"


class LstmSettings(RecurrentSettings):
    """Convolutional long short-term memory: beside the hidden state a cell, which gates write, keep and read."""

    states_of_cell: ClassVar[int] = 2

    method: Literal["lstm"] = "lstm"


def module(geometry: Geometry, settings: RecurrentSettings) -> Any:
    """The torch module of standardised states (row, field, *grid) and memory (row, entry)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import Convolution, zeroed

    periodic, fields, width = [axis.periodic for axis in geometry.axes], len(geometry.fields), settings.width
    grid = (1, *geometry.fields[0].shape)[-2:]

    class Recurrent(torch.nn.Module):
        """One step of the units."""

        memory = settings.states_of_cell * width * geometry.fields[0].size

        def __init__(self) -> None:
            super().__init__()
            gates = 3 if settings.states_of_cell == 2 else 2
            self.gates = Convolution(fields + width, gates * width, settings.kernel, periodic)
            self.candidate = Convolution(fields + width, width, settings.kernel, periodic)
            self.last = torch.nn.Sequential(
                *(Convolution(fields + width, 4 * width, settings.kernel, periodic), torch.nn.SiLU()),
                zeroed(Convolution(4 * width, fields, 1, periodic)),
            )

        def forward(self, states: Any, memory: Any) -> Any:
            z, h = states.reshape(-1, fields, *grid), memory.reshape(-1, settings.states_of_cell * width, *grid)
            if settings.states_of_cell == 2:
                h, cell = h.chunk(2, dim=1)
                write, keep, read = torch.sigmoid(self.gates(torch.cat([z, h], dim=1))).chunk(3, dim=1)
                cell = keep * cell + write * torch.tanh(self.candidate(torch.cat([z, h], dim=1)))
                h = read * torch.tanh(cell)
                after = torch.cat([h, cell], dim=1)
            else:
                update, reset = torch.sigmoid(self.gates(torch.cat([z, h], dim=1))).chunk(2, dim=1)
                h = (1 - update) * h + update * torch.tanh(self.candidate(torch.cat([z, reset * h], dim=1)))
                after = h
            return self.last(torch.cat([z, h], dim=1)).reshape(states.shape), after.reshape(memory.shape)

    return Recurrent()


METHOD = NetworkMethod(module)
