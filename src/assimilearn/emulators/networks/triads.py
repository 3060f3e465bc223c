"""A tendency whose quadratic part conserves energy by construction: triads of sites that exchange it.

    dz_i/dt = sum over triads of c (products of two others) + sum_a l_a z_{i+a} + f (+ a network of the stencil),

where in each triad (i, i+a, i+b) the coefficients sum to zero, so that the quadratic part leaves sum z^2 as it is, to
round-off. That is every quadratic form of the stencil which is alike at all sites and conserves energy; Lorenz-96 has
one of them. Kwasniok (2012), Philos. Trans. R. Soc. A 370, 1061-1086; Majda & Harlim (2013), Nonlinearity 26, 201-217.
The homogeneous quadratic part is the same about any mean. Integrated by the Runge-Kutta scheme and trained through it.
Cost of a step: 4 x 12 flops a site and triad.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class TriadSettings(NetworkSettings):
    """Quadratic tendency that conserves energy, and a linear one that need not."""

    side_by_side: ClassVar[bool] = True
    sees_position: ClassVar[bool] = False

    method: Literal["triads"] = "triads"
    radius: int = Field(2, ge=1, le=10, description="sites over which a triad reaches, and linear terms to either side")
    integrator: Literal["none", "rk4"] = Field("rk4", description="how the tendency is taken over the interval")
    learning_rate: float = Field(0.03, gt=0, description="step size of the gradient method")
    closure: int = Field(0, ge=0, le=4096, description="units of a hidden layer of the stencil that is added; 0: none")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError but for one field on a periodic axis."""
        if not geometry.is_ring or self.delays or self.noisy:
            raise SettingsError("triads are of one field on one periodic axis, without past states or noise")
        geometry.stencil(self.radius)


def triads_within(radius: int) -> list[tuple[int, int]]:
    """Offsets (a, b) of all triads (i, i+a, i+b), 0 <= a <= b <= radius, but that of one site alone."""
    return [(a, b) for b in range(1, radius + 1) for a in range(b + 1)]


def module(geometry: Geometry, settings: TriadSettings) -> Any:
    """The torch module for standardised states (row, 1, site)."""
    import torch

    from assimilearn.emulators.networks.modules.layers import Convolution, OnGrid, zeroed

    radius, triads = settings.radius, triads_within(settings.radius)

    def shifted(z: Any, a: int) -> Any:
        """z_{i+a} at site i."""
        return torch.cat([z[..., a:], z[..., :a]], dim=-1) if a else z

    class Triads(torch.nn.Module):
        """Both parts of the tendency."""

        def __init__(self) -> None:
            super().__init__()
            self.exchange = torch.nn.Parameter(torch.zeros(len(triads), 2))
            self.linear = zeroed(Convolution(1, 1, 2 * radius + 1, [True]))
            self.closure = (
                torch.nn.Sequential(
                    *(Convolution(1, settings.closure, 2 * radius + 1, [True]), torch.nn.SiLU()),
                    zeroed(Convolution(settings.closure, 1, 1, [True])),
                )
                if settings.closure
                else None
            )

        def quadratic(self, z: Any) -> Any:
            """The part that conserves energy."""
            total = torch.zeros_like(z)
            for (a, b), (first, second) in zip(triads, self.exchange, strict=True):
                za, zb = shifted(z, a), shifted(z, b)
                total = total + first * za * zb
                total = total + shifted(second * z * zb, -a) - shifted((first + second) * z * za, -b)
            return total

        def forward(self, z: Any) -> Any:
            found = self.quadratic(z) + self.linear(z)
            return found if self.closure is None else found + self.closure(z)

    return OnGrid(geometry, Triads())


METHOD = NetworkMethod(module, LOCAL=True)
