"""Observe a truth: y = h(x) at the places of a network + error, by one instrument or several."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from pydantic import Field, StringConstraints, model_validator

from assimilearn.clock import step_numbers
from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry, Row, geometry_of
from assimilearn.observations import correlation, operators
from assimilearn.observations.errors import (
    CorrelatedError,
    ErrorDistribution,
    ErrorVariation,
    GaussianError,
    relative_std,
    unit_errors,
)
from assimilearn.observations.layout import pack
from assimilearn.observations.networks import ABSENT, MovingRandom, Network, observed_places
from assimilearn.observations.operators import AnyOperator, OperatorSettings, numbers_of
from assimilearn.observations.rows import Operator, observed_values
from assimilearn.observations.times import Every, are_observed
from assimilearn.settings import Settings


class InstrumentSettings(Settings):
    """What one kind of instrument sees of the truth, and with what error."""

    network: Network = Field(MovingRandom(), description="what is observed when")
    operator: AnyOperator = Field(
        OperatorSettings(), description="what is seen of the state at a place; that of a plug-in is named by `method`"
    )
    error_std: float = Field(1.0, gt=0, description="standard deviation of the observation error")
    assumed_error_std: float | None = Field(
        None, gt=0, description="standard deviation that the file tells the filters; by default error_std"
    )
    error_variation: ErrorVariation = Field(
        ErrorVariation(), description="how error_std differs from site to site and changes in time; by default not"
    )
    distribution: ErrorDistribution = Field(GaussianError(), description="distribution of the observation error")
    assumed_correlation: Literal["distribution", "none"] = Field(
        "distribution",
        description="whether the file tells the filters of correlated errors, or that they are independent",
    )
    bias: float = Field(0.0, description="mean of the observation error, unknown to the filters")
    missing: float = Field(0.0, ge=0, lt=1, description="fraction of the values that is lost at random")

    @property
    def tells_correlation(self) -> bool:
        """Whether the file says that errors are correlated."""
        return isinstance(self.distribution, CorrelatedError) and self.assumed_correlation == "distribution"


InstrumentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]


class ObservationSettings(InstrumentSettings):
    """What is seen of the truth, how often and with what error."""

    every: Every = Field(
        1, description="number of model steps between two observation times, or a list of such numbers that take turns"
    )
    instruments: dict[InstrumentName, dict[str, Any]] = Field(
        {},
        description="several kinds of instruments, by name: each has the settings of this section but `every`, and "
        "what it does not say is as in the section; by default there is one instrument, the section itself",
    )

    @model_validator(mode="after")
    def _instruments_are_valid(self) -> "ObservationSettings":
        found = self.each
        if len(found) > 1 and any(one.tells_correlation for one in found.values()):
            raise ValueError("instruments: of several instruments none can have errors told to be correlated")
        return self

    @property
    def each(self) -> dict[str, InstrumentSettings]:
        """The instruments by name; the only one of a section without `instruments` has no name."""
        shared = {name: getattr(self, name) for name in InstrumentSettings.model_fields}
        if not self.instruments:
            return {"": InstrumentSettings.model_construct(**shared)}
        return {name: InstrumentSettings.model_validate(shared | own) for name, own in self.instruments.items()}


class Seen(NamedTuple):
    """What one instrument reports, each (time, observation) or as said; ``rows`` (time * observation, corner)."""

    sites: np.ndarray
    value: np.ndarray
    error_std: np.ndarray
    valid: np.ndarray
    coordinates: np.ndarray | None
    rows: Row
    function: int


def observe(truth: xr.Dataset, settings: ObservationSettings, rng: np.random.Generator) -> xr.Dataset:
    """Observations of ``truth``.

    Network, errors and losses have random streams of their own: to change one leaves the others as they were.

    Parameters
    ----------
    truth : Dataset
        ``state(time, site)``, ``period(time)``, attributes ``time_step`` (that of the model, in MTU) and, for all but
        a ring of one field, ``geometry``. It may hold other times as well: those that are multiples of ``every`` model
        steps are observed, counted from time 0.
    settings : ObservationSettings
    rng : numpy.random.Generator

    Returns
    -------
    Dataset of the layout of :func:`assimilearn.observations.layout.pack`, with the attributes ``size``, ``time_step``
    and, where they apply, ``geometry``, ``interval`` (MTU between observation times), ``operator`` (JSON) and
    ``error_correlation_length``. Observations between sites, or of several instruments, have rows of their own
    (:data:`assimilearn.observations.operators.ENTRIES`), their coordinates, and ``instrument``.

    Raises
    ------
    SettingsError
        If more sites are observed than exist, or no time of the truth is an observation time.
    FileError
        If the truth does not say its ``time_step``, or the file of a network cannot be used.
    """
    if "time_step" not in truth.attrs:
        raise FileError("the truth lacks the attribute time_step (MTU of one model step)")
    time_step = float(truth.attrs["time_step"])
    chosen = are_observed(step_numbers(truth["time"].values, time_step), settings.every)
    if not chosen.any():
        raise SettingsError(f"no time of the truth is a multiple of {settings.every} model steps (setting `every`)")
    states = truth["state"].transpose("time", "site").values[chosen]
    times, flags = truth["time"].values[chosen], truth["period"].values[chosen]
    geometry = geometry_of({**truth.attrs, "size": states.shape[1]})
    instruments = settings.each
    streams = [rng] if len(instruments) == 1 else rng.spawn(len(instruments))
    numbers, own = numbers_of([one.operator for one in instruments.values()])
    seen = [
        _seen_by(one, states, times, geometry, stream)._replace(function=number)
        for one, stream, number in zip(instruments.values(), streams, numbers, strict=True)
    ]
    extra = _rows_of_their_own(seen, geometry, list(instruments)) if _needs_rows(seen) else {}
    columns = [np.concatenate(parts, axis=1) for parts in zip(*(s[:4] for s in seen), strict=True)]
    sites, value, error_std, valid = columns
    dataset = pack(times, flags, sites, value, error_std, valid, extra)
    told = _told(settings, next(iter(instruments.values())), time_step, alone=not extra)
    if extra and own:
        told |= operators.of_users(own)
        dataset["function"].attrs |= operators.flags_of(own)
    return dataset.assign_attrs(size=geometry.size, time_step=time_step, **geometry.attributes, **told)


def _seen_by(
    settings: InstrumentSettings, states: np.ndarray, times: np.ndarray, geometry: Geometry, rng: np.random.Generator
) -> Seen:
    """The report of one instrument on ``states (time, site)``."""
    network_rng, error_rng, loss_rng, variation_rng = rng.spawn(4)
    footprints = operators.footprints(settings.operator, geometry)
    places = observed_places(settings.network, geometry, times, network_rng)
    sites = places.sites
    positions = None if places.coordinates is None else geometry.embedded(places.coordinates)
    errors = unit_errors(settings.distribution, sites, geometry, error_rng, positions)
    if places.row is None:
        seen = observed_values(states, np.where(sites == ABSENT, 0, sites), footprints)
        rows = _rows_of_sites(np.where(sites == ABSENT, 0, sites).reshape(-1), footprints)
    else:
        rows = operators.with_footprint(places.row, settings.operator, geometry)
        table = Operator(*rows, np.full(len(rows.sites), settings.operator.code), settings.operator.own)
        seen = observed_values(states, np.arange(sites.size).reshape(sites.shape), table)
    varying, at = settings.error_variation, np.where(sites == ABSENT, 0, sites)
    relative = relative_std(varying, at, times, geometry.size, variation_rng)
    told = np.full(sites.shape, settings.assumed_error_std or settings.error_std)
    return Seen(
        sites=sites,
        value=seen + (settings.bias + settings.error_std * relative * errors),
        error_std=told * relative if varying.told else told,
        valid=(sites != ABSENT) & (loss_rng.random(sites.shape) >= settings.missing),
        coordinates=places.coordinates,
        rows=rows,
        function=settings.operator.code,
    )


def _rows_of_sites(sites: np.ndarray, footprints: Operator) -> Row:
    """The rows that the observations of ``sites (observation,)`` have in the table of all sites."""
    if footprints.direct:
        return Row(sites[:, None].astype(np.int64), np.ones((sites.size, 1)))
    return Row(footprints.site[sites], footprints.weight[sites])


def _needs_rows(seen: Sequence[Seen]) -> bool:
    """Whether observations must carry rows of their own: there are points between sites, or several operators."""
    between = any(s.coordinates is not None for s in seen)
    return between or len(seen) > 1


def _rows_of_their_own(
    seen: Sequence[Seen], geometry: Geometry, names: Sequence[str]
) -> dict[str, tuple[np.ndarray, Mapping[str, Any]]]:
    """Variables (time, observation[, corner]) that say of each observation what it is made from, and where it is."""
    corners = max(s.rows.sites.shape[1] for s in seen)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in operators.ENTRIES}
    coordinates, instrument = [], []
    for number, s in enumerate(seen):
        shape = (*s.sites.shape, s.rows.sites.shape[1])
        more = [(0, 0), (0, 0), (0, corners - shape[2])]
        parts["corner_site"].append(np.pad(s.rows.sites.reshape(shape), more).astype(np.int32))
        parts["corner_weight"].append(np.pad(s.rows.weights.reshape(shape), more))
        parts["function"].append(np.full(s.sites.shape, s.function, dtype=np.int8))
        own = geometry.coordinates[np.where(s.sites == ABSENT, 0, s.sites)]
        coordinates.append(own if s.coordinates is None else s.coordinates)
        instrument.append(np.full(s.sites.shape, number, dtype=np.int8))
    extra: dict[str, tuple[np.ndarray, Mapping[str, Any]]] = {
        name: (np.concatenate(columns, axis=1), operators.DESCRIPTIONS[name]) for name, columns in parts.items()
    }
    for a, axis in enumerate(geometry.axes):
        text = {"units": axis.units, "long_name": f"{axis.name} of the observation"}
        extra[axis.name] = (np.concatenate(coordinates, axis=1)[..., a], text)
    if len(seen) > 1:
        numbers = np.arange(len(names), dtype=np.int8)
        flags = {"units": "1", "long_name": "instrument", "flag_values": numbers, "flag_meanings": " ".join(names)}
        extra["instrument"] = (np.concatenate(instrument, axis=1), flags)
    return extra


def _told(
    settings: ObservationSettings, instrument: InstrumentSettings, time_step: float, alone: bool
) -> dict[str, Any]:
    """Attributes that say what a filter needs to know."""
    told: dict[str, Any] = {}
    if isinstance(settings.every, int):
        told["interval"] = settings.every * time_step
    if alone and not instrument.operator.direct:
        told[operators.ATTRIBUTE] = instrument.operator.canonical()
    if instrument.tells_correlation:
        told[correlation.ATTRIBUTE] = instrument.distribution.length  # type: ignore[union-attr]
    return told
