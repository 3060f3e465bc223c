"""Every verb works by hand: help at once, clear errors, the chain from nothing to a figure."""

import subprocess
import sys

import pytest
import xarray as xr
from click.testing import CliRunner

from assimilearn import store
from assimilearn.cli import VERBS, group
from assimilearn.errors import AssimilearnError
from assimilearn.verification import Row, write_scorecard


def run(*arguments):
    """Run a verb in this process; raise what it raises."""
    result = CliRunner().invoke(group, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    assert "Usage:" in run(verb, "--help")


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['assimilearn', '--help']\n"
        "from assimilearn.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'xarray', 'numba', 'torch', 'sklearn', 'matplotlib', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("verb", ["climate", "simulate", "observe", "assimilate", "score-analysis"])
def test_a_verb_without_learning_imports_no_learning(verb):
    code = (
        "import sys, importlib\n"
        f"importlib.import_module('assimilearn.cli.{verb.replace('-', '_')}')\n"
        "heavy = {'torch', 'sklearn', 'distributed', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Files of a small chain, made by hand with the verbs."""
    folder = tmp_path_factory.mktemp("chain")
    model = '{"method": "lorenz96", "size": 12}'
    periods = '{"spinup": 10, "train": 60, "gap": 5, "validation": 30, "test": 60}'
    climate = '{"duration": 100, "lyapunov_duration": 5}'
    network = '{"network": {"method": "every", "stride": 2}}'
    run("climate", folder / "model.nc", "--model", model, "--settings", climate)
    run("simulate", folder / "model.nc", folder / "truth.nc", "--periods", periods)
    run("observe", folder / "truth.nc", folder / "observations.nc", "--settings", network)
    forecast = ["--model", folder / "model.nc", "--climate", folder / "model.nc"]
    run("assimilate", folder / "observations.nc", folder / "etkf.nc", *forecast, "--label", "hand/made/etkf")
    return folder


def test_the_chain_works_by_hand_to_scores_and_a_figure(chain):
    observed = ["--observations", chain / "observations.nc", "--truth", chain / "truth.nc"]
    run("score-analysis", chain / "etkf.nc", chain / "scores.nc", *observed)
    scores = store.read(chain / "scores.nc")
    assert float(scores["mean"].sel(score="rmse")) < 3.6
    files = [chain / "truth.nc", chain / "observations.nc", chain / "model.nc", chain / "etkf.nc"]
    run("figure", "hovmoller", chain / "hovmoller.pdf", *files)
    for suffix in (".pdf", ".svg", ".png"):
        assert (chain / "hovmoller").with_suffix(suffix).stat().st_size > 1000


def test_a_sweep_by_hand_gives_rows_and_a_figure(chain, tmp_path):
    model = chain / "model.nc"
    files = ["--model", model, "--truth-model", model, "--climate", model, "--label", "hand/made/etkf"]
    settings = (
        '{"analysis": {"method": "etkf"}, "over": {"members": [8, 12]}, "by": ["members"], '
        '"realizations": 2, "steps": 60, "burn_in": 20}'
    )
    network = '{"network": {"method": "all"}}'
    run("sweep", tmp_path / "etkf.nc", *files, "--settings", settings, "--observations", network, "--workers", 2)
    claims = '{"made/etkf/members=12/rmse": {"published": 0.2, "source": "a paper"}}'
    run("scorecard", tmp_path / "scorecard.csv", tmp_path / "etkf.nc", "--claims", claims)
    assert "made/etkf/members=12/rmse," in (tmp_path / "scorecard.csv").read_text()
    run("figure", "rmse_against_members", tmp_path / "curve.pdf", tmp_path / "etkf.nc", "--claims", claims)
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_a_figure_of_a_study_is_drawn_from_its_scorecard(tmp_path):
    rows = [Row(f"{scenario}/etkf/rmse", value) for scenario, value in (("few", 0.4), ("many", 0.2))]
    write_scorecard(rows, tmp_path / "scorecard.csv")
    varied = '{"observations.network.count": {"few": 10, "many": 40}}'
    run("figure", "sensitivity", tmp_path / "figure.pdf", tmp_path / "scorecard.csv", "--variations", varied)
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_the_first_realization_of_a_sweep_is_the_twin_of_the_chain(chain):
    from assimilearn.assimilation.twin import TwinSettings
    from assimilearn.models import open_model
    from assimilearn.models.truth import TruthSettings
    from assimilearn.observations.observe import ObservationSettings
    from assimilearn.study.twins import twins

    model = open_model(store.read(chain / "model.nc"))
    observing = ObservationSettings.model_validate({"network": {"method": "every", "stride": 2}})
    (twin,) = twins(model, TwinSettings(steps=50, burn_in=1), TruthSettings(), observing, seed=0, realizations=1)
    assert (twin.truth["state"].values == store.read(chain / "truth.nc")["state"].values[:50]).all()
    assert (twin.observations["value"].values == store.read(chain / "observations.nc")["value"].values[:50]).all()


def test_files_say_where_they_come_from(chain):
    attributes = store.read(chain / "etkf.nc").attrs
    assert (attributes["study"], attributes["scenario"], attributes["node"]) == ("hand", "made", "etkf")
    assert attributes["kind"] == "analyses"
    assert store.digest(chain / "observations.nc") in attributes["inputs"]
    assert '"method":"etkf"' in attributes["settings"]


def test_a_large_run_is_streamed_to_the_same_file(chain, tmp_path, monkeypatch):
    made = {}
    for way in (False, True):
        monkeypatch.setattr(sys.modules["assimilearn.cli.assimilate"], "is_streamed", lambda *_, way=way: way)
        files = chain / "observations.nc", tmp_path / str(way) / "etkf.nc"
        run("assimilate", *files, "--model", chain / "model.nc", "--climate", chain / "model.nc", "--seed", 3)
        made[way] = store.read(files[1])
    xr.testing.assert_identical(made[True], made[False])


def test_settings_may_come_from_a_yaml_file(chain, tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("method: etkf\nmembers: 7\n")
    model = ["--model", chain / "model.nc", "--climate", chain / "model.nc"]
    run("assimilate", chain / "observations.nc", tmp_path / "out.nc", *model, "--settings", settings)
    assert '"members":7' in store.read(tmp_path / "out.nc").attrs["settings"]


def test_bad_settings_are_one_clear_error_and_leave_no_file(chain, tmp_path):
    model = ["--model", str(chain / "model.nc"), "--climate", str(chain / "model.nc")]
    arguments = ["assimilate", str(chain / "observations.nc"), str(tmp_path / "out.nc"), *model]
    result = CliRunner().invoke(group, [*arguments, "--settings", '{"method": "etkf", "members": 1, "typo": 2}'])
    assert isinstance(result.exception, AssimilearnError)
    assert "members" in str(result.exception)
    assert "typo" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_told_without_a_traceback_to_a_person(chain, tmp_path):
    result = CliRunner().invoke(group, ["observe", str(tmp_path / "none.nc"), str(tmp_path / "out.nc")])
    assert "no such file" in str(result.exception)
