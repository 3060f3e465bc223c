"""Networks of the user's own as learned analysis steps: a ``torch.nn.Module`` made from a geometry and settings.

@assimilator("my-step")
class MyStep(torch.nn.Module):
    memory = 4                                        # channels that it carries to the next analysis, 0 for none

    def __init__(self, geometry, *, width: int = 16): ...
    def forward(self, state, innovation, observed, error, memory):
        ...                                           # -> increment, memory; see assimilearn.assimilators.network
"""

from typing import Any

import numpy as np

from assimilearn.assimilators.method import NetworkMethod
from assimilearn.assimilators.network import grid_of
from assimilearn.assimilators.settings import NetworkSettings
from assimilearn.emulators.networks.training import reproducibly
from assimilearn.errors import AssimilearnError
from assimilearn.models.geometry import Geometry
from assimilearn.registry import Plugged


def adapted(part: Plugged) -> NetworkMethod:
    """What stands for the module of an assimilator of the package."""

    def module(geometry: Geometry, settings: Any) -> Any:
        names = set(type(settings).model_fields) - set(NetworkSettings.model_fields)
        try:
            made = part.target(geometry, **{name: getattr(settings, name) for name in sorted(names)})
        except AssimilearnError:
            raise
        except Exception as error:
            raise part.failure(error) from error
        try_out(part, made, geometry)
        return made

    return NetworkMethod(module)


def try_out(part: Plugged, module: Any, geometry: Geometry) -> None:
    """Analyse two random states, to see that the module can do it.

    Raises
    ------
    PluginError
        If it has no ``memory``, fails, or returns other shapes.
    """
    import torch

    memory = getattr(module, "memory", None)
    if not isinstance(memory, int) or memory < 0:
        raise part.error("needs an attribute memory: the number of channels that it carries, 0 for none")
    grid = grid_of(geometry)
    rng = np.random.default_rng(0)
    with reproducibly(0), torch.no_grad():
        fields = [torch.as_tensor(rng.standard_normal((2, *grid)), dtype=torch.float32) for _ in range(4)]
        try:
            increment, after = module(*fields, torch.zeros(2, memory, *grid[1:]))
        except Exception as error:
            raise part.failure(error) from error
    shapes = [tuple(increment.shape), tuple(after.shape)]
    if shapes != [(2, *grid), (2, memory, *grid[1:])]:
        raise part.error(f"returns the shapes {shapes[0]} and {shapes[1]}, given {(2, *grid)} and a memory of {memory}")
