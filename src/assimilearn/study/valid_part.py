"""The part of a configuration that is valid by itself, so that what can be said about it is said at once."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from assimilearn.study.problems import written_path

NODES = ("models", "analyses", "emulators", "classifiers", "assimilators", "loops", "sweeps")

NAMING = ("model", "trained_on", "start", "assimilator")
"""Settings that name another node; they are looked at even where the rest of the node cannot be used."""

STAND_INS: dict[str, dict[str, Any]] = {
    "models": {"method": "lorenz96"},
    "analyses": {"method": "interpolation"},
    "emulators": {"method": "persistence", "trained_on": "none"},
    "classifiers": {"method": "sklearn-classifier", "trained_on": "none"},
    "assimilators": {"method": "recurrent-gain"},
    "loops": {"start": "none", "emulator": {"method": "persistence"}, "analysis": {"method": "interpolation"}},
    "sweeps": {"analysis": {"method": "interpolation"}},
}
"""Nodes that keep the name of one that cannot be used."""

Place = tuple[Any, ...]


class Part(NamedTuple):
    """Settings, and the places that were left out or replaced because they are not valid."""

    settings: Any
    broken: frozenset[Place]


def valid_part(cls: type[BaseModel], data: Mapping[str, Any], error: ValidationError) -> Part:
    """An instance of ``cls`` without what is wrong with ``data``.

    A bad setting is left out, so that its default stands for it; a node that cannot do without keeps its name and the
    names that it uses.

    Parameters
    ----------
    cls : the model that ``data`` is for; it has a default for everything
    data : mapping
    error : pydantic.ValidationError
        Of validating it.
    """
    rest: Any = deepcopy(dict(data))
    broken: set[Place] = set()
    while True:
        places = {_existing(written_path(item["loc"], rest), rest) for item in error.errors()}
        for place in sorted(places, key=len, reverse=True):
            _leave_out(rest, place, broken)
        broken |= places
        try:
            return Part(cls.model_validate(rest), frozenset(broken))
        except ValidationError as again:
            if not rest:
                raise
            error = again


def _existing(place: Place, data: Any) -> Place:
    """The place to leave out: as much of it as exists, so where something is missing the mapping around it."""
    found: list[Any] = []
    for part in place:  # a list is left out whole
        if not isinstance(data, Mapping) or part not in data:
            break
        data = data[part]
        found.append(part)
    return tuple(found)


def _leave_out(data: Any, place: Place, broken: set[Place]) -> None:
    """Remove what stands at ``place``, or put a stand-in for a node that has been there before."""
    if not place:
        data.clear()
        return
    *above, last = place
    for part in above:
        data = data.get(part, {})  # it may have gone with another place
    if len(place) == 2 and place[0] in NODES and place not in broken:
        node = data[last] if isinstance(data.get(last), Mapping) else {}
        used = {name: node[name] for name in NAMING if isinstance(node.get(name), str)}
        data[last] = STAND_INS[place[0]] | used
        broken |= {(*place, name) for name in NAMING if name not in used}
    else:
        data.pop(last, None)
