"""Studies with parts of the user's own: they are checked, planned, and rerun where a plug-in is edited."""

import json

import pytest
import yaml
from click.testing import CliRunner

from assimilearn import store
from assimilearn.cli import group
from assimilearn.registry import registry, use
from assimilearn.study.plan import Plan
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.reference import reference
from assimilearn.study.scenarios import load

PARTS = """
from assimilearn.plugins import model

@model("pond", fields={"height": (3, 4), "flow": (3, 4)}, spacing=1.0, periodic=True, time_step=0.1)
def pond(fields, *, damping: float = 0.1):
    height, flow = fields["height"], fields["flow"]
    return {"height": height - 0.1 * flow, "flow": (1 - damping) * flow + 0.1 * height}
"""
OTHER = PARTS.replace('"pond"', '"lake"')
STUDY = {
    "study": "mine",
    "plugins": ["my_parts.py", "others.py"],
    "models": {"pond": {"method": "pond", "damping": 0.2}, "ring": {"method": "lorenz96", "size": 24}},
    "climate": {"duration": 40, "spinup": 1, "segment": 20, "lyapunov_duration": 1, "lyapunov_count": 1},
    "analyses": {"blue": {"method": "blue", "model": "pond"}, "ring": {"method": "etkf", "model": "ring"}},
}


@pytest.fixture(autouse=True)
def registry_of_the_package():
    before = registry()
    yield
    use(before)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a study and its plug-ins, from which everything is run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_parts.py").write_text(PARTS)
    (tmp_path / "others.py").write_text(OTHER)
    written(tmp_path)
    return tmp_path


def written(folder, **changes):
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY | changes, sort_keys=False))
    return path


def problems(folder, **changes):
    with pytest.raises(ConfigurationError) as error:
        load(written(folder, **changes))
    return error.value.problems


def run(*arguments):
    result = CliRunner().invoke(group, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_check_lists_the_settings_of_plugins(folder):
    assert "model pond (my_parts.py, line 4): damping: number = 0.1" in run("check", folder / "study.yaml")


def test_settings_of_a_plugin_are_validated_where_they_stand(folder):
    models = {"pond": {"method": "pond", "dampin": 0.2}, "lake": {"method": "lake", "damping": "strong"}}
    assert problems(folder, models=models) == [
        "models.pond.dampin: there is no setting 'dampin'; did you mean 'damping'? Allowed: damping, method (got 0.2)",
        "models.lake.damping: expected number (got 'strong')",
        "analyses.ring.model: there is no model, emulator or loop 'ring'. Allowed: lake, pond",
    ]


def test_a_part_without_its_plugin_is_an_unknown_method(folder):
    found = problems(folder, plugins=["my_parts.py"], models={"lake": {"method": "lake"}}, analyses={})
    (told,) = (problem for problem in found if problem.startswith("models.lake.method: there is no method 'lake'. "))
    assert ", pond" in told


def test_wrong_plugins_are_problems_of_the_study(folder):
    (folder / "others.py").write_text("1 / 0\n")
    assert problems(folder) == ["plugins: others.py, line 1: ZeroDivisionError: division by zero"]
    assert problems(folder, plugins=["nowhere.py"])[0].startswith("plugins: there is no plug-in nowhere.py in ")
    assert "plugins: expected list of string (got 'my_parts.py')" in problems(folder, plugins="my_parts.py")


def test_a_step_that_does_not_fit_is_a_problem_of_the_study(folder):
    (folder / "my_parts.py").write_text(PARTS.replace("height - 0.1 * flow", "height[..., 1:]"))
    (problem,) = problems(folder)
    assert problem.startswith("models.pond: my_parts.py, line 4: the model 'pond' returns 'height' of the shape ")


def test_scenarios_change_settings_of_plugins_but_name_no_plugins(folder):
    scenarios = {"a": {"models": {"pond": {"damping": 0.4}}}}
    plan = Plan(load(written(folder, scenarios=scenarios)))
    assert json.loads(plan.scenarios["a"].model_settings("pond"))["damping"] == 0.4
    assert problems(folder, scenarios={"a": {"plugins": ["x.py"]}})[0].startswith("scenarios.a.plugins: ")


def test_editing_a_plugin_changes_the_code_of_what_uses_it_and_of_nothing_else(folder):
    def digests():
        plan = Plan(load(folder / "study.yaml")).scenarios["base"]
        return [plan.analysis_code(name).digest("assimilate") for name in ("blue", "ring")]

    pond, ring = digests()
    (folder / "my_parts.py").write_text(PARTS.replace("0.1 * height", "0.3 * height"))
    assert digests()[0] != pond and digests()[1] == ring
    (folder / "my_parts.py").write_text(PARTS + "# a comment\n")
    (folder / "others.py").write_text(OTHER.replace("0.1 * height", "0.3 * height"))
    assert digests() == [pond, ring]


def test_editing_what_a_plugin_imports_from_beside_it_changes_its_code(folder):
    def digest():
        return Plan(load(folder / "study.yaml")).scenarios["base"].analysis_code("blue").digest("assimilate")

    (folder / "my_parts.py").write_text(PARTS.replace("\nfrom", "from my_rates import RATE\nfrom", 1))
    (folder / "my_rates.py").write_text("RATE = 0.1\n")
    before = digest()
    (folder / "my_rates.py").write_text("RATE = 0.2\n")
    assert digest() != before


def test_verbs_are_handed_the_plugins_that_they_use_and_no_others(folder):
    plan = Plan(load(folder / "study.yaml")).scenarios["base"]
    assert plan.analysis_code("blue").options == ["--plugin", "my_parts.py"]
    assert plan.analysis_code("ring").options == []


def test_the_kept_study_finds_its_plugins_from_the_folder_of_its_results(folder):
    plan = Plan(load(folder / "study.yaml"))
    kept = plan.portable(STUDY, folder)
    assert kept["plugins"] == ["../../my_parts.py", "../../others.py"]
    (folder / "results" / "mine").mkdir(parents=True)
    (folder / "results" / "mine" / "study.json").write_text(json.dumps(kept))
    again = Plan(load(folder / "results" / "mine" / "study.json"))
    assert again.scenarios["base"].analysis_code("blue") == plan.scenarios["base"].analysis_code("blue")


def test_the_reference_knows_the_settings_of_plugins_of_a_study(folder):
    load(folder / "study.yaml")
    assert "## PondSettings (`method: pond`)" in reference()


def test_verbs_make_files_with_a_model_of_a_plugin_and_say_which_one_it_was(folder):
    climate, pond = json.dumps(STUDY["climate"]), json.dumps(STUDY["models"]["pond"])
    run("climate", "pond.nc", "--model", pond, "--settings", climate, "--plugin", "my_parts.py")
    assert store.read("pond.nc").attrs["plugin"] == "my_parts.py"
    run("simulate", "pond.nc", "truth.nc", "--plugin", "my_parts.py")
    message = "the model 'pond' comes from the plug-in my_parts.py, which is not loaded"
    with pytest.raises(Exception, match=message):
        run("simulate", "pond.nc", "truth.nc")
