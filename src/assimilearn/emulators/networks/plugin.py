"""Networks of the user's own: a ``torch.nn.Module`` made from a geometry and keyword settings."""

from typing import Any

import numpy as np

from assimilearn.emulators.networks.method import NetworkMethod
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.emulators.networks.training import reproducibly
from assimilearn.errors import AssimilearnError
from assimilearn.models.geometry import Geometry
from assimilearn.registry import Plugged


def adapted(part: Plugged) -> NetworkMethod:
    """What stands for the module of a network of the package."""

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
    """Map two random states, to see that the module can do it.

    Raises
    ------
    PluginError
        If it fails, changes its input, or returns another shape.
    """
    import torch

    shape = (2, len(geometry.fields), *geometry.fields[0].shape)
    with reproducibly(0), torch.no_grad():
        given = torch.as_tensor(np.random.default_rng(0).standard_normal(shape), dtype=torch.float32)
        before = given.clone()
        was_training = module.training
        try:
            found = module.eval()(given)
        except Exception as error:
            raise part.failure(error) from error
        finally:
            module.train(was_training)
    if tuple(found.shape) != shape:
        raise part.error(f"returns the shape {tuple(found.shape)}, given {shape}")
    if not torch.equal(given, before):
        raise part.error("changes what it is given: compute new tensors")
