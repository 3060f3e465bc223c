"""The functions that a learned analysis step of one state consists of, for one kind of network.

Like the networks among the emulators: a module of torch is trained, exported once, and runs from its graph.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from assimilearn.assimilation.methods import learned
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilators.exported import exported
from assimilearn.assimilators.files import Fitted, stored
from assimilearn.assimilators.network import Scaling, grid_of
from assimilearn.assimilators.settings import NetworkSettings
from assimilearn.assimilators.single_state import SHAPES, SingleState
from assimilearn.assimilators.training import train_network
from assimilearn.emulators.networks.training import reproducibly
from assimilearn.models.geometry import Geometry
from assimilearn.periods import VALIDATION

SMALLEST = 1e-3  # least standard deviation of an error, in climatological ones


@dataclass(frozen=True)
class NetworkMethod:
    """A learned analysis step of one state.

    Attributes
    ----------
    module : callable
        ``module(geometry, settings) -> torch.nn.Module``, see :mod:`assimilearn.assimilators.network`.
    """

    module: Callable[[Geometry, Any], Any]

    def fit(
        self, problem: Problem, settings: NetworkSettings, rng: np.random.Generator, truth: np.ndarray | None = None
    ) -> Fitted:
        """Train the network through the cycle, export it, and measure the errors of its forecasts and analyses."""
        geometry = problem.geometry
        with reproducibly(int(rng.integers(2**31))):
            module = self.module(geometry, settings)
            trained = train_network(problem, truth, module, settings, rng)
            if trained.failure:
                return Fitted({}, *trained[:3], {}, trained.failure)
            graph = exported(module, grid_of(geometry))
        scaling = Scaling.of(problem)
        firsts = [part.start for part in geometry.slices.values()]
        weights = {"graph": graph, "mean": scaling.mean[firsts], "std": scaling.std[firsts]}
        weights |= {"scale": scaling.sees.scale[firsts]}
        weights |= {name: scaling.std[firsts] for name in ("forecast_std", "analysis_std")}
        weights |= error_stds(problem, SingleState(weights, geometry), scaling, truth)
        numbers = {
            "parameters": sum(p.numel() for p in module.parameters()),
            "training_analyses": settings.iterations * settings.batch_size * settings.unroll,
        }
        arrays = {n: xr.DataArray(v, dims=SHAPES[n], attrs={"long_name": TEXTS[n]}) for n, v in weights.items()}
        return Fitted(arrays, *trained[:3], numbers)

    def opened(self, dataset: xr.Dataset) -> SingleState:
        """The analysis step that a file holds."""
        return SingleState(*stored(dataset, SHAPES))


TEXTS = {
    "graph": "network as an ONNX graph",
    "mean": "climatological mean of a field",
    "std": "climatological standard deviation of a field",
    "scale": "climatological standard deviation of what is observed of a field",
    "forecast_std": "rms error of forecasts in the validation period",
    "analysis_std": "rms error of analyses in the validation period",
}


def error_stds(
    problem: Problem, step: SingleState, scaling: Scaling, truth: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Rms errors of forecasts and analyses in the validation period, by field: against the truth, or by innovations.

    Without the truth they are those of Desroziers, Berre, Chapnik & Poli (2005), Q. J. R. Meteorol. Soc. 131,
    3385-3396, eqs. 1 and 4: the mean of d d minus R, and of (h(x_a) - h(x_f)) (y - h(x_a)).
    """
    period = np.flatnonzero(problem.period == VALIDATION)
    part = replace(problem.window(period[0], period[-1] + 1), step=step)
    record = learned.run(part, learned.LearnedSettings(assimilator="own"), np.random.default_rng(0))
    done = slice(min(100, period.size // 2), record.diverged)
    found = {}
    gridded = scaling.sees.gridded(part.value, part.variance, part.sites, part.valid)
    for name, mean in (("forecast_std", record.forecast_mean), ("analysis_std", record.mean)):
        if truth is not None:
            square = (mean - truth[period]) ** 2
        else:
            innovation = gridded.value - scaling.sees.seen(record.forecast_mean)
            residual = gridded.value - scaling.sees.seen(record.mean)
            forecast, analysis = innovation**2 - gridded.error_std**2, (innovation - residual) * residual
            square = np.where(gridded.observed, forecast if name == "forecast_std" else analysis, np.nan)
            square = square * (scaling.std / scaling.sees.scale) ** 2
        std = []
        for here in problem.geometry.slices.values():
            values = square[done, here]
            least = (SMALLEST * scaling.std[here.start]) ** 2
            std.append(np.sqrt(max(float(np.nanmean(values)) if np.isfinite(values).any() else 0.0, least)))
        found[name] = np.array(std)
    return found
