"""One interval of a learned model as a torch module of flat, standardised states; what is exported and differentiated.

Around the module f of a network stand, as its settings ask: a Runge-Kutta scheme that takes f for a tendency, past
states or noise as further fields, a second module for the logarithm of the error's standard deviation, and an ensemble
of modules trained from different weights. So every network can have each of them, a user's own too.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from assimilearn.emulators.fields import places
from assimilearn.emulators.networks.settings import NetworkSettings
from assimilearn.models.geometry import FieldGrid, Geometry

LARGEST = 7.0  # of the logarithm of a standard deviation, in units of the increments


def seen_geometry(geometry: Geometry, settings: NetworkSettings) -> Geometry:
    """The fields that the module of a network is given: those of the model, then past ones and noise."""
    past = [f"{field.name} {k} steps before" for k in range(1, settings.delays + 1) for field in geometry.fields]
    shapes = [field.shape for field in geometry.fields] * settings.delays
    more = [FieldGrid(name=name, shape=shape) for name, shape in zip(past, shapes, strict=True)]
    if settings.loss == "flow":
        more += [FieldGrid(name=f"{field.name} on its way", shape=field.shape) for field in geometry.fields]
        more.append(FieldGrid(name="part of the way", shape=geometry.fields[0].shape))
    elif settings.noisy:
        more.append(FieldGrid(name="noise", shape=geometry.fields[0].shape))
    if settings.position:
        columns = range(places(geometry).shape[1])
        more += [FieldGrid(name=f"position {k}", shape=geometry.fields[0].shape) for k in columns]
    rest = {name: getattr(geometry, name) for name in Geometry.model_fields if name != "fields"}
    return Geometry(fields=(*geometry.fields, *more), **rest) if more else geometry


class Flat(nn.Module):
    """A module of fields on their grid as one of flat states.

    Fields that stand on different grids go in as they are: only a function of the whole state is asked for them.
    """

    def __init__(self, module: Any, geometry: Geometry) -> None:
        super().__init__()
        shapes = {field.shape for field in geometry.fields}
        self.grid = shapes.pop() if len(shapes) == 1 else None
        self.fields, self.module = len(geometry.fields), module

    def forward(self, z: torch.Tensor, *memory: torch.Tensor) -> Any:
        """``z (row, site)`` -> increments (row, site); a module with memory gives its new memory too."""
        if self.grid is None:
            return self.module(z)
        one_axis = len(self.grid) == 1
        states = z.reshape(z.shape[0], self.fields, -1) if one_axis else z.reshape(-1, self.fields, *self.grid)
        if memory:
            increments, after = self.module(states, *memory)
            return increments.reshape(z.shape), after
        return self.module(states).reshape(z.shape)


class Step(nn.Module):
    """One interval.

    Parameters
    ----------
    modules : of the mean, and of the logarithm of the standard deviation where the loss asks for one
    geometry : of the states
    settings : of the network
    ratio : tensor (site,)
        Scale of the increments over that of the states.
    """

    def __init__(
        self, modules: Sequence[Any], geometry: Geometry, settings: NetworkSettings, ratio: torch.Tensor
    ) -> None:
        super().__init__()
        seen = seen_geometry(geometry, settings)
        self.parts = nn.ModuleList(Flat(module, seen) for module in modules)
        same = bool((ratio == ratio[0]).all())  # then the graph is not bound to the number of sites
        self.ratio: torch.Tensor
        self.register_buffer("ratio", ratio[:1].clone() if same else ratio.clone(), persistent=False)
        self.size, self.delays, self.substeps = geometry.size, settings.delays, settings.substeps
        self.rk4, self.flow_steps = settings.rk4, settings.flow_steps if settings.loss == "flow" else 0
        self.points = geometry.fields[0].size
        where = places(geometry).T.ravel() if settings.position else np.empty(0)
        self.places: torch.Tensor
        self.register_buffer("places", torch.as_tensor(where, dtype=torch.float32)[None], persistent=False)
        self.conserved = [geometry.slices[name] for name in settings.conserves]
        self.own_memory = int(getattr(modules[0], "memory", 0))
        self.draws = geometry.size if self.flow_steps else self.points if settings.noisy else 0
        self.memory = self.own_memory or self.delays * self.size

    def forward(self, z: torch.Tensor, noise: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """``z (row, site + memory)``, ``noise (row, draws)`` -> increments (row, site), logarithm of their standard
        deviation (row, site) if there is one, memory (row, memory) if there is one."""
        if self.own_memory:
            increments, memory = self.parts[0](z[:, : self.size], z[:, self.size :])
            return self._projected(increments), memory
        if self.flow_steps:
            return (self._carried(z, torch.zeros_like(z) if noise is None else noise),)
        now, given = (z[:, : self.size], [z[:, self.size :]]) if self.memory else (z, [])
        given += [] if noise is None else [noise]
        given += [self.places.expand(z.shape[0], -1)] if self.places.shape[1] else []
        outputs = [self._projected(self._increments(now, given))]
        if len(self.parts) > 1:
            outputs.append(self._once(self.parts[1], now, given).clamp(-LARGEST, LARGEST))
        if self.memory:
            outputs.append(z[:, : self.memory])
        return tuple(outputs)

    def velocity(self, z: torch.Tensor, y: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """Of points y (row, site) on the way from noise to increments, given states z; s (row, 1) is the part of it."""
        return self.parts[0](torch.cat([z, y, s.expand(-1, self.points)], 1))[:, : self.size]

    def _carried(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Noise y carried to increments along the velocity field, by the midpoint rule."""
        h = 1 / self.flow_steps
        for k in range(self.flow_steps):
            s = torch.full_like(z[:, :1], k * h)
            middle = y + 0.5 * h * self.velocity(z, y, s)
            y = y + h * self.velocity(z, middle, s + 0.5 * h)
        return y

    def _once(self, part: Any, now: torch.Tensor, given: Sequence[torch.Tensor]) -> torch.Tensor:
        """One module, without what it gives for fields that are no field of the state."""
        if not given:
            return part(now)
        return part(torch.cat([now, *given], 1))[:, : self.size]

    def _increments(self, now: torch.Tensor, given: Sequence[torch.Tensor]) -> torch.Tensor:
        """Of the whole interval: those of the module, or of the Runge-Kutta scheme with it for a tendency."""
        part, h = self.parts[0], 1 / self.substeps
        if not self.rk4:
            return self._once(part, now, given)
        total = torch.zeros_like(now)
        for _ in range(self.substeps):
            x = now + self.ratio * total
            k1 = self._once(part, x, given)
            k2 = self._once(part, x + 0.5 * h * self.ratio * k1, given)
            k3 = self._once(part, x + 0.5 * h * self.ratio * k2, given)
            k4 = self._once(part, x + h * self.ratio * k3, given)
            total = total + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return total

    def _projected(self, increments: torch.Tensor) -> torch.Tensor:
        """Without the means over the grid of the fields that keep them (Beucler et al. 2021, Phys. Rev. Lett. 126)."""
        for part in self.conserved:
            kept = increments[:, part] - increments[:, part].mean(1, keepdim=True)
            increments = torch.cat([increments[:, : part.start], kept, increments[:, part.stop :]], 1)
        return increments

    def begin(self, z: torch.Tensor) -> torch.Tensor:
        """``z (row, site)`` with its first memory: past states are as the present, that of a module's own is 0."""
        if self.own_memory:
            return torch.cat([z, z.new_zeros(len(z), self.own_memory)], 1)
        return torch.cat([z] * (1 + self.delays), 1)

    def penalty(self) -> Any:
        """What the modules add to the loss."""
        modules: list[Any] = [part.module for part in self.parts]
        return sum(module.penalty() for module in modules if hasattr(module, "penalty"))


class Ensemble(nn.Module):
    """A deep ensemble (Lakshminarayanan, Pritzel & Blundell 2017, NeurIPS): the mean of several steps.

    The variance is the mean of their variances, where they have any, plus the variance of their means.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)
        self.memory, self.draws = steps[0].memory, steps[0].draws

    def forward(self, z: torch.Tensor, noise: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """As :meth:`Step.forward`, always with the logarithm of a standard deviation."""
        outputs: list[tuple[torch.Tensor, ...]] = [step(z, noise) for step in self.steps]
        means = torch.stack([output[0] for output in outputs])
        mean = means.mean(0)
        variance = (means - mean).square().sum(0) / (len(outputs) - 1)
        if len(outputs[0]) > 1 + bool(self.memory):
            variance = variance + torch.stack([output[1] for output in outputs]).mul(2).exp().mean(0)
        log_std = 0.5 * variance.clamp_min(1e-12).log()
        return (mean, log_std, outputs[0][-1]) if self.memory else (mean, log_std)
