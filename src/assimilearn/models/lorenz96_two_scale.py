"""Two-scale Lorenz-96: slow sites on a ring, each coupled to a sector of a ring of fast sites.

    dX_k/dt = X_{k-1} (X_{k+1} - X_{k-2}) - X_k + F - (h c / b) sum_j Y_{j,k}
    dY_j/dt = c b Y_{j+1} (Y_{j-1} - Y_{j+2}) - c Y_j + (h c / b) X_{k(j)}

Lorenz (1996), "Predictability: a problem partly solved", ECMWF seminar, eqs. 2-3. The defaults are those of Wilks
(2005), Q. J. R. Meteorol. Soc. 131, 389-407; 36 x 10 sites with F = 10 is Lorenz's own choice. Without the coupling the
slow field is Lorenz-96 of as many sites, the truncated model. Integrated by RK4.
"""

from typing import Any, Literal

import numpy as np
import xarray as xr
from numba import njit
from pydantic import Field

from assimilearn.kernels import FAST
from assimilearn.models import lorenz96
from assimilearn.models.geometry import Geometry, grid, joined
from assimilearn.models.protocol import Identity
from assimilearn.models.runge_kutta import RungeKuttaModel, rk4_rows
from assimilearn.models.settings import ModelSettings


class Lorenz96TwoScaleSettings(ModelSettings):
    """Two-scale Lorenz-96: the fields slow and fast on two rings."""

    method: Literal["lorenz96-two-scale"] = "lorenz96-two-scale"
    slow: int = Field(8, ge=4, description="number of slow sites")
    fast: int = Field(32, ge=1, description="number J of fast sites for each slow one")
    forcing: float = Field(20.0, description="constant forcing F of the slow sites")
    coupling: float = Field(1.0, description="coupling h of the two fields")
    amplitude_ratio: float = Field(10.0, gt=0, description="b: how many times smaller the fast field is")
    time_ratio: float = Field(10.0, gt=0, description="c: how many times faster the fast field is")
    time_step: float = Field(0.005, gt=0, le=0.01, description="RK4 step in model time units")


def tendency(x: Any, fast: int, forcing: float, h: float, b: float, c: float) -> Any:
    """Time derivative of ``x (..., slow and fast site)``, NumPy or torch, per MTU."""
    n = x.shape[-1] // (fast + 1)
    slow, quick = x[..., :n], x[..., n:]
    sector = np.arange(n * fast) // fast
    load = quick.reshape((*quick.shape[:-1], n, fast)).sum(-1)
    i, m = np.arange(n * fast), n * fast
    advection = c * b * quick[..., (i + 1) % m] * (quick[..., i - 1] - quick[..., (i + 2) % m])
    drive = h * c / b
    return joined([lorenz96.tendency(slow, forcing) - drive * load, advection - c * quick + drive * slow[..., sector]])


@njit(fastmath=FAST, inline="always")
def _tendency(x, parameters, k):
    """Write dx/dt to k; the fast sites are copied with three wrapped ones so that their loop vectorises."""
    J, F, h, b, c = int(parameters[0]), parameters[1], parameters[2], parameters[3], parameters[4]
    drive = h * c / b
    n = x.size // (J + 1)
    m = n * J
    wrapped = np.empty(m + 3)
    wrapped[0] = x[n + m - 1]
    for j in range(m):
        wrapped[j + 1] = x[n + j]
    for j in range(2):
        wrapped[m + 1 + j] = x[n + j % m]
    for i in range(n):
        load = 0.0
        coupling = drive * x[i]
        for j in range(i * J, (i + 1) * J):
            own = wrapped[j + 1]
            load += own
            k[n + j] = c * b * wrapped[j + 2] * (wrapped[j] - wrapped[j + 3]) - c * own + coupling
        k[i] = (x[(i + 1) % n] - x[(i - 2) % n]) * x[(i - 1) % n] - x[i] + F - drive * load


@njit(cache=True, fastmath=FAST, nogil=True)
def rk4_step(E, parameters):
    """Advance every row of E (member, site) by one RK4 step, in place; parameters are (fast, F, h, b, c, dt)."""
    rk4_rows(_tendency, E, parameters[5], parameters)


class Lorenz96TwoScale(RungeKuttaModel):
    """The model that goes with :class:`Lorenz96TwoScaleSettings`."""

    parameters = ("fast", "forcing", "coupling", "amplitude_ratio", "time_ratio")
    tendency = staticmethod(tendency)
    kernel = staticmethod(rk4_step)

    @property
    def geometry(self) -> Geometry:
        """Two fields of different resolution on one ring, whose length is the number of slow sites."""
        n = self.settings.slow
        return grid({"slow": (n,), "fast": (n * self.settings.fast,)})

    def identities(self) -> list[Identity]:
        """Advection and coupling conserve the energy: <X^2> + c <sum_j Y^2> = F <X>; the flow contracts at one rate."""
        s, n = self.settings, self.settings.slow

        def energy(climatology: xr.Dataset) -> float:
            mean, std = climatology["mean"].values, climatology["std"].values
            square = mean**2 + std**2
            return float((square[:n].sum() + s.time_ratio * square[n:].sum()) / (s.forcing * mean[:n].sum()))

        return [
            Identity("energy_identity", energy, 1.0, 0.02),
            Identity.of_lyapunov_sum(-float(n + s.time_ratio * n * s.fast), 0.005 * self.size * s.time_ratio),
        ]


def build(settings: Lorenz96TwoScaleSettings) -> Lorenz96TwoScale:
    """The model that ``settings`` describe."""
    return Lorenz96TwoScale(settings)
