"""A network in a latent space: the leading EOFs of the training states, or what an encoder finds.

    c = E(z),    increment = D(c + f(c)) - D(c)

with E and D the projection on the leading EOFs and back (Lorenz 1956), or dense networks that are trained along with f
(an autoencoder: Hinton & Salakhutdinov 2006, Science 313, 504-507). What the latent space does not see persists. Cost
of a step: 4 n dimension flops, and those of two hidden layers.
"""

from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class LatentSettings(NetworkSettings):
    """A perceptron in the space of the leading EOFs, or of an autoencoder."""

    side_by_side: ClassVar[bool] = True
    sees_position: ClassVar[bool] = False

    method: Literal["latent"] = "latent"
    encoder: Literal["eof", "autoencoder"] = Field("eof", description="what the latent space is")
    dimension: int = Field(10, ge=1, le=4096, description="numbers of the latent space")
    hidden: int = Field(64, ge=1, le=65536, description="units of each of the two hidden layers")

    @property
    def local(self) -> bool:
        """No: EOFs are patterns of the whole state."""
        return False

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if the latent space is larger than that of the states; fields may have any grids."""
        if self.dimension > geometry.size:
            raise SettingsError(f"latent: {self.dimension} numbers are more than the {geometry.size} of a state")


def module(geometry: Geometry, settings: LatentSettings) -> Any:
    """The torch module for standardised states (row, field, *grid)."""
    import torch

    size, dimension, hidden = geometry.size, settings.dimension, settings.hidden

    def dense(*widths: int) -> Any:
        """Layers of these widths, with hyperbolic tangents between them."""
        layers: list[Any] = []
        for inputs, outputs in pairwise(widths):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.Tanh()]
        return torch.nn.Sequential(*layers[:-1])

    class Latent(torch.nn.Module):
        """Encoder, step and decoder."""

        def __init__(self) -> None:
            super().__init__()
            self.change = dense(dimension, hidden, hidden, dimension)
            if settings.encoder == "eof":
                self.register_buffer("patterns", torch.eye(size, dimension))
            else:
                self.encoder, self.decoder = dense(size, hidden, dimension), dense(dimension, hidden, size)

        def prepare(self, states: np.ndarray) -> None:
            """Take the EOFs of the standardised training states (time, site); called before training."""
            if settings.encoder == "eof":
                patterns = np.linalg.svd(states - states.mean(axis=0), full_matrices=False)[2][:dimension].T
                if patterns.shape[1] < dimension:
                    raise SettingsError(f"latent: {len(states)} training states have not {dimension} EOFs")
                self.patterns = torch.as_tensor(np.ascontiguousarray(patterns), dtype=torch.float32)

        def forward(self, states: Any) -> Any:
            z = states.reshape(-1, size)
            if settings.encoder == "eof":
                increments = self.change(z @ self.patterns) @ self.patterns.T
            else:
                c = self.encoder(z)
                increments = self.decoder(c + self.change(c)) - self.decoder(c)
            return increments.reshape(states.shape)

    return Latent()


METHOD = NetworkMethod(module)
