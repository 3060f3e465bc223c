"""A study file is checked whole before anything runs, and every problem is told at once."""

import copy

import pytest

from assimilearn.errors import FileError
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.scenarios import load, merge, resolve

STUDY = {
    "study": "example",
    "observations": {"network": {"method": "moving_random", "count": 20}},
    "analyses": {"blue": {"method": "blue"}, "etkf": {"method": "etkf", "members": 20}},
    "emulators": {"ridge": {"method": "ridge", "trained_on": "etkf"}},
}


def study(**changes):
    return merge(copy.deepcopy(STUDY), changes)


def problems(config):
    with pytest.raises(ConfigurationError) as caught:
        resolve(config)
    return caught.value.problems


def test_a_valid_study_resolves_to_one_scenario_called_base():
    assert list(resolve(study()).scenarios) == ["base"]


def test_all_problems_are_told_at_once_each_with_path_value_and_what_is_allowed():
    config = study(
        analyses={"etkf": {"membres": 20}, "blue": {"method": "bleu"}},
        emulators={"ridge": {"trained_on": "etkff"}},
        observations={"error_std": -1.0},
    )
    found = "\n".join(problems(config))
    assert "analyses.etkf.membres: there is no setting 'membres'; did you mean 'members'?" in found
    assert "analyses.blue.method: there is no method 'bleu'; did you mean 'blue'?" in found
    assert "observations.error_std: input should be greater than 0 (got -1.0)" in found


def test_a_name_that_does_not_exist_is_told_with_the_nearest_one():
    (found,) = problems(study(emulators={"ridge": {"trained_on": "etkff"}}))
    assert found.startswith("emulators.ridge.trained_on: there is no analysis")
    assert "'etkff'; did you mean 'etkf'?" in found


def test_an_unknown_key_at_the_top_is_refused():
    (found,) = problems(study(observation={}))
    assert "there is no setting 'observation'; did you mean 'observations'?" in found


def test_an_emulator_may_not_learn_from_an_analysis_that_needs_it():
    config = study(analyses={"etkf": {"model": "ridge"}})
    assert any("needs itself" in problem for problem in problems(config))


def test_more_observed_sites_than_exist_are_refused():
    (found,) = problems(study(observations={"network": {"count": 41}}))
    assert "observations.network.count" in found
    assert "40" in found


def test_forecasts_that_do_not_fit_into_the_test_period_are_refused():
    fits = study(periods={"test": 41}, forecasts={"lead": 2.0})  # 40 steps of 0.05 MTU
    assert resolve(fits)
    (found,) = problems(fits | {"forecasts": {"lead": 2.1}})
    assert found.startswith("forecasts.lead: ") and "lasts 2 MTU" in found and "periods.test" in found
    assert resolve(fits | {"forecasts": {"lead": 2.1}, "observations": {**STUDY["observations"], "every": [1, 2]}})


def test_values_of_a_search_are_checked_like_the_setting():
    config = study(analyses={"etkf": {"tune": {"inflation": [1.0, -1.0], "inflaton": [1.0]}}})
    found = "\n".join(problems(config))
    assert "analyses.etkf.tune.inflation: " in found
    assert "did you mean 'inflation'?" in found


def test_parameters_to_estimate_are_those_of_a_physical_model():
    guess = {"mean": 7.0, "std": 1.0}
    learned = {"ridge": {"method": "ridge", "trained_on": "etkf"}}
    nodes = {
        "one": {"method": "etkf", "parameters": {"forcng": guess}},
        "two": {"method": "etkf", "parameters": {"forcing": guess}, "model": "ridge"},
        "three": {"method": "letkf", "parameters": {"forcing": guess}},
    }
    found = "\n".join(problems(study(analyses={n: nodes[n] for n in ("one", "two")}, emulators=learned)))
    assert "analyses.one.parameters.forcng: there is no parameter 'forcng'; did you mean 'forcing'?" in found
    assert "analyses.two.parameters.forcing: a learned model has no parameters to estimate" in found
    (found,) = problems(study(analyses={"three": nodes["three"]}))
    assert "a localized method cannot estimate them" in found


def test_a_problem_of_the_common_part_is_told_once():
    config = study(observations={"error_std": 0}, scenarios={"one": {}, "two": {"seed": 2}})
    assert len(problems(config)) == 1


def test_a_problem_of_a_scenario_is_told_with_its_name():
    (found,) = problems(study(scenarios={"good": {}, "noisy": {"observations": {"error_std": 0}}}))
    assert found.startswith("scenarios.noisy.observations.error_std: ")


def test_a_scenario_overrides_merges_replaces_and_removes():
    config = study(
        scenarios={
            "other": {
                "observations": {"error_std": 2.0},
                "analyses": {"etkf": {"method": "enkf", "members": 10}, "blue": None},
            }
        }
    )
    scenario = resolve(config).scenarios["other"]
    assert scenario.observations.error_std == 2.0
    assert scenario.observations.network.count == 20
    assert scenario.analyses["etkf"].method == "enkf"
    assert "blue" not in scenario.analyses


def test_what_is_not_a_mapping_is_one_clear_problem():
    (found,) = problems(["etkf"])
    assert "a study file is a mapping" in found


def test_a_missing_or_broken_file_is_a_clear_error(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        load(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("study: [unclosed")
    with pytest.raises(FileError, match="not YAML"):
        load(broken)


def test_yaml_tags_that_would_run_code_are_refused(tmp_path):
    evil = tmp_path / "evil.yaml"
    evil.write_text("study: !!python/object/apply:os.system ['true']")
    with pytest.raises(FileError, match="not YAML"):
        load(evil)


def sweep(**changes):
    return {"analysis": {"method": "etkf"}, "over": {"inflation": [1.0, 1.02]}, **changes}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (sweep(model="rigde"), "sweeps.s.model: there is no model, emulator or loop 'rigde'; did you mean 'ridge'?"),
        (sweep(over={"inflaton": [1.0]}), "sweeps.s.over.inflaton: there is no setting 'inflaton'; did you mean"),
        (sweep(over={"members": [20, 1]}), "sweeps.s.over.members: "),
        (sweep(over={"members": []}), "sweeps.s.over.members: needs a value or more"),
        (sweep(truth_model="lorenz69"), "sweeps.s.truth_model: there is no model 'lorenz69'; did you mean 'lorenz96'?"),
        (sweep(by=["members"]), "by: members is not under `over`"),
        (sweep(burn_in=10, steps=10), "burn_in (10) must be shorter than steps (10)"),
        (sweep(analysis={"method": "etkf", "tune": {"inflation": [1.0]}}), "sweeps.s.analysis.tune: "),
    ],
)
def test_a_sweep_that_cannot_run_is_refused(node, message):
    assert any(message in problem for problem in problems(study(sweeps={"s": node})))


def test_a_sweep_cannot_use_observations_that_are_brought():
    found = problems(study(sweeps={"s": sweep()}, data={"observations": "data/mine.nc"}))
    assert any("it cannot be used with `data`" in problem for problem in found)


def test_a_study_of_nothing_is_refused():
    assert any("name one analysis or more" in problem for problem in problems({"study": "empty"}))
