"""Where a node of a study names another node, and which names may stand there."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from assimilearn.study.schema import Scenario


class Target(NamedTuple):
    """What a setting may name: in words, and the sections where such nodes stand."""

    what: str
    sections: tuple[str, ...]


FORECASTS = Target("model, emulator or loop", ("models", "emulators", "loops"))
ESTIMATES = Target("analysis", ("analyses", "loops"))
STEPS = Target("assimilator", ("assimilators",))
MODELS = Target("model", ("models",))
NAMES = {
    **{"model": FORECASTS, "truth_model": MODELS},
    **{"trained_on": ESTIMATES, "start": ESTIMATES, "assimilator": STEPS},
}
"""Setting of a node -> what it names."""


class Reference(NamedTuple):
    """A setting that names a node.

    Attributes
    ----------
    place : section and name of the node, as "analyses.letkf"
    setting : the setting
    name : the node that it names
    target : what that must be
    """

    place: str
    setting: str
    name: str
    target: Target

    def found(self, scenario: Scenario) -> str | None:
        """Section and name of the node that is named, or None if there is none."""
        section = next((s for s in self.target.sections if self.name in getattr(scenario, s)), None)
        return None if section is None else f"{section}.{self.name}"

    def allowed(self, scenario: Scenario) -> list[str]:
        """All names that may stand here."""
        return [name for section in self.target.sections for name in getattr(scenario, section)]


def references(scenario: Scenario) -> Iterator[Reference]:
    """Every reference of every node."""
    for section in ("analyses", "emulators", "classifiers", "assimilators", "loops", "sweeps"):
        for name, node in getattr(scenario, section).items():
            for place, settings in {f"{section}.{name}": node, **_inside(f"{section}.{name}", node)}.items():
                for setting, target in named(settings).items():
                    yield Reference(place, setting, target, NAMES[setting])


def _inside(place: str, node: Any) -> dict[str, Any]:
    """The analysis of a loop or a sweep, which may name an assimilator."""
    analysis = getattr(node, "analysis", None)
    return {} if analysis is None else {f"{place}.analysis": analysis}


def named(node: Any) -> dict[str, str]:
    """Setting -> name of the node that it names, of one node."""
    settings = (name for name in NAMES if name in type(node).model_fields)
    return {name: value for name in settings if (value := getattr(node, name)) is not None}
