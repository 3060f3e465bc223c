"""Loops in a study file: their files, what each is made from, and what is wrong with a bad one."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from assimilearn.study.plan import Plan
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.scenarios import merge, resolve

ROOT = Path(__file__).parents[2]
STUDY = {
    "study": "example",
    "analyses": {"interpolation": {"method": "interpolation"}, "etkf": {"method": "etkf"}},
    "emulators": {"cnn": {"method": "cnn", "trained_on": "windows", "lead": 4}},
    "loops": {
        "paper": {
            "start": "interpolation",
            "cycles": 3,
            "emulator": {"method": "cnn", "epochs": 20},
            "first": {"lead": 4},
            "analysis": {"method": "enkf-n", "model_error": 0.22},
        },
        "windows": {
            "start": "interpolation",
            "cycles": 1,
            "emulator": {"method": "windows"},
            "analysis": {"method": "etkf", "tune": {"inflation": [1.01, 1.03]}},
        },
    },
}
FOLDER = "results/example/base"


def base(**changes):
    return Plan(resolve(merge(copy.deepcopy(STUDY), changes))).scenarios["base"]


def problems(**changes):
    with pytest.raises(ConfigurationError) as caught:
        base(**changes)
    return str(caught.value)


def test_each_cycle_learns_from_the_analysis_of_the_cycle_before_and_goes_on_from_its_emulator():
    plan = base()
    assert plan.analysis_before("paper", 1) == f"{FOLDER}/analyses/interpolation.nc"
    assert plan.emulator_before("paper", 1) == []
    assert plan.analysis_before("paper", 3) == f"{FOLDER}/loops/paper/2/analysis.nc"
    assert plan.emulator_before("paper", 3) == [f"{FOLDER}/loops/paper/2/emulator.nc"]


def test_more_cycles_change_nothing_of_the_cycles_before():
    few, many = base(), base(loops={"paper": {"cycles": 40}})
    assert [few.cycle_emulator_settings("paper", k) for k in (1, 2, 3)] == [
        many.cycle_emulator_settings("paper", k) for k in (1, 2, 3)
    ]
    assert many.cycle_folders("paper")[:3] == few.cycle_folders("paper")


def test_the_first_cycle_may_have_settings_of_its_own():
    leads = [json.loads(base().cycle_emulator_settings("paper", k))["lead"] for k in (1, 2, 3)]
    assert leads == [4, 1, 1]


def test_the_name_of_a_loop_is_that_of_a_model_and_of_an_analysis():
    plan = base(analyses={"blue-windows": {"method": "3dvar", "model": "windows"}})
    assert plan.model_of("blue-windows") == f"{FOLDER}/emulators/windows.nc"
    assert plan.trained_on("cnn") == f"{FOLDER}/analyses/windows.nc"
    assert plan.forecast_start("paper") == f"{FOLDER}/analyses/paper.nc"
    assert f"{FOLDER}/scores/analyses/paper.nc" in plan.scored
    assert f"{FOLDER}/scores/forecasts/windows.nc" in plan.scored


def test_the_figure_of_loops_reads_the_scores_of_every_cycle():
    assert f"{FOLDER}/scores/loops/paper/3.nc" in base().figure_inputs("loop_convergence")
    without = base(loops={"paper": None, "windows": None}, emulators={"cnn": None})
    assert "loop_convergence" not in without.figure_names


def test_only_what_is_fitted_to_observations_reads_them_when_it_is_trained():
    plan = base(emulators={"polynomial": {"method": "windows", "trained_on": "interpolation"}})
    assert plan.training_inputs("polynomial")["observations"] == f"{FOLDER}/observations.nc"
    assert "observations" not in plan.training_inputs("cnn")


def test_all_that_is_wrong_with_loops_is_told():
    text = problems(
        analyses={"paper": {"method": "blue"}},
        loops={
            "paper": {"start": "interpolatio", "first": {"leed": 4, "epochs": 0}},
            "windows": {"analysis": {"tune": {"inflation": [0.5]}}},
        },
    )
    assert "loops.paper: the same name stands under `analyses`" in text
    assert "loops.paper.start: there is no analysis 'interpolatio'; did you mean 'interpolation'?" in text
    assert "loops.paper.first.leed: there is no setting 'leed'; did you mean 'lead'?" in text
    assert "loops.paper.first.epochs: input should be greater than or equal to 1 (got 0)" in text
    assert "loops.windows.analysis.tune.inflation: input should be greater than or equal to 1 (got 0.5)" in text


def test_a_loop_that_starts_from_what_it_makes_is_refused():
    text = problems(
        analyses={"again": {"method": "etkf", "model": "paper"}},
        loops={"paper": {"start": "again"}},
    )
    assert "needs itself" in text and "loops.paper" in text and "analyses.again" in text


def test_a_search_of_an_emulator_that_is_fitted_to_windows_is_refused():
    tuned = {"method": "windows", "trained_on": "interpolation", "tune": {"grid": {"smoothing": [0, 1]}}}
    assert "emulators.mine.tune: the method windows learns from observations: it has no search" in problems(
        emulators={"mine": tuned}
    )


def test_the_truth_is_no_input_of_any_job_that_learns_assimilates_or_chooses(tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(STUDY, sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "--configfile", str(study)]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path)], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = re.findall(r"^(?:rule|localrule) (\w+):\n    input: (.*)$", done.stdout, flags=re.MULTILINE)
    counts = {rule: sum(name == rule for name, _ in jobs) for rule in ("learn_again", "assimilate_again", "best_cycle")}
    assert counts == {"learn_again": 4, "assimilate_again": 4, "best_cycle": 2}
    blind = {"assimilate", "train", *counts}
    assert [name for name, inputs in jobs if name in blind and "truth" in inputs] == []
    assert any("truth" in inputs for name, inputs in jobs if name == "score_cycle")
