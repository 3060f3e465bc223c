"""A constant gain, learned through the cycle: x_a = x_f + K (y - h(x_f)).

For a linear model with Gaussian errors, observed at the same sites each time, the gain with the smallest analysis error
is the steady gain of the Kalman filter; Hoang, De Mey & Talagrand (1994), Proc. IEEE Conf. Decision and Control, and
Levine & Stuart (2022), SIAM J. Math. Data Sci. 4, learn it like this. It is the least that a learned step can be, and
what richer ones are to be held against. Nothing is remembered. Cost: n^2 flops an analysis, n^2 weights.
"""

from typing import Any, Literal

from pydantic import Field

from assimilearn.assimilators.method import NetworkMethod
from assimilearn.assimilators.settings import NetworkSettings
from assimilearn.models.geometry import Geometry


class ConstantGainSettings(NetworkSettings):
    """One gain for all times."""

    method: Literal["constant-gain"] = "constant-gain"
    first_gain: float = Field(0.2, ge=0, le=1, description="gain at observed sites with which training begins")


def module(geometry: Geometry, settings: ConstantGainSettings) -> Any:
    """The torch module; see :mod:`assimilearn.assimilators.network`."""
    import torch

    class ConstantGain(torch.nn.Module):
        """K in climatological standard deviations of states over those of what is observed."""

        memory = 0

        def __init__(self) -> None:
            super().__init__()
            self.gain = torch.nn.Parameter(settings.first_gain * torch.eye(geometry.size))

        def forward(self, state: Any, innovation: Any, observed: Any, error: Any, memory: Any) -> Any:
            departures = (innovation * error).flatten(1)
            return (departures @ self.gain.T).reshape(state.shape), memory

    return ConstantGain()


METHOD = NetworkMethod(module)
fit, opened = METHOD.fit, METHOD.opened
