"""An unrolled variational solver: a few learned descent steps on a cost whose background term is learned too.

Fablet, Chapron, Drumetz, Memin, Pannekoucke & Rousseau (2021), J. Adv. Model. Earth Syst. 13, e2021MS002572 (4DVarNet),
for one analysis time. In units of climatological standard deviations, with the increment v (zero to begin with)

    J(v) = |M (d - v / s)|^2 + |v - phi(v, x_f, m)|^2,

d the innovations in standard deviations of the observation error, s that error over the climatological deviation, M the
mask of what is observed, and phi a convolutional network in the place of a background covariance, which is told the
forecast and the memory m of earlier analyses. Each of a few steps hands both gradients to a gated recurrent unit of
convolutions, whose output moves v; its hidden state is the memory of the next analysis. The gradient of the first term
takes h as the identity. Cost: about 2 steps times that of a network of as many layers.
"""

from typing import Any, Literal

from pydantic import Field

from assimilearn.assimilators.convolutions import padded
from assimilearn.assimilators.method import NetworkMethod
from assimilearn.assimilators.settings import NetworkSettings
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry


class UnrolledSolverSettings(NetworkSettings):
    """Unrolled variational solver with a learned background term."""

    method: Literal["unrolled-solver"] = "unrolled-solver"
    solver_steps: int = Field(3, ge=1, le=50, description="steps of the solver in one analysis")
    width: int = Field(16, ge=1, le=1024, description="channels of the background network and of the memory")
    kernel: int = Field(5, ge=1, le=31, description="points of a convolution, odd")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there is not one axis to convolve on."""
        super().refuse_unlike(geometry)
        if self.kernel % 2 == 0:
            raise SettingsError(f"unrolled-solver: the kernel must be odd, not {self.kernel}")
        if len(geometry.axes) != 1:
            raise SettingsError("unrolled-solver convolves along one axis, and this model has none or more")


def module(geometry: Geometry, settings: UnrolledSolverSettings) -> Any:
    """The torch module; see :mod:`assimilearn.assimilators.network`."""
    import torch

    fields, width, reach = len(geometry.fields), settings.width, settings.kernel // 2
    periodic = geometry.axes[0].periodic

    def convolution(inputs: int, outputs: int) -> Any:
        return torch.nn.Conv2d(inputs, outputs, (1, settings.kernel))

    def over(layer: Any, h: Any) -> Any:
        return layer(padded(h, reach, periodic)[:, :, None])[:, :, 0]

    class UnrolledSolver(torch.nn.Module):
        """phi, the recurrent unit, and what turns its hidden state into a step."""

        memory = settings.width

        def __init__(self) -> None:
            super().__init__()
            self.first = convolution(2 * fields + width, width)
            self.phi = convolution(width, fields)
            self.gates = convolution(4 * fields + width, 2 * width)
            self.candidate = convolution(4 * fields + width, width)
            self.step = convolution(width, fields)
            with torch.no_grad():  # the first solutions move a little along the gradient of the observation term
                self.step.weight *= 0.1
                self.phi.weight *= 0.1

        def forward(self, state: Any, innovation: Any, observed: Any, error: Any, memory: Any) -> Any:
            v, hidden = torch.zeros_like(state), memory
            for _ in range(settings.solver_steps):
                toward = observed * (innovation * error - v)  # minus the gradient, times s^2: of order one
                back = over(self.phi, torch.nn.functional.silu(over(self.first, torch.cat([v, state, hidden], 1)))) - v
                seen = torch.cat([toward, back, state, error], 1)
                update, reset = torch.sigmoid(over(self.gates, torch.cat([seen, hidden], 1))).chunk(2, dim=1)
                new = torch.tanh(over(self.candidate, torch.cat([seen, reset * hidden], 1)))
                hidden = hidden + update * (new - hidden)
                v = v + 0.1 * toward + over(self.step, hidden)
            return v, hidden

    return UnrolledSolver()


METHOD = NetworkMethod(module)
fit, opened = METHOD.fit, METHOD.opened
