"""The geometry of the states of a scenario."""

from assimilearn.models import build
from assimilearn.models.fields import model_geometry
from assimilearn.models.geometry import Geometry
from assimilearn.study.schema import Scenario


def geometry_of_states(scenario: Scenario) -> Geometry:
    """Where the numbers of the states are: the geometry of the model that makes the truth, by default the first."""
    return model_geometry(build(scenario.models[scenario.truth.model or next(iter(scenario.models))]))
