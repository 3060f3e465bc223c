"""The geometry of the states of a scenario."""

from assimilearn.models import build
from assimilearn.models.fields import model_geometry
from assimilearn.models.geometry import Geometry
from assimilearn.study.records import geometry_of_record
from assimilearn.study.schema import Scenario


def geometry_of_states(scenario: Scenario) -> Geometry:
    """Where the numbers of the states are.

    It is the geometry of the model that makes the truth, by default the first, or that of the first model where the
    truth is kept in the fields of that one. That of a record without a model is in its file.
    """
    if not scenario.models and scenario.data is not None:
        return geometry_of_record(scenario.data)
    first = next(iter(scenario.models))
    name = first if scenario.truth.fields is not None else scenario.truth.model or first
    return model_geometry(build(scenario.models[name]))
