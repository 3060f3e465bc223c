"""Any network as a classifier: its last layer gives logits of the categories at each grid point.

The network of an emulator maps fields to as many fields. Here it is given enough of them for one logit a category,
those beyond the fields of the model being 0 where they enter; two categories need one logit. The loss is the
cross-entropy, binary for two categories: minus the mean log probability of what happened, after a sigmoid or a softmax.
"""

import copy
import io
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field, field_validator

from assimilearn.emulators.classifiers.settings import ClassifierSettings, Labelled, Probability
from assimilearn.emulators.fields import FieldScaling
from assimilearn.emulators.networks.exported import opened as session
from assimilearn.emulators.networks.mlp import MlpSettings
from assimilearn.emulators.networks.optimizers import optimizer_of, rate_factor
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.emulators.networks.training import reproducibly
from assimilearn.emulators.settings import EmulatorSettings
from assimilearn.emulators.train import method_of
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import FieldGrid, Geometry
from assimilearn.unions import OneOf


class NetworkClassifierSettings(ClassifierSettings):
    """A network with logits for outputs."""

    method: Literal["network-classifier"] = "network-classifier"
    network: Annotated[EmulatorSettings, OneOf("network", "emulator")] = Field(
        MlpSettings(), description="the network and how it is trained; its loss is the cross-entropy"
    )

    @field_validator("network")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        if not isinstance(value, NetworkSettings):
            raise ValueError(f"network: {value.method} is no network")
        plain = type(value).model_construct(method=value.method)
        for name in ("lead", "curriculum", "loss", "ensemble", "delays", "integrator", "conserves"):
            if getattr(value, name) != getattr(plain, name):
                raise ValueError(f"network: leave out {name}: what is learned is a category, not a step")
        if value.warm_up:
            raise ValueError(f"network: {value.method} has a memory, which a classifier cannot carry")
        return value

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where the network does."""
        super().refuse_unlike(geometry)
        self.network.refuse_unlike(widened(geometry, self))

    @property
    def logits(self) -> int:
        """Logits of a point: one for two categories."""
        return 1 if self.event.categories == 2 else self.event.categories


def widened(geometry: Geometry, settings: NetworkClassifierSettings) -> Geometry:
    """The geometry with as many fields as there are logits.

    Raises
    ------
    SettingsError
        If fields have different grids, of which a network cannot make channels.
    """
    if len({field.shape for field in geometry.fields}) > 1:
        raise SettingsError("network-classifier takes fields as channels, and those of this model have different grids")
    missing = range(len(geometry.fields), settings.logits)
    more = [FieldGrid(name=f"category {k}", shape=geometry.fields[0].shape) for k in missing]
    rest = {name: getattr(geometry, name) for name in Geometry.model_fields if name != "fields"}
    return Geometry(fields=(*geometry.fields, *more), **rest) if more else geometry


def logits_of(geometry: Geometry, settings: NetworkClassifierSettings) -> Any:
    """The torch module: standardised states (row, site) -> logits (row, logit, point)."""
    import torch

    from assimilearn.emulators.networks.modules.step import Flat

    wide = widened(geometry, settings)
    points, count = geometry.fields[0].size, settings.logits
    missing = len(wide.fields) - len(geometry.fields)

    class Logits(torch.nn.Module):
        """A network with its inputs filled up and its outputs cut."""

        def __init__(self) -> None:
            super().__init__()
            self.body = Flat(method_of(settings.network).module(wide, settings.network), wide)

        def forward(self, z: Any) -> Any:
            filled = torch.cat([z, *[z[:, :points] * 0.0] * missing], 1)
            return self.body(filled)[:, : count * points].reshape(-1, count, points)

    return Logits()


def cross_entropy(logits: Any, labels: Any) -> Any:
    """Mean over rows and points, of ``logits (row, logit, point)`` and ``labels (row, point)``; one logit: binary."""
    import torch

    if logits.shape[1] == 1:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype))
    return torch.nn.functional.cross_entropy(logits, labels)


def fit(
    training: Labelled,
    validation: Labelled,
    settings: NetworkClassifierSettings,
    scaling: FieldScaling,
    geometry: Geometry,
    rng: np.random.Generator,
) -> dict[str, xr.DataArray]:
    """Train by mini-batches; the weights of the epoch with the smallest validation loss are kept, and exported."""
    import torch

    net = settings.network
    assert isinstance(net, NetworkSettings)
    train, held_out = (
        (torch.as_tensor(scaling.standardised(part.states), dtype=torch.float32), torch.as_tensor(part.labels))
        for part in (training, validation)
    )
    losses: list[tuple[float, float]] = []
    with reproducibly(int(rng.integers(2**31))):
        module = logits_of(geometry, settings)
        optimizer = optimizer_of(module.parameters(), net)
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: rate_factor(net, epoch))
        batches = 1 if net.batch_size is None else -(-len(train[0]) // net.batch_size)
        shown = torch.linspace(0, len(train[0]) - 1, min(len(train[0]), len(held_out[0]))).long()
        best, best_epoch = copy.deepcopy(module.state_dict()), 0
        for epoch in range(net.epochs):
            module.train()
            for batch in torch.randperm(len(train[0])).tensor_split(batches):

                def closure(batch: Any = batch) -> Any:
                    optimizer.zero_grad()
                    loss = cross_entropy(module(train[0][batch]), train[1][batch])
                    loss.backward()
                    if net.clip is not None and net.optimizer != "l-bfgs":
                        torch.nn.utils.clip_grad_norm_(module.parameters(), net.clip)
                    return loss

                optimizer.step(closure)
            rate.step()
            module.eval()
            with torch.no_grad():
                pairs = ((train[0][shown], train[1][shown]), held_out)
                losses.append(tuple(float(cross_entropy(module(z), labels)) for z, labels in pairs))  # type: ignore[arg-type]
            if not np.isfinite(losses[-1]).all():
                raise SettingsError(f"the loss is not finite in epoch {epoch}: lower `learning_rate`")
            if losses[-1][1] <= min(validation_loss for _, validation_loss in losses):
                best, best_epoch = copy.deepcopy(module.state_dict()), epoch
            if epoch - best_epoch >= net.patience:
                break
        module.load_state_dict(best)
        graph = exported(module.eval(), geometry.size)
    history = np.array(losses)
    texts = {"loss": "cross-entropy over training", "validation_loss": "cross-entropy over validation"}
    curves = {
        name: xr.DataArray(history[:, k], dims="epoch", attrs={"long_name": text, "units": "1"})
        for k, (name, text) in enumerate(texts.items())
    }
    return curves | {"graph": xr.DataArray(graph, dims="byte", attrs={"long_name": "network as an ONNX graph"})}


def exported(module: Any, size: int) -> np.ndarray:
    """The module as the bytes of a graph, (byte,)."""
    import warnings

    import torch

    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that keeps batches free calls itself old
        names: dict[str, Any] = {"input_names": ["z"], "output_names": ["logits"]}
        free = {"z": {0: "row"}, "logits": {0: "row"}}
        torch.onnx.export(module, (torch.zeros(2, size),), file, **names, dynamic_axes=free, dynamo=False)  # type: ignore[arg-type]
    return np.frombuffer(file.getvalue(), dtype=np.uint8)


def opened(
    weights: Mapping[str, np.ndarray], settings: NetworkClassifierSettings, scaling: FieldScaling, geometry: Geometry
) -> Probability:
    """Probabilities from the stored graph.

    Raises
    ------
    FileError
        If it is not that of these settings.
    """
    graph = session(weights["graph"])
    points = geometry.fields[0].size
    if [node.shape[1:] for node in graph.get_outputs()] != [[settings.logits, points]]:
        raise FileError("the graph of the classifier is not that of its settings")

    def probability(states: np.ndarray) -> np.ndarray:
        given = {"z": scaling.standardised(states).astype(np.float32)}
        logits = np.swapaxes(graph.run(["logits"], given)[0].astype(float), 1, 2)
        if settings.logits == 1:
            happens = 1 / (1 + np.exp(-logits))
            return np.concatenate([1 - happens, happens], axis=2)
        odds = np.exp(logits - logits.max(axis=2, keepdims=True))
        found: np.ndarray = odds / odds.sum(axis=2, keepdims=True)
        return found

    return probability
