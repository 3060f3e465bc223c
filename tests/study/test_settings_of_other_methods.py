"""A setting, or a value of it, that other methods take: one message that says which."""

import pytest

from assimilearn.assimilation import METHODS, AnyAnalysis
from assimilearn.assimilation.settings import FilterSettings, LocalSettings
from assimilearn.cli.options import SettingsText
from assimilearn.errors import SettingsError
from assimilearn.study.problems import ConfigurationError, listed
from assimilearn.study.scenarios import resolve

ADAPTED = {
    "inflation": "adaptive",
    "model_error": "estimated",
    "model_error_treatment": "square_root",
    "parameters": {"forcing": {"mean": 7.0, "std": 1.0}},
}
FILTERS = sorted(name for name, cls in METHODS.items() if issubclass(cls, FilterSettings))
GLOBAL = [name for name in FILTERS if not issubclass(METHODS[name], LocalSettings)]


def told(node, **more):
    """The one problem of a study with this analysis; what the method needs besides is another question."""
    with pytest.raises(ConfigurationError) as caught:
        resolve({"study": "example", "analyses": {"x": node}, **more})
    needs = ("analyses.x.method: needs ", "analyses.x.assimilator: is required")
    (problem,) = [problem for problem in caught.value.problems if not problem.startswith(needs)]
    return problem


@pytest.mark.parametrize("setting", ADAPTED)
@pytest.mark.parametrize("method", sorted(set(METHODS) - set(FILTERS)))
def test_what_only_filters_can_adapt_is_one_problem_that_names_them(method, setting):
    problem = told({"method": method, setting: ADAPTED[setting]})
    takers = listed(GLOBAL if setting == "parameters" else FILTERS)
    assert problem.startswith(f"analyses.x.{setting}: ")
    assert f"is taken by {takers}" in problem
    assert f"{method} takes number" in problem or f"{method} has no such setting" in problem


@pytest.mark.parametrize("method", sorted(set(FILTERS) - set(GLOBAL)))
def test_parameters_of_a_local_filter_are_refused_where_they_stand_with_the_reason(method):
    problem = told({"method": method, "parameters": ADAPTED["parameters"]})
    assert problem.startswith("analyses.x.parameters: they have no place, so a localized method cannot estimate them; ")
    assert f"it is taken by {listed(GLOBAL)}" in problem


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"method": "enks", "inflation": "fast"}, "inflation: expected number >= 1 (got 'fast')"),
        (
            {"method": "enks", "model_error": -1},
            "model_error: expected number >= 0 or `residual` or `by_state` (got -1)",
        ),
        ({"method": "etkf", "members": 2.5}, "members: expected integer >= 2 (got 2.5)"),
        ({"method": "etkf", "parameters": {"forcing": 7}}, "parameters.forcing: expected ParameterSettings (got 7)"),
        (
            {"method": "etkf", "inflation": "adaptive", "model_error": "estimated"},
            "model_error: it cannot be told from an adaptive inflation: give one of them a number (got 'estimated')",
        ),
    ],
)
def test_a_value_that_no_method_takes_is_one_problem_that_says_what_is_expected(node, message):
    assert told(node) == f"analyses.x.{message}"


def test_values_of_searches_and_sweeps_and_settings_of_loops_are_told_like_a_setting():
    message = f"'adaptive' is taken by {listed(FILTERS)}; enks takes number >= 1"
    wrong, blue = {"method": "enks", "inflation": "adaptive"}, {"method": "blue"}
    assert told({"method": "enks", "tune": {"inflation": [1.0, "adaptive"]}}) == f"analyses.x.tune.inflation: {message}"
    sweep = {"analysis": {"method": "enks"}, "over": {"inflation": ["adaptive"]}}
    assert told(blue, sweeps={"s": sweep}) == f"sweeps.s.over.inflation: {message}"
    loop = {"start": "x", "emulator": {"method": "ridge"}, "analysis": wrong}
    assert told(blue, loops={"l": loop}) == f"loops.l.analysis.inflation: {message}"


def test_an_emulator_is_told_of_the_settings_of_others():
    emulator = {"method": "ridge", "trained_on": "x", "epochs": 3}
    problem = told({"method": "blue"}, emulators={"e": emulator})
    assert problem.startswith("emulators.e.epochs: ridge has no such setting; it is taken by attention, cnn, ")
    assert problem.endswith(" and u-net (got 3)")


def test_an_option_of_a_verb_is_told_in_the_same_words():
    with pytest.raises(SettingsError) as caught:
        SettingsText(AnyAnalysis).convert('{"method": "enks", "inflation": "adaptive", "lag": -1}', None, None)
    first, *problems = str(caught.value).split("\n  ")
    assert first == "the option settings is not valid:"
    assert problems == [
        f"inflation: 'adaptive' is taken by {listed(FILTERS)}; enks takes number >= 1",
        "lag: input should be greater than or equal to 0 (got -1)",
    ]
