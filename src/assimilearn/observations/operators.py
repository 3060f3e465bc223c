"""Observation operators: what an instrument makes of the state around the place that it looks at.

A study gives a function and weights; a file gives an attribute for the whole record, or a row of weighted sites for
each observation. Both become the table of :mod:`assimilearn.observations.rows`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeAlias

import numpy as np
import xarray as xr
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from assimilearn.errors import FileError, SettingsError
from assimilearn.models.geometry import Geometry, Row
from assimilearn.observations.checks import ROWS_OF_THEIR_OWN
from assimilearn.observations.rows import DIRECT, FUNCTIONS, OWN, Operator, OwnFunction
from assimilearn.registry import registry
from assimilearn.settings import Settings
from assimilearn.unions import OneOf

ATTRIBUTE, OWN_ATTRIBUTE = "operator", "own_operators"
ENTRIES = (ROWS_OF_THEIR_OWN, "corner_weight", "function")
"""Variables of a file whose observations have rows of their own: sites and weights (time, observation, corner), and
the number of the function (time, observation)."""


def flags_of(own: Sequence["FootprintSettings"] = ()) -> dict[str, Any]:
    """What the numbers of functions mean, as attributes."""
    names = [*FUNCTIONS, *(f"{settings.method}_{k}" for k, settings in enumerate(own))]
    return {"flag_values": np.arange(len(names), dtype=np.int8), "flag_meanings": " ".join(names)}


def of_users(own: Sequence["FootprintSettings"]) -> dict[str, str]:
    """The attribute that says which functions of users there are, in the order of their numbers."""
    return {OWN_ATTRIBUTE: json.dumps([json.loads(settings.canonical()) for settings in own])}


DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "corner_site": {"units": "1", "long_name": "sites that the observation is made from"},
    "corner_weight": {"units": "1", "long_name": "weights of these sites"},
    "function": {
        "units": "1",
        "long_name": "function of the weighted sum",
        **flags_of(),
    },
}


class FootprintSettings(Settings):
    """What every operator has: weights of the sites around the observed one."""

    method: str
    weights: list[float] = Field(
        [1.0],
        min_length=1,
        description="weights of the sites that are summed along the last axis, odd in number: the observed one is in "
        "the middle",
    )

    @model_validator(mode="after")
    def _centred(self) -> Self:
        if len(self.weights) % 2 == 0:
            raise ValueError("weights: their number must be odd, with the observed site in the middle")
        if not any(self.weights):
            raise ValueError("weights: one of them at least must not be 0")
        return self

    @property
    def direct(self) -> bool:
        """Whether the values of the sites themselves are seen."""
        return False

    @property
    def code(self) -> int:
        """Number of the function, where it is the only one of a user."""
        return OWN

    @property
    def own(self) -> tuple[OwnFunction, ...]:
        """The function, where it is one of a user."""
        return ()


class OperatorSettings(FootprintSettings):
    """What is seen of the state: a function of a weighted sum over the sites around the observed one."""

    method: Literal["function"] = "function"
    function: Literal["identity", "square", "absolute", "log", "arctan", "cube"] = Field(
        "identity", description="function of the sum; log is ln of its absolute value"
    )

    @property
    def direct(self) -> bool:
        """Whether the values of the sites themselves are seen."""
        return self.function == "identity" and self.weights == [1.0]

    @property
    def code(self) -> int:
        """Number of the function."""
        return FUNCTIONS[self.function]


AnyOperator: TypeAlias = Annotated[FootprintSettings, OneOf("operator", default="function")]
"""Settings of any operator; those without ``method`` are of a function that is built in."""


def numbers_of(operators: Sequence[FootprintSettings]) -> tuple[list[int], list[FootprintSettings]]:
    """The number of the function of each of ``operators``, and those of a user, in the order of their numbers."""
    own = list({operator.canonical(): operator for operator in operators if operator.own}.values())
    return [OWN + own.index(operator) if operator.own else operator.code for operator in operators], own


def footprints(settings: FootprintSettings, geometry: Geometry) -> Operator:
    """The rows of all sites, in their order.

    Raises
    ------
    SettingsError
        If the footprint has more sites than the last axis, that axis is bounded, or there is none.
    """
    if settings.direct:
        return DIRECT
    sites = footprint_sites(len(settings.weights), geometry)
    weights = np.broadcast_to(np.array(settings.weights, dtype=float), sites.shape)
    return Operator(sites, weights.copy(), np.full(geometry.size, settings.code), settings.own)


def footprint_sites(width: int, geometry: Geometry) -> np.ndarray:
    """Sites of the footprint around every site, (site, corner), int64."""
    if width == 1:
        return np.arange(geometry.size)[:, None]
    geometry.need_space("an operator with several weights")
    parts = []
    for field in geometry.fields:
        along, where = field.shape[-1], geometry.slices[field.name]
        if not geometry.axes[-1].periodic:
            raise SettingsError("operator: a footprint of several weights needs a periodic last axis")
        if width > along:
            raise SettingsError(f"operator: the footprint has {width} sites; the state has only {along}")
        start = np.arange(where.start, where.stop)
        offset = (start[:, None] - where.start) % along
        around = (offset + np.arange(-(width // 2), width // 2 + 1)) % along
        parts.append(start[:, None] - offset + around)
    return np.concatenate(parts)


def with_footprint(points: Row, settings: FootprintSettings, geometry: Geometry) -> Row:
    """Rows of points between sites, summed over the footprint of the operator."""
    if len(settings.weights) == 1:
        return points._replace(weights=points.weights * settings.weights[0])
    around = footprint_sites(len(settings.weights), geometry)[points.sites]  # (point, corner, footprint)
    weights = points.weights[..., None] * np.array(settings.weights)
    return Row(around.reshape(len(around), -1), weights.reshape(len(weights), -1))


def operator_of(observations: xr.Dataset, geometry: Geometry) -> Operator:
    """The operator that a file of observations says it was made with.

    Parameters
    ----------
    observations : Dataset
        With the attribute ``operator`` (JSON of its settings), or with rows of its own (``ENTRIES``), and then
        ``own_operators`` (JSON, a list) if functions of a user are among them; without either sites themselves are
        observed.
    geometry : Geometry
        Of the state.

    Raises
    ------
    FileError
        If the attribute is not an operator, its footprint does not fit the state, or rows reach sites beyond it.
    """
    if ENTRIES[0] in observations:
        return _from_entries(observations, geometry.size)
    text = observations.attrs.get(ATTRIBUTE)
    if text is None:
        return DIRECT
    try:
        return footprints(_known(json.loads(text)), geometry)
    except (ValidationError, ValueError, TypeError, SettingsError) as error:
        raise FileError(f"the attribute operator of the observations cannot be used: {error}") from error


def _known(given: Any) -> FootprintSettings:
    """The settings of an operator in a file.

    Raises
    ------
    FileError
        If it comes from a plug-in that is not loaded.
    """
    name = given.get("method", "function") if isinstance(given, Mapping) else "function"
    if registry().find(str(name), "operator") is None:
        raise FileError(
            f"the operator {name!r} of the observations comes from a plug-in which is not loaded: name it under "
            "`plugins` of the study, or with --plugin"
        )
    found: FootprintSettings = TypeAdapter(AnyOperator).validate_python(given)
    return found


def rows_of(observations: xr.Dataset) -> np.ndarray:
    """Numbers of the rows of the operator that observations refer to, (time, observation), int64; 0 in the padding."""
    there = observations["valid"].values == 1
    if ENTRIES[0] in observations:
        return np.where(there, np.arange(there.size).reshape(there.shape), 0)
    return np.where(there, observations["site_index"].values, 0).astype(np.int64)


def _from_entries(observations: xr.Dataset, size: int) -> Operator:
    """One row for each entry of the file, valid or not."""
    missing = [name for name in ENTRIES if name not in observations]
    if missing:
        raise FileError(f"observations with {ENTRIES[0]} need {' and '.join(missing)} too")
    site, weight, function = (observations[name].values for name in ENTRIES)
    shape = observations["valid"].shape
    if site.ndim != 3 or site.shape != weight.shape or site.shape[:2] != shape or function.shape != shape:
        raise FileError(f"{', '.join(ENTRIES)} of the observations do not have matching shapes")
    if site.size and (site.min() < 0 or site.max() >= size):
        raise FileError(f"{ENTRIES[0]} of the observations is not one of the sites 0 to {size - 1}")
    try:
        own = [_known(given).own for given in json.loads(observations.attrs.get(OWN_ATTRIBUTE, "[]"))]
    except (ValidationError, ValueError, TypeError) as error:
        raise FileError(f"the attribute {OWN_ATTRIBUTE} of the observations cannot be used: {error}") from error
    if not np.isfinite(weight).all() or not np.isin(function, np.arange(OWN + len(own))).all():
        raise FileError(f"{ENTRIES[1]} or {ENTRIES[2]} of the observations holds values that mean nothing")
    corners = site.shape[2]
    return Operator(
        site.reshape(-1, corners).astype(np.int64),
        weight.reshape(-1, corners).astype(float),
        function.reshape(-1).astype(np.int64),
        tuple(f for functions in own for f in functions),
    )
