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
from assimilearn.emulators.fields import SCALING_SHAPES, FieldScaling, field_scaling, field_scaling_from
from assimilearn.emulators.networks.exported import Graph, exported, told_settings
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.emulators.networks.training import History, reproducibly, train_module
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
            step = self.step(geometry, settings, scaling)
            if previous:
                load_vector(step, previous["parameters"])
            else:
                prepare(step, scaling.standardised(training.inputs))
            histories = [
                train_module(one, training, validation, scaling, settings, workers)
                for one in (step.steps if settings.ensemble > 1 else [step])
            ]
            history = joined(histories)
            if history.failure:
                return Fitted({}, history.loss, history.validation_loss, history.failure, history.step_loss)
            any_size = self.LOCAL and settings.local and geometry.is_ring
            graph, parameters = exported(step, geometry.size, any_size, settings.canonical()), vector_of(step)
        try:
            network = Graph(graph, geometry.size)
        except FileError as error:
            raise SettingsError(f"the network {settings.method} was trained, but not exported: {error}") from error
        texts = {
            "graph": ("byte", graph, "network as an ONNX graph"),
            "parameters": ("parameter", parameters, "weights of the module, in the order of its own state"),
            "together": ((), np.int8(network.alone_as_together()), "1 if members may be forecast together, same bits"),
        }
        arrays = {n: xr.DataArray(v, dims=d, attrs={"long_name": text}) for n, (d, v, text) in texts.items()}
        weights = {**scaling.arrays(), **arrays}
        return Fitted(weights, history.loss, history.validation_loss, step_loss=history.step_loss)

    def step(self, geometry: Geometry, settings: NetworkSettings, scaling: FieldScaling) -> Any:
        """The module of one interval, with random weights."""
        import torch

        from assimilearn.emulators.networks.modules.step import Ensemble, Step, seen_geometry

        ratio = torch.as_tensor((scaling.increment_std / scaling.std)[scaling.field_of], dtype=torch.float32)
        seen, parts = seen_geometry(geometry, settings), 2 if settings.loss == "gaussian_nll" else 1
        steps = [
            Step([self.module(seen, settings) for _ in range(parts)], geometry, settings, ratio)
            for _ in range(settings.ensemble)
        ]
        return Ensemble(steps) if settings.ensemble > 1 else steps[0]

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
        scaling, network = field_scaling_from(weights, geometry), Graph(weights["graph"], geometry.size)
        together, size = bool(weights["together"]), geometry.size
        mean, std, scale = (part[scaling.field_of] for part in (scaling.mean, scaling.std, scaling.increment_std))

        def step(states: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
            z = states[:, :size] - mean
            z /= std  # the scaling is laid out for all sites
            found = network.run(np.hstack([z, states[:, size:]]) if network.memory else z, noise, together)
            forecast = np.multiply(scale, found["increments"], out=z)
            forecast += states[:, :size]
            return np.hstack([forecast, found["memory"]]) if network.memory else forecast

        return step

    def more(self, weights: Mapping[str, np.ndarray], settings: NetworkSettings, geometry: Geometry) -> dict[str, Any]:
        """Chance, memory and the error of a step, where the network has them."""
        scaling, network = field_scaling_from(weights, geometry), Graph(weights["graph"], geometry.size)
        together, size = bool(weights["together"]), geometry.size
        scale = scaling.increment_std[scaling.field_of]

        def error_std(states: np.ndarray) -> np.ndarray:
            rows = states.reshape(-1, states.shape[-1])
            found = network.run(standardised(rows, scaling, size), None, together)["log_std"]
            return (scale * np.exp(found.astype(float))).reshape(*states.shape[:-1], size)

        def begin(states: np.ndarray) -> np.ndarray:
            z = scaling.standardised(states)
            memory = [z] * settings.delays or [np.zeros((*z.shape[:-1], network.memory))]
            return np.concatenate([states, *memory], axis=-1)

        found: dict[str, Any] = {"draws": network.draws} if network.draws else {}
        found |= {"memory": network.memory, "begin": begin} if network.memory else {}
        return found | ({"error_std": error_std} if "log_std" in network.outputs else {})

    def tensor_step(
        self, weights: Mapping[str, np.ndarray], settings: NetworkSettings, geometry: Geometry
    ) -> Callable[[Any], Any]:
        """The step of a torch tensor (..., site + memory), float64, through which gradients flow; noise is 0."""
        import torch

        scaling, size = field_scaling_from(weights, geometry), geometry.size
        with reproducibly(0):
            module = self.step(geometry, settings, scaling)
        load_vector(module, weights["parameters"])
        module = module.double().eval()
        mean, std, scale = (
            torch.as_tensor(part[scaling.field_of]) for part in (scaling.mean, scaling.std, scaling.increment_std)
        )

        def step(x: Any) -> Any:
            rows = x.reshape(-1, x.shape[-1])
            now, memory = rows[:, :size], rows[:, size:]
            z = torch.cat([(now - mean) / std, memory], 1)
            outputs = module(z, z.new_zeros(len(z), module.draws)) if module.draws else module(z)
            forecast = now + scale * outputs[0]
            return (torch.cat([forecast, outputs[-1]], 1) if module.memory else forecast).reshape(x.shape)

        return step


def standardised(states: np.ndarray, scaling: FieldScaling, size: int) -> np.ndarray:
    """``states (row, site + memory)`` as the network takes them: its memory is in its own units already."""
    z = scaling.standardised(states[:, :size])
    return np.hstack([z, states[:, size:]]) if states.shape[1] > size else z


def prepare(step: Any, states: np.ndarray) -> None:
    """Let modules look at the standardised training states ``(time, site)`` that want to."""
    for module in step.modules():
        if hasattr(module, "prepare"):
            module.prepare(states)


def joined(histories: list[History]) -> History:
    """The history of an ensemble: means over the networks that were still in training, and the first failure."""
    if len(histories) == 1:
        return histories[0]
    epochs = max(history.loss.size for history in histories)
    of_all = [
        np.array([np.mean([h[part][k] for h in histories if k < h.loss.size]) for k in range(epochs)])
        for part in (0, 1)
    ]
    failure = next((history.failure for history in histories if history.failure), "")
    return History(of_all[0], of_all[1], np.concatenate([history.step_loss for history in histories]), failure)


def vector_of(step: Any) -> np.ndarray:
    """All weights and buffers, one after the other."""
    return np.concatenate([value.detach().numpy().ravel().astype(np.float32) for value in step.state_dict().values()])


def load_vector(step: Any, vector: np.ndarray) -> None:
    """Set the weights from what :func:`vector_of` gave.

    Raises
    ------
    FileError
        If the module has another number of weights: its code or its settings are not those that were trained.
    """
    import torch

    state, start = step.state_dict(), 0
    count = sum(value.numel() for value in state.values())
    if count != vector.size:
        raise FileError(
            f"the network in the file has {vector.size} weights, that of these settings and its code {count}: "
            "train it anew"
        )
    for name, value in state.items():
        part = torch.as_tensor(vector[start : start + value.numel()].copy()).reshape(value.shape)
        state[name], start = part.to(value.dtype), start + value.numel()
    step.load_state_dict(state)
