"""A network that corrects the members of an ensemble filter, with attention among the members.

After Bach, Baptista, Calvello, Chen & Stuart (2025), arXiv 2504.17836 (MNMEF): the ensemble is a set, so what is
learned must not depend on the order of its members, and may be used for any number of them. Theirs gives a gain, an
inflation and a localization; here the analysis of a LETKF is corrected,

    x_a,j = x_j + weight s F(x_j; all x_k, x_f, d),

x_j its inflated analysis and s the climatological standard deviation. At each grid point F sees of a member its
analysis and forecast anomalies, and of all of them the mean, the innovation of the mean, and where what is observed
with which error; convolutions mix grid points, softmax attention (Vaswani et al. 2017) mixes members. Its last layer
begins at zero: training begins with the LETKF. With weight 0 it is the LETKF, bit for bit.

It is trained through the cycle with the LETKF in torch (:mod:`assimilearn.assimilators.filters`), held against the
truth by the CRPS of the members, or against the next observations by their likelihood given mean and variance of the
forecast: both are proper scores, so the spread is learned too. Cost beside the LETKF: 2 N width (4 width + kernel (6 +
width)) flops a grid point, and N^2 width for the attention.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from assimilearn.assimilation.cycling.inflation import inflate
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.methods.letkf import letkf_update
from assimilearn.assimilation.problem import Problem
from assimilearn.assimilators.convolutions import padded
from assimilearn.assimilators.ensembles import Ensembles, train_correction
from assimilearn.assimilators.exported import SetGraph, exported_set
from assimilearn.assimilators.files import Fitted, stored
from assimilearn.assimilators.gridded import AtSites
from assimilearn.assimilators.network import Scaling, grid_of
from assimilearn.assimilators.settings import NetworkSettings
from assimilearn.emulators.networks.training import reproducibly
from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.models.protocol import Model

Array = np.ndarray
CHANNELS = 6  # of a field: analysis and forecast anomaly, mean, innovation, mask, error
SHAPES = {"graph": ("byte",), **dict.fromkeys(("mean", "std", "scale"), ("field",))}
TEXTS = {
    "graph": "network as an ONNX graph",
    "mean": "climatological mean of a field",
    "std": "climatological standard deviation of a field",
    "scale": "climatological standard deviation of what is observed of a field",
}


class SetCorrectionSettings(NetworkSettings):
    """A LETKF whose members a network with attention among them corrects."""

    method: Literal["set-correction"] = "set-correction"
    members: int = Field(10, ge=2, description="size N of the ensemble")
    inflation: float = Field(1.1, ge=1, description="of the LETKF: factor on the anomalies of its analysis")
    localization_radius: float = Field(3.0, gt=0, description="of the LETKF")
    weight: float = Field(1.0, ge=0, description="factor on the correction; 0 leaves the LETKF as it is")
    width: int = Field(16, ge=1, le=512, description="channels of the network")
    kernel: int = Field(5, ge=1, le=31, description="points of a convolution, odd")
    unroll: int = Field(3, ge=1, le=200, description="cycles that the gradient goes back through")
    batch_size: int = Field(8, ge=1, description="ensembles side by side")
    learning_rate: float = Field(1e-3, gt=0, description="largest step size of Adam; it falls as a cosine")

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError where there is not one axis to convolve and to localize on."""
        super().refuse_unlike(geometry)
        if self.kernel % 2 == 0:
            raise SettingsError(f"set-correction: the kernel must be odd, not {self.kernel}")
        if len(geometry.axes) != 1:
            raise SettingsError("set-correction convolves along one axis, and this model has none or more")


def module(geometry: Geometry, settings: SetCorrectionSettings) -> Any:
    """The torch module: features (ensemble, member, channel, point) -> correction (ensemble, member, field, point)."""
    import torch

    fields, width, reach = len(geometry.fields), settings.width, settings.kernel // 2
    periodic = geometry.axes[0].periodic

    class SetCorrection(torch.nn.Module):
        """A convolution of each member, attention among members at each point, a convolution again."""

        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(CHANNELS * fields, width, (1, settings.kernel))
            self.mixed = torch.nn.Conv2d(width, 3 * width, (1, 1))
            self.second = torch.nn.Conv2d(width, width, (1, settings.kernel))
            self.last = torch.nn.Conv2d(width, fields, (1, 1))
            torch.nn.init.zeros_(self.last.weight)
            torch.nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]  # it has one

        def forward(self, features: Any) -> Any:
            ensembles, members = features.shape[0], features.shape[1]
            h = features.flatten(0, 1)[:, :, None]
            h = torch.nn.functional.silu(self.first(padded(h, reach, periodic)))
            query, key, value = (
                part[:, :, 0].reshape(ensembles, members, width, -1).permute(0, 3, 1, 2)
                for part in self.mixed(h).chunk(3, dim=1)
            )
            among = torch.nn.functional.scaled_dot_product_attention(query, key, value)
            h = h + among.permute(0, 2, 3, 1).flatten(0, 1)[:, :, None]
            h = h + torch.nn.functional.silu(self.second(padded(h, reach, periodic)))
            return self.last(h)[:, :, 0].reshape(ensembles, members, fields, -1)

    return SetCorrection()


def features(
    analysis: Any, forecast: Any, innovation: Any, observed: Any, error: Any, scaling: Any, grid: Any
) -> list[Any]:
    """What the network sees, as parts (ensemble, member, field, *grid) to be joined; from arrays or tensors.

    Parameters
    ----------
    analysis, forecast : (ensemble, member, site)
    innovation, observed, error : (ensemble, site)
        Of the forecast's mean, as :func:`assimilearn.assimilators.network.inputs` has them.
    scaling : mean and std, each (site,)
    grid : shape (field, *grid)
    """
    mean, std = scaling
    centre_a = analysis.mean(-2)[..., None, :]
    shared = [(centre_a - mean) / std, *(part[..., None, :] for part in (innovation, observed, error))]
    own = [(analysis - centre_a) / std, (forecast - forecast.mean(-2)[..., None, :]) / std]
    parts = [*own, *(part + 0 * analysis for part in shared)]
    return [part.reshape(*analysis.shape[:2], *grid) for part in parts]


def fit(
    problem: Problem, settings: SetCorrectionSettings, rng: np.random.Generator, truth: np.ndarray | None = None
) -> Fitted:
    """Train the network through the cycle with the LETKF, and export it."""
    geometry = problem.geometry
    with reproducibly(int(rng.integers(2**31))):
        network = module(geometry, settings)
        ensembles = Ensembles(problem, settings, network, features, truth, rng)
        trained = train_correction(ensembles, settings)
        if trained.failure:
            return Fitted({}, *trained[:3], {}, trained.failure)
        graph = exported_set(network, settings.members, CHANNELS * len(geometry.fields), geometry.fields[0].shape)
    scaling, firsts = Scaling.of(problem), [part.start for part in geometry.slices.values()]
    weights = {"graph": graph, "mean": scaling.mean[firsts], "std": scaling.std[firsts]}
    weights |= {"scale": scaling.sees.scale[firsts]}
    arrays = {n: xr.DataArray(v, dims=SHAPES[n], attrs={"long_name": TEXTS[n]}) for n, v in weights.items()}
    numbers = {
        "parameters": sum(p.numel() for p in network.parameters()),
        "training_analyses": settings.iterations * settings.batch_size * settings.unroll,
    }
    return Fitted(arrays, *trained[:3], numbers)


@dataclass(frozen=True)
class SetCorrection:
    """The compiled LETKF and the network that corrects it.

    Attributes
    ----------
    settings : SetCorrectionSettings
    weights : name -> array
    geometry : Geometry
        Of the states that it was trained on.
    """

    settings: SetCorrectionSettings
    weights: dict[str, Array]
    geometry: Geometry
    draws = 0

    @property
    def members(self) -> int:
        """Size of the ensemble."""
        return self.settings.members

    @cached_property
    def graph(self) -> SetGraph:
        """The network."""
        return SetGraph(self.weights["graph"])

    def forecaster(self, model: Model) -> Model:
        """The given model."""
        return model

    def begin(self, problem: Problem) -> "SetCorrectionRun":
        """A run over the observations of a problem.

        Raises
        ------
        SettingsError
            If its states have other fields, or another size where points are not alike.
        """
        ours, theirs = self.geometry, problem.geometry
        alike = ours.names == theirs.names and len(ours.axes) == len(theirs.axes)
        if not alike or (ours.size != theirs.size and not ours.homogeneous):
            raise SettingsError("the assimilator was trained on states of other fields or another size")
        return SetCorrectionRun(self, problem)


class SetCorrectionRun:
    """One run."""

    def __init__(self, step: SetCorrection, problem: Problem):
        geometry = problem.geometry
        self.settings, self.graph, self.grid = step.settings, step.graph, grid_of(geometry)
        self.sees, field = AtSites.of(problem), geometry.field_of
        self.mean, self.std, self.scale = (step.weights[name][field] for name in ("mean", "std", "scale"))
        places = None if problem.observation.operator.direct else problem.observation.correlation.places
        radius = self.settings.localization_radius
        self.domain = encoded("gaspari_cohn", radius, geometry.positions, geometry.periods, places)
        self.forecast_variance = self.analysis_variance = np.empty(0)

    def analyse(self, E: Array, Y: Array, y: Array, variance: Array, sites: Array, noise: Array) -> None:
        """The LETKF, its inflation, and the correction, in place on E; nothing without observations."""
        if y.size == 0:
            return
        forecast, seen = E.copy(), self.sees.seen(E).mean(axis=0)
        letkf_update(E, Y, y, variance, sites, self.domain, noise)
        inflate(E, forecast, forecast[0], np.array([self.settings.inflation]), noise)
        gridded = self.sees.gridded(y[None], variance[None], sites[None], np.ones((1, y.size)))
        observed = gridded.observed.astype(float)
        innovation = observed * (gridded.value - seen) / (gridded.error_std + (1 - observed))
        told = (innovation, observed, gridded.error_std / self.scale)
        parts: Any = features(E[None], forecast[None], *told, (self.mean, self.std), self.grid)
        correction = self.graph(np.concatenate(parts, axis=2))
        E += self.settings.weight * self.std * correction.reshape(E.shape)


def opened(dataset: xr.Dataset) -> SetCorrection:
    """The step of a file."""
    settings = SetCorrectionSettings.model_validate_json(dataset.attrs["settings"])
    return SetCorrection(settings, *stored(dataset, SHAPES))
