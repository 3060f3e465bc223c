"""Kuramoto-Sivashinsky: fronts of flames, or phases of waves, on a periodic line.

    u_t = -u u_x - u_xx - u_xxxx,  x in [0, L)

Kuramoto & Tsuzuki (1976), Prog. Theor. Phys. 55, 356-369; Sivashinsky (1977), Acta Astronaut. 4, 1177-1206. Waves of
wavenumber k grow at the rate k^2 - k^4 around u = 0. Pseudo-spectral, without dealiasing, integrated by ETDRK4 (Cox &
Matthews 2002, J. Comput. Phys. 176, 430-455), whose coefficients are means over a circle in the complex plane (Kassam &
Trefethen 2005, SIAM J. Sci. Comput. 26, 1214-1233). All members are transformed at once. Cost: 10 transforms a step.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.models.geometry import Geometry, ring
from assimilearn.models.protocol import Identity
from assimilearn.models.settings import ModelSettings

ROOTS = 32  # points on the circle; the mean over them is exact to round-off


class KuramotoSivashinskySettings(ModelSettings):
    """Kuramoto-Sivashinsky on a periodic line."""

    method: Literal["kuramoto-sivashinsky"] = "kuramoto-sivashinsky"
    size: int = Field(128, ge=8, multiple_of=2, description="number of points, even")
    length: float = Field(float(32 * np.pi), gt=0, description="period L of the line; chaotic above about 18")
    time_step: float = Field(0.5, gt=0, le=1, description="ETDRK4 step in model time units")


class Coefficients(NamedTuple):
    """What ETDRK4 multiplies each wave by, in the names of Kassam & Trefethen; each (wave,).

    Attributes
    ----------
    E, E2 : exp(h L), exp(h L / 2)
    Q, f1, f2, f3 : weights of the nonlinear terms
    g : -i k / 2, of which the square of u makes -u u_x; 0 at the highest wave, which has no derivative
    """

    E: Any
    E2: Any
    Q: Any
    f1: Any
    f2: Any
    f3: Any
    g: Any


@dataclass(frozen=True)
class KuramotoSivashinsky:
    """The model that goes with :class:`KuramotoSivashinskySettings`."""

    settings: KuramotoSivashinskySettings

    compiled = None

    @property
    def size(self) -> int:
        """Number of points."""
        return self.settings.size

    @property
    def time_step(self) -> float:
        """Length of one step in MTU."""
        return self.settings.time_step

    @property
    def geometry(self) -> Geometry:
        """One field on a periodic line of the given length."""
        return ring(self.size, "u", self.settings.length / self.size)

    @cached_property
    def wavenumbers(self) -> np.ndarray:
        """Wavenumber k of every wave, (wave,), per unit of length."""
        return 2 * np.pi / self.settings.length * np.arange(self.size // 2 + 1)

    @cached_property
    def coefficients(self) -> Coefficients:
        """Coefficients of the integration."""
        k, h = self.wavenumbers, self.time_step
        linear = k**2 - k**4
        circle = h * linear[:, None] + np.exp(2j * np.pi * (np.arange(ROOTS) + 0.5) / ROOTS)

        def mean(values: np.ndarray) -> np.ndarray:
            return h * values.mean(axis=1).real

        return Coefficients(
            E=np.exp(h * linear),
            E2=np.exp(h * linear / 2),
            Q=mean((np.exp(circle / 2) - 1) / circle),
            f1=mean((-4 - circle + np.exp(circle) * (4 - 3 * circle + circle**2)) / circle**3),
            f2=mean((2 + circle + np.exp(circle) * (circle - 2)) / circle**3),
            f3=mean((-4 - 3 * circle - circle**2 + np.exp(circle) * (4 - circle)) / circle**3),
            g=-0.5j * np.append(k[:-1], 0.0),
        )

    def step(self, states: np.ndarray) -> np.ndarray:
        """One step of ``states (..., site)``."""
        return etdrk4(states, self.coefficients, np.fft)

    def differentiable(self, tensor: Any) -> Any:
        """One step of a torch tensor (..., site) that gradients flow through."""
        import torch

        return etdrk4(tensor, Coefficients(*map(torch.as_tensor, self.coefficients)), torch.fft)

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """Normal numbers less their mean, which a run would keep for ever."""
        noise = rng.standard_normal(self.size)
        return noise - noise.mean()

    def identities(self) -> list[Identity]:
        """On average production and dissipation of u^2 are equal: <u_x^2> = <u_xx^2>."""
        k = self.wavenumbers

        def balance(climatology: xr.Dataset) -> float:
            power = np.abs(np.fft.rfft(climatology["mean"].values)) ** 2 / self.size
            power += np.einsum("ki,ij,kj->k", *self._waves(climatology["covariance"].values)).real
            power[1:-1] *= 2
            return float((k**2 * power).sum() / (k**4 * power).sum())

        return [Identity("energy_balance", balance, 1.0, 0.02, ("covariance",))]

    def _waves(self, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The transform as a matrix (wave, site), the covariance, and the conjugate transform."""
        transform = np.fft.rfft(np.eye(self.size), axis=0) / np.sqrt(self.size)
        return transform, covariance, transform.conj()


def etdrk4(states: Any, c: Coefficients, fft: Any) -> Any:
    """One step of ``states (..., site)``, NumPy or torch, whose transforms ``fft`` has."""
    n = states.shape[-1]
    v = fft.rfft(states)

    def nonlinear(of: Any) -> Any:
        u = fft.irfft(of, n)
        return c.g * fft.rfft(u * u)

    first = c.g * fft.rfft(states * states)
    half = c.E2 * v
    a = half + c.Q * first
    second = nonlinear(a)
    b = half + c.Q * second
    third = nonlinear(b)
    last = nonlinear(c.E2 * a + c.Q * (2 * third - first))
    return fft.irfft(c.E * v + c.f1 * first + 2 * c.f2 * (second + third) + c.f3 * last, n)


def build(settings: KuramotoSivashinskySettings) -> KuramotoSivashinsky:
    """The model that ``settings`` describe."""
    return KuramotoSivashinsky(settings)
