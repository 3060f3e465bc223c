"""A study whose methods cannot use its observations is refused before anything runs."""

import pytest

from assimilearn.study.plan import Plan
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.scenarios import resolve

SQUARE = {"operator": {"function": "square"}}
CORRELATED = {"distribution": {"method": "correlated", "length": 3.0}}


def study(observations, **nodes):
    return {"study": "example", "observations": observations, "analyses": {"etkf": {"method": "etkf"}}, **nodes}


def problems(config):
    with pytest.raises(ConfigurationError) as caught:
        resolve(config)
    return caught.value.problems


@pytest.mark.parametrize(
    ("observations", "nodes", "message"),
    [
        (
            SQUARE,
            {"analyses": {"lines": {"method": "interpolation"}}},
            "analyses.lines.method: takes observations of the",
        ),
        (
            CORRELATED,
            {"analyses": {"local": {"method": "letkf"}}},
            "analyses.local.method: takes independent observation",
        ),
        (
            CORRELATED,
            {"sweeps": {"local": {"analysis": {"method": "eakf"}}}},
            "sweeps.local.analysis.method: takes indep",
        ),
        (
            SQUARE,
            {"emulators": {"learned": {"method": "windows", "trained_on": "etkf"}}},
            "emulators.learned.method: learns from observations of the state itself",
        ),
        ({"operator": {"weights": [1.0] * 41}}, {}, "observations.operator.weights: the footprint has more sites than"),
        (
            {"operator": {"weights": [1.0, 2.0]}},
            {},
            "observations.operator.weights: their number must be odd",
        ),
    ],
)
def test_what_does_not_fit_is_told(observations, nodes, message):
    (found,) = problems(study(observations, **nodes))
    assert found.startswith(message)


def test_filters_that_are_told_of_no_correlation_are_free_to_use_it():
    config = study(CORRELATED | {"assumed_correlation": "none"}, analyses={"local": {"method": "letkf"}})
    assert list(resolve(config).scenarios) == ["base"]


def test_the_plan_names_the_file_of_a_network_and_the_intervals():
    config = study({"network": {"method": "file", "path": "data/buoys.csv"}, "every": [1, 3]})
    plan = Plan(resolve(config)).scenarios["base"]
    assert plan.network_files == ["data/buoys.csv"]
    assert plan.every == "[1,3]"
    assert Plan(resolve(study({}))).scenarios["base"].network_files == []
