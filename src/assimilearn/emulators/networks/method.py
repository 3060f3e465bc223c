"""Any torch module as an emulator: what stands between a module's code and the files and filters.

The file holds the weights as one vector, in the order of the module's own state, and the exported graph. Filters run
the graph; torch and the module's code are imported for training, and where derivatives are asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.emulators.emulator import Fitted, Step
from assimilearn.emulators.fields import SCALING_SHAPES, field_scaling, field_scaling_from
from assimilearn.emulators.networks.exported import alone_as_together, exported, run, session_of, told_settings
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.emulators.networks.training import reproducibly, train_module
from assimilearn.emulators.pairs import Windows
from assimilearn.emulators.weights import Shape
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry


@dataclass(frozen=True)
class NetworkMethod:
    """The functions that an emulator method consists of, for one kind of module.

    Attributes
    ----------
    module : callable
        ``module(geometry, settings) -> torch.nn.Module``: maps standardised states (row, field, *grid) to standardised
        increments of the same shape.
    LOCAL : bool
        Whether it is the same function at every point of a ring, so that its graph runs on rings of any size.
    """

    module: Callable[[Geometry, Any], Any]
    LOCAL: bool = False

    def fit(
        self,
        training: Windows,
        validation: Windows,
        settings: NetworkSettings,
        rng: np.random.Generator,
        previous: Mapping[str, np.ndarray] | None = None,
        workers: int = 1,
    ) -> Fitted:
        """Train the module from random weights, or go on from ``previous`` ones and their scaling; export it."""
        geometry = training.geometry
        scaling = field_scaling_from(previous, geometry) if previous else field_scaling(training)
        with reproducibly(int(rng.integers(2**31))):
            flat = flattened(self.module(geometry, settings), geometry)
            if previous:
                load_vector(flat, previous["parameters"])
            history = train_module(flat, training, validation, scaling, settings, workers)
            if history.failure:
                return Fitted({}, history.loss, history.validation_loss, history.failure, history.step_loss)
            any_size = self.LOCAL and settings.local and geometry.is_ring
            graph, parameters = exported(flat, geometry.size, any_size, settings.canonical()), vector_of(flat)
        try:
            session = session_of(graph, geometry.size)
        except FileError as error:
            raise SettingsError(f"the network {settings.method} was trained, but not exported: {error}") from error
        together = alone_as_together(session, geometry.size)
        texts = {
            "graph": ("byte", graph, "network as an ONNX graph"),
            "parameters": ("parameter", parameters, "weights of the module, in the order of its own state"),
            "together": ((), np.int8(together), "1 if members may be forecast together, to the same bits"),
        }
        arrays = {n: xr.DataArray(v, dims=d, attrs={"long_name": text}) for n, (d, v, text) in texts.items()}
        weights = {**scaling.arrays(), **arrays}
        return Fitted(weights, history.loss, history.validation_loss, step_loss=history.step_loss)

    def shapes(self, settings: NetworkSettings, size: int) -> dict[str, Shape]:
        """What a file must hold."""
        return {**SCALING_SHAPES, "graph": ("byte",), "parameters": ("parameter",), "together": ()}

    def problems(self, weights: Mapping[str, np.ndarray], settings: NetworkSettings) -> list[str]:
        """What is wrong with weights of the right shapes."""
        wrong = [
            f"weight_{n} is not above 0 everywhere" for n in ("std", "increment_std") if not (weights[n] > 0).all()
        ]
        if told_settings(weights["graph"]) != settings.canonical():
            wrong.append("weight_graph was made with other settings")
        return wrong

    def mapping(self, weights: Mapping[str, np.ndarray], settings: NetworkSettings, geometry: Geometry) -> Step:
        """The step: all members in one call, or one after the other where together they come out otherwise."""
        scaling, session = field_scaling_from(weights, geometry), session_of(weights["graph"], geometry.size)
        together = bool(weights["together"])

        def step(states: np.ndarray) -> np.ndarray:
            z = scaling.standardised(states)
            parts = [z] if together else np.split(z, len(z))
            increments = np.concatenate([run(session, part) for part in parts]).astype(float)
            return scaling.added(states, increments)

        return step

    def tensor_step(
        self, weights: Mapping[str, np.ndarray], settings: NetworkSettings, geometry: Geometry
    ) -> Callable[[Any], Any]:
        """The step of a torch tensor (..., site), float64, through which gradients flow; the module is built anew."""
        import torch

        scaling = field_scaling_from(weights, geometry)
        with reproducibly(0):
            flat = flattened(self.module(geometry, settings), geometry)
        load_vector(flat, weights["parameters"])
        flat = flat.double().eval()
        mean, std, scale = (
            torch.as_tensor(part[scaling.field_of]) for part in (scaling.mean, scaling.std, scaling.increment_std)
        )

        def step(x: Any) -> Any:
            rows = x.reshape(-1, geometry.size)
            return (rows + scale * flat((rows - mean) / std)).reshape(x.shape)

        return step


def flattened(module: Any, geometry: Geometry) -> Any:
    """The module as one of flat states, (row, site) -> (row, site).

    Fields that stand on different grids go in as they are: only a function of the whole state is asked for them.
    """
    import torch

    shapes, fields = {field.shape for field in geometry.fields}, len(geometry.fields)
    grid = shapes.pop() if len(shapes) == 1 else None

    class Flat(torch.nn.Module):
        """States as channels on their grid, and back."""

        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, z: Any) -> Any:
            if grid is None:
                return self.module(z)
            states = z.reshape(z.shape[0], fields, -1) if len(grid) == 1 else z.reshape(-1, fields, *grid)
            return self.module(states).reshape(z.shape)

        def penalty(self) -> Any:
            return self.module.penalty() if hasattr(self.module, "penalty") else 0.0

    return Flat()


def vector_of(flat: Any) -> np.ndarray:
    """All weights and buffers, one after the other."""
    return np.concatenate([value.detach().numpy().ravel().astype(np.float32) for value in flat.state_dict().values()])


def load_vector(flat: Any, vector: np.ndarray) -> None:
    """Set the weights from what :func:`vector_of` gave.

    Raises
    ------
    FileError
        If the module has another number of weights: its code or its settings are not those that were trained.
    """
    import torch

    state, start = flat.state_dict(), 0
    count = sum(value.numel() for value in state.values())
    if count != vector.size:
        raise FileError(
            f"the network in the file has {vector.size} weights, that of these settings and its code {count}: "
            "train it anew"
        )
    for name, value in state.items():
        part = torch.as_tensor(vector[start : start + value.numel()].copy()).reshape(value.shape)
        state[name], start = part.to(value.dtype), start + value.numel()
    flat.load_state_dict(state)
