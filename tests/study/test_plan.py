"""The plan names every file of a study and what each is made from."""

import copy
import json

import pytest

from assimilearn.study.plan import Plan
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.scenarios import merge, resolve

STUDY = {
    "study": "example",
    "analyses": {
        "blue": {"method": "blue"},
        "etkf": {"method": "etkf"},
        "etkf-ridge": {"method": "etkf", "model": "ridge"},
    },
    "emulators": {
        "ridge": {"method": "ridge", "trained_on": "etkf", "tune": {"grid": {"alpha": [1, 2]}}},
        "ridge-blue": {"method": "ridge", "trained_on": "blue"},
    },
}


def plan_of(**changes):
    return Plan(resolve(merge(copy.deepcopy(STUDY), changes)))


def base(**changes):
    return plan_of(**changes).scenarios["base"]


def test_paths_are_short_and_guessable():
    scenario = base()
    assert scenario.analysis("etkf") == "results/example/base/analyses/etkf.nc"
    assert scenario.model_of("etkf") == "results/example/base/models/lorenz96.nc"
    assert scenario.model_of("etkf-ridge") == "results/example/base/emulators/ridge.nc"
    assert scenario.trained_on("ridge-blue") == "results/example/base/analyses/blue.nc"


def test_a_tuned_emulator_needs_its_search_and_another_does_not():
    scenario = base()
    assert scenario.tuning("ridge") == ["results/example/base/tuning/ridge.nc"]
    assert scenario.tuning("ridge-blue") == []


def test_the_physical_model_forecasts_from_the_analysis_that_most_emulators_learned_from():
    scenario = base(emulators={"mlp": {"method": "mlp", "trained_on": "blue"}})
    assert scenario.forecast_start("lorenz96") == scenario.analysis("blue")


def test_a_study_whose_scenarios_vary_a_number_has_a_figure_of_it_and_another_has_none():
    varied = plan_of(scenarios={"one": {}, "two": {"seed": 2}, "noisy": {"observations": {"error_std": 2}}})
    assert varied.figures == ["results/example/figures/sensitivity.pdf"]
    assert varied.figures[0] in varied.targets
    assert json.loads(varied.variations) == {"observations.error_std": {"one": 1.0, "two": 1.0, "noisy": 2.0}}
    assert plan_of(scenarios={"one": {}, "two": {"seed": 2}}).figures == []
    assert "sensitivity" not in varied.scenarios["one"].figure_names


def test_a_study_that_names_published_numbers_has_a_figure_of_them():
    claims = {"base/etkf/rmse": {"published": 0.2, "source": "a paper"}}
    assert plan_of(claims=claims).figures == ["results/example/figures/published.pdf"]
    assert plan_of().figures == []


def test_settings_are_canonical_and_hold_nothing_of_the_plan():
    text = base().analysis_settings("etkf-ridge")
    assert "model" not in json.loads(text)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert not {"trained_on", "tune"} & json.loads(base().emulator_settings("ridge")).keys()


def test_settings_of_one_node_do_not_depend_on_another():
    before, after = base(), base(emulators={"ridge-blue": {"alpha": 7.0}})
    assert before.emulator_settings("ridge") == after.emulator_settings("ridge")
    assert before.emulator_settings("ridge-blue") != after.emulator_settings("ridge-blue")


def test_without_a_truth_nothing_asks_for_it():
    models = {"lorenz96": {"method": "lorenz96", "size": 12}}
    scenario = base(models=models, data={"observations": "data/mine.nc"})
    assert scenario.truth == []
    assert scenario.truth_option == []
    asked = [path for name in scenario.figure_names for path in scenario.figure_inputs(name)]
    assert not any(path.endswith("truth.nc") for path in asked)


def test_what_trains_tunes_and_assimilates_never_reads_the_truth():
    """No truth anywhere in learning: the files that these rules read come from the observations alone."""
    scenario = base()
    read = [
        *(scenario.trained_on(name) for name in scenario.settings.emulators),
        *(path for name in scenario.settings.emulators for path in scenario.tuning(name)),
        *(scenario.model_of(name) for name in scenario.settings.analyses),
        scenario.observations,
    ]
    assert not any(path.endswith("truth.nc") for path in read)


def test_every_scenario_has_its_own_folder_and_one_scorecard_reads_all():
    plan = plan_of(scenarios={"one": {}, "two": {"seed": 2}})
    assert plan.scenarios["two"].root == "results/example/two"
    assert any("/one/" in path for path in plan.scorecard_inputs)
    assert any("/two/" in path for path in plan.scorecard_inputs)
    assert "results/example/scorecard.csv" in plan.targets


SWEEPS = {
    "etkf": {
        "analysis": {"method": "etkf"},
        "over": {"members": [10, 20], "inflation": [1.0, 1.02]},
        "by": ["members"],
        "realizations": 3,
    },
    "blue": {"analysis": {"method": "blue"}, "realizations": 1},
}


def test_a_study_may_consist_of_sweeps_alone_and_then_makes_no_observations():
    plan = Plan(resolve({"study": "example", "sweeps": SWEEPS}))
    scenario = plan.scenarios["base"]
    assert scenario.files("sweeps") == ["results/example/base/sweeps/etkf.nc", "results/example/base/sweeps/blue.nc"]
    assert plan.scorecard_inputs == ["results/example/base/models/lorenz96.nc", *scenario.files("sweeps")]
    assert scenario.figure_names == ["rmse_against_members", "rmse_against_settings"]
    assert scenario.figure_inputs("rmse_against_settings") == scenario.files("sweeps")[:1]
    assert scenario.figure_inputs("rmse_against_members") == scenario.files("sweeps")


def test_a_sweep_can_use_a_thread_for_each_experiment_up_to_eight():
    scenario = base(sweeps=SWEEPS)
    assert scenario.sweep_threads("etkf") == 8
    assert scenario.sweep_threads("blue") == 1


def test_a_sweep_with_a_learned_model_needs_its_file_and_not_its_name():
    scenario = base(sweeps={"etkf": {**SWEEPS["etkf"], "model": "ridge"}})
    assert scenario.swept_model("etkf") == "results/example/base/emulators/ridge.nc"
    assert "model" not in json.loads(scenario.sweep_settings("etkf"))


def test_a_sweep_elsewhere_has_its_own_truth_and_observations():
    models = {"lorenz96": {"method": "lorenz96"}, "larger": {"method": "lorenz96", "size": 80}}
    elsewhere = {"model": "larger", "truth_model": "larger", "observations": {"error_std": 0.5}}
    scenario = base(models=models, sweeps={"blue": SWEEPS["blue"], "other": SWEEPS["blue"] | elsewhere})
    assert scenario.swept_truth("other") == scenario.swept_model("other") == "results/example/base/models/larger.nc"
    assert scenario.swept_truth("blue") == "results/example/base/models/lorenz96.nc"
    assert json.loads(scenario.swept_observations("other"))["error_std"] == 0.5
    assert scenario.swept_observations("blue") == scenario.part("observations")
    assert not {"truth_model", "observations"} & {*json.loads(scenario.sweep_settings("other"))}


def test_claims_are_handed_to_the_figures_that_show_them_only():
    plan = plan_of(sweeps=SWEEPS, claims={"base/blue/rmse": {"published": 0.95, "source": "it's a paper"}})
    scenario = plan.scenarios["base"]
    option = scenario.claims_option("rmse_against_members", plan.claims)
    assert option == ["--claims", plan.claims]
    assert scenario.claims_option("hovmoller", plan.claims) == []


WITHOUT_SPACE = {
    "study": "small",
    "models": {"convection": {"method": "lorenz63"}},
    "observations": {"network": {"method": "all"}},
    "analyses": {"etkf": {"method": "etkf"}},
}


def test_figures_that_do_not_suit_the_geometry_are_not_planned():
    shown = Plan(resolve(WITHOUT_SPACE)).scenarios["base"].figure_names
    assert {"hovmoller", "hovmoller_forecast"} <= {*base().figure_names}
    assert not {"hovmoller", "hovmoller_forecast"} & {*shown}
    assert {"forecast_skill", "climate"} <= {*shown}


def test_figures_that_are_asked_for_and_do_not_suit_the_geometry_are_a_problem():
    with pytest.raises(ConfigurationError, match="figures: hovmoller shows models on one axis, and this one has no sp"):
        resolve({**WITHOUT_SPACE, "figures": ["climate", "hovmoller"]})


def test_a_truth_of_another_model_is_kept_in_the_fields_of_the_first():
    study = {
        "study": "example",
        "models": {"small": {"method": "lorenz96", "size": 8}, "full": {"method": "lorenz96-two-scale"}},
        "observations": {"network": {"method": "all"}},
        "truth": {"model": "full", "fields": {"x": "slow"}},
        "analyses": {"etkf": {"method": "etkf"}},
    }
    scenario = Plan(resolve(study)).scenarios["base"]
    assert scenario.truth_model == "full" and scenario.onto_option == ["--onto", "results/example/base/models/small.nc"]
    assert json.loads(scenario.truth_settings)["fields"] == {"x": "slow"}
    with pytest.raises(ConfigurationError) as caught:
        resolve(study | {"truth": {"model": "full"}})
    message = "analyses.etkf.model: has 8 sites, the truth 264: say in `truth.fields` what is kept of it"
    assert caught.value.problems == [message]
