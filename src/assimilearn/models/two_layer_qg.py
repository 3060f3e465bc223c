"""Two quasi-geostrophic layers on a doubly periodic beta plane, kept turbulent by a mean shear: the Phillips model.

With streamfunctions psi_1 (upper) and psi_2 (lower), departures from mean flows U_1 = shear and U_2 = 0 along x,

    q_i = lap psi_i + F_i (psi_j - psi_i),     F_1 = 1 / (1 + delta),  F_2 = delta / (1 + delta),  delta = H_1 / H_2
    dq_i/dt = -J(psi_i, q_i) - U_i q_i,x - (beta + F_i (U_i - U_j)) psi_i,x - drag lap psi_2 [i = 2] - nu lap^4 q_i

Phillips (1954), Tellus 6, 273-286; Vallis (2017), "Atmospheric and oceanic fluid dynamics", sections 5.4.3 and 9.6.
Lengths are in deformation radii, velocities in units of the shear where that is 1, so times are in deformation radii
over shear. The state is psi_1 and psi_2 on a grid (y, x); their means, which mean nothing, are zero.

Pseudo-spectral: waves with a total number up to a third of the points along an axis are kept, so that products are
free of aliasing (Orszag 1971), and energy and potential enstrophy are conserved without shear, drag and viscosity.
Integrated in q by RK4; nu is such that the highest wave is damped at the rate ``damping``.

Cost: 22 Fourier transforms of both layers a step, which take nine tenths of the time: 2.5 ms for 64 x 64 x 2.
"""

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from assimilearn.models.geometry import Geometry, grid
from assimilearn.models.protocol import CompiledStep
from assimilearn.models.runge_kutta import rk4
from assimilearn.models.settings import ModelSettings

AT_ONCE = 2**18  # numbers of the states that are stepped together: their transforms stay in the cache
LAYERS = ("psi_upper", "psi_lower")


class TwoLayerQGSettings(ModelSettings):
    """Two-layer quasi-geostrophic turbulence on a doubly periodic beta plane."""

    method: Literal["two-layer-qg"] = "two-layer-qg"
    points: int = Field(64, ge=8, description="points along each side; even numbers with small factors are fast")
    length: float = Field(40.0, gt=0, description="side of the domain, in deformation radii")
    beta: float = Field(0.2, description="gradient of the planetary vorticity; unstable below shear / (1 + 1 / delta)")
    shear: float = Field(1.0, description="mean flow of the upper layer; that of the lower one is 0")
    depth_ratio: float = Field(1.0, gt=0, description="delta, depth of the upper layer over that of the lower")
    drag: float = Field(0.3, ge=0, description="rate of linear drag at the bottom")
    damping: float = Field(5.0, ge=0, description="rate at which the highest wave is damped; wave k by (k / highest)^8")
    start_std: float = Field(0.01, ge=0, description="standard deviation of psi at the start of a free run")
    time_step: float = Field(0.05, gt=0, description="RK4 step in model time units")


class Operators(NamedTuple):
    """Diagonal operators on waves (ky, kx), as arrays of the kind of the states.

    Attributes
    ----------
    k, l : wavenumbers i k and i l of derivatives along x and y
    laplacian : -(k^2 + l^2)
    kept : 1 for waves that are kept, 0 for others and the mean
    to_q, to_psi : (2, 2, ky, kx), potential vorticity from streamfunctions and back
    linear : (2, 2, ky, kx), dq/dt of psi by mean flow, mean gradient and drag
    damping : (ky, kx), rate of viscous decay
    """

    k: Any
    l: Any  # noqa: E741
    laplacian: Any
    kept: Any
    to_q: Any
    to_psi: Any
    linear: Any
    damping: Any


@dataclass(frozen=True)
class TwoLayerQG:
    """The model that goes with :class:`TwoLayerQGSettings`."""

    settings: TwoLayerQGSettings

    @property
    def size(self) -> int:
        """Number of sites of both layers."""
        return 2 * self.settings.points**2

    @property
    def time_step(self) -> float:
        """Length of one RK4 step in MTU."""
        return self.settings.time_step

    @property
    def compiled(self) -> CompiledStep | None:
        """None: Fourier transforms of all members together are as fast."""
        return None

    @cached_property
    def geometry(self) -> Geometry:
        """Two fields on one periodic plane; distances are in grid points."""
        shape = (self.settings.points, self.settings.points)
        return grid(dict.fromkeys(LAYERS, shape), spacing=1.0, periodic=True)

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Noise in the waves that are kept."""
        noise = self.settings.start_std * rng.standard_normal((2, self.settings.points, self.settings.points))
        waves = self.operators.kept * np.fft.rfft2(noise)
        return np.fft.irfft2(waves, noise.shape[1:]).ravel()

    @cached_property
    def stretching(self) -> tuple[float, float]:
        """F_1 and F_2; their sum is 1, since lengths are in deformation radii."""
        delta = self.settings.depth_ratio
        return 1 / (1 + delta), delta / (1 + delta)

    @cached_property
    def operators(self) -> Operators:
        """The operators as NumPy arrays."""
        s, n = self.settings, self.settings.points
        unit = 2 * np.pi / s.length
        highest = (n - 1) // 3
        ky, kx = np.meshgrid(np.fft.fftfreq(n, 1 / n), np.arange(n // 2 + 1), indexing="ij")
        total = kx**2 + ky**2
        kept = ((total <= highest**2) & (total > 0)).astype(float)
        k, l_ = 1j * unit * kx, 1j * unit * ky
        laplacian = -(unit**2) * (kx**2 + ky**2)
        F1, F2 = self.stretching
        to_q = np.array([[laplacian - F1, F1 + 0 * laplacian], [F2 + 0 * laplacian, laplacian - F2]])
        determinant = np.where(kept > 0, laplacian * (laplacian - F1 - F2), 1.0)
        to_psi = np.array([[to_q[1, 1], -to_q[0, 1]], [-to_q[1, 0], to_q[0, 0]]]) / determinant
        zero = 0 * k
        by_flow = s.shear * to_q[0]  # of the upper layer only: the lower one is at rest
        linear = np.array(
            [
                [-k * (by_flow[0] + s.beta + F1 * s.shear), -k * by_flow[1]],
                [zero, -k * (s.beta - F2 * s.shear) - s.drag * laplacian],
            ]
        )
        damping = s.damping * (laplacian / (unit * highest) ** 2) ** 4
        return Operators(k, l_, laplacian, kept, to_q * kept, to_psi * kept, linear * kept, damping)

    def step(self, states: Any) -> Any:
        """One step of ``states (..., site)``, NumPy or torch; waves that are not kept are lost."""
        if not isinstance(states, np.ndarray):
            return self._stepped(states)
        rows = np.ascontiguousarray(states, dtype=float).reshape(-1, self.size)
        at_once = max(1, AT_ONCE // self.size)
        parts = [self._stepped(rows[first : first + at_once]) for first in range(0, len(rows), at_once)]
        return np.concatenate(parts).reshape(states.shape)

    def differentiable(self, tensor: Any) -> Any:
        """One step of a torch tensor (..., site) that gradients flow through."""
        return self._stepped(tensor)

    def tendency(self, q: Any) -> Any:
        """dq/dt of waves ``q (..., layer, ky, kx)``, per MTU; NumPy or torch."""
        fft, o, shape = _fft_of(q), self._operators_like(q), (self.settings.points, self.settings.points)
        psi = coupled(o.to_psi, q)
        u, v = fft.irfft2(-o.l * psi, shape), fft.irfft2(o.k * psi, shape)
        values = fft.irfft2(q, shape)
        advection = o.k * fft.rfft2(u * values) + o.l * fft.rfft2(v * values)
        return coupled(o.linear, psi) - o.damping * q - o.kept * advection

    def waves_of(self, states: Any) -> Any:
        """Waves of the potential vorticity (..., layer, ky, kx) of ``states (..., site)``."""
        n = self.settings.points
        fields = states.reshape((*states.shape[:-1], 2, n, n))
        return coupled(self._operators_like(states).to_q, _fft_of(states).rfft2(fields))

    def states_of(self, q: Any) -> Any:
        """States (..., site) with these waves of potential vorticity."""
        n = self.settings.points
        psi = _fft_of(q).irfft2(coupled(self._operators_like(q).to_psi, q), (n, n))
        return psi.reshape((*psi.shape[:-3], self.size))

    def _stepped(self, states: Any) -> Any:
        return self.states_of(rk4(self.tendency, self.waves_of(states), self.time_step))

    def _operators_like(self, other: Any) -> Operators:
        """The operators as arrays of the kind of ``other``."""
        if isinstance(other, np.ndarray):
            return self.operators
        import torch

        return Operators(*(torch.as_tensor(table, device=other.device) for table in self.operators))


def coupled(matrix: Any, waves: Any) -> Any:
    """``matrix (2, 2, ky, kx)`` applied to both layers of ``waves (..., layer, ky, kx)``."""
    upper, lower = waves[..., 0, :, :], waves[..., 1, :, :]
    first, second = (row[0] * upper + row[1] * lower for row in matrix)
    if isinstance(waves, np.ndarray):
        return np.stack([first, second], axis=-3)
    import torch

    return torch.stack([first, second], dim=-3)


def _fft_of(array: Any) -> ModuleType:
    """The Fourier transforms for arrays of this kind."""
    if isinstance(array, np.ndarray):
        from scipy import fft

        return fft
    import torch

    return torch.fft


def build(settings: TwoLayerQGSettings) -> TwoLayerQG:
    """The model that ``settings`` describe."""
    return TwoLayerQG(settings)
