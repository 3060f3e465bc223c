"""Texts that a file can hold, the valid part of a study, lengths that must fit, content of files, one run at a time."""

import os
import subprocess
import sys

import pytest

from assimilearn.errors import AssimilearnError, FileError
from assimilearn.study.content import content_of, refuse_absent
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.reading import DEEPEST
from assimilearn.study.running import held, one_at_a_time
from assimilearn.study.scenarios import merge, resolve
from assimilearn.study.texts import as_texts

STUDY = {
    "study": "tiny",
    "models": {"lorenz96": {"method": "lorenz96", "size": 40}},
    "periods": {"spinup": 5, "train": 200, "gap": 5, "validation": 50, "test": 100},
    "forecasts": {"lead": 1.0, "free_run": 60.0},
    "analyses": {"etkf": {"method": "etkf", "members": 10}},
    "emulators": {"ridge": {"method": "ridge", "trained_on": "etkf"}},
}


def told(**changes) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        resolve(merge(STUDY, changes))
    return caught.value.problems


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_names_become_texts_and_each_that_was_none_is_told():
    problems = []
    assert as_texts({10: {None: 1}, "a": (1, 2)}, problems) == {"10": {"None": 1}, "a": [1, 2]}
    assert [problem.path for problem in problems] == ["10", "10.None"]


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_that_no_file_can_hold_is_told_in_letters_that_can_be_printed(text):
    (found,) = told(models={"lorenz96": {"method": "lorenz96"}}, data={"observations": text})[:1]
    assert found.startswith("data.observations: no file can hold one of its characters")
    found.encode()


def test_numbers_without_end_and_values_of_other_types_are_told():
    assert any(line.startswith("seed: ") for line in told(seed=10**400))
    assert any("expected a text or a number, not a bytes" in line for line in told(seed=b"1"))


def test_what_is_nested_too_deeply_is_told_and_not_followed():
    deep: list = []
    for _ in range(DEEPEST + 2):
        deep = [deep]
    assert any("nested too deeply" in line for line in told(figures=deep))


# ---- the valid part --------------------------------------------------------------------------------------------------


def test_a_bad_number_hides_no_unknown_name():
    found = "\n".join(
        told(
            analyses={"etkf": {"members": -1, "model": "lorenz69"}},
            emulators={"ridge": {"trained_on": "etkff", "alpha": -1}},
            truth={"model": "nature"},
        )
    )
    for place in (
        "analyses.etkf.members: ",
        "analyses.etkf.model: there is no model",
        "emulators.ridge.alpha: ",
        "emulators.ridge.trained_on: there is no analysis",
        "truth.model: there is no model",
    ):
        assert place in found


def test_nothing_is_said_of_what_stands_in_for_a_bad_node():
    (found,) = told(analyses={"etkf": {"method": "etfk"}})
    assert found.startswith("analyses.etkf.method: there is no method 'etfk'; did you mean 'etkf'?")
    (found,) = told(models={"lorenz96": {"size": "many"}})
    assert found.startswith("models.lorenz96.size: ")


# ---- lengths ---------------------------------------------------------------------------------------------------------


def tuned(**search):
    return {"ridge": {"tune": {"folds": 4, "gap": 5, "grid": {"alpha": [1.0, 10.0]}} | search}}


MANY = {"analysis": {"method": "etkf"}, "realizations": 10**5, "over": {"inflation": [1.0] * 101}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"emulators": tuned(folds=100, lead=10)}, "emulators.ridge.tune.lead: forecasts of 10 steps do not fit"),
        ({"emulators": tuned(folds=201)}, "emulators.ridge.tune.folds: more held-out blocks than training"),
        ({"emulators": tuned(gap=200)}, "emulators.ridge.tune.gap: so many times left out"),
        ({"periods": {"validation": 1}}, "periods.validation: emulators.ridge needs 2 successive times"),
        ({"periods": {"train": 1}}, "periods.train: emulators.ridge needs 2 successive times"),
        ({"forecasts": {"free_run": 49.0}}, "forecasts.free_run: shorter than a segment"),
        ({"climate": {"lyapunov_count": 41}}, "climate.lyapunov_count: more exponents than the model"),
        ({"climate": {"segment": 0.06}}, "climate.segment: must be two time steps of the model"),
        ({"emulators": {"ridge": {"radius": 20}}}, "emulators.ridge.radius: a stencil of 41 sites on a ring of 40"),
        ({"observations": {"error_std": 1e-170}}, "observations.error_std: its square cannot be held"),
        ({"observations": {"assumed_error_std": 1e200}}, "observations.assumed_error_std: its square cannot be held"),
        ({"periods": {"train": 10**13}}, "periods: would take"),
        ({"analyses": {"etkf": {"members": 10**12}}}, "analyses.etkf.members: would take"),
        ({"climate": {"duration": 1e12}}, "climate.duration: would take"),
        ({"sweeps": {"s": MANY}}, "sweeps.s.over: makes 10,100,000 combinations"),
    ],
)  # fmt: skip
def test_lengths_that_do_not_fit_each_other_are_found_before_a_run(changes, problem):
    found = told(**changes)
    assert any(line.startswith(problem) for line in found), found


@pytest.mark.parametrize(
    "changes",
    [
        {"emulators": tuned(folds=100, lead=1, gap=0)},
        {"emulators": {"ridge": {"radius": 19, "degree": 1}}},
        {"periods": {"validation": 2}},
        {"forecasts": {"free_run": 50.0}},
        {"forecasts": {"free_run": 0.0}},
        {"climate": {"lyapunov_count": 40}},
        {"observations": {"network": {"method": "every", "offset": 39}}},
    ],
)
def test_the_shortest_that_fit_are_taken(changes):
    assert resolve(merge(STUDY, changes))


# ---- content ---------------------------------------------------------------------------------------------------------


def test_content_is_told_apart_by_bytes_and_not_by_time(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.write_text("a")
    os.utime(other, (0, 0))
    assert content_of(one) == content_of(other)
    third = tmp_path / "third"
    third.write_text("b")
    assert content_of(third) != content_of(one)


def test_all_absent_files_are_told_at_once(tmp_path):
    there = tmp_path / "there"
    there.touch()
    with pytest.raises(FileError) as caught:
        refuse_absent([tmp_path / "a b", there, tmp_path])
    assert str(caught.value) == f"{tmp_path}/a b: no such file\n{tmp_path}: no such file"


# ---- one run at a time -----------------------------------------------------------------------------------------------

CLAIM = """
import sys, time
from assimilearn.study.running import one_at_a_time
one_at_a_time(sys.argv[1])
print("mine", flush=True)
time.sleep(60)
"""


def test_a_second_run_is_refused_until_the_first_ends_also_by_a_kill(tmp_path):
    folder = tmp_path / "it's a study"
    first = subprocess.Popen([sys.executable, "-c", CLAIM, str(folder)], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    try:
        assert first.stdout.readline() == "mine\n"
        with pytest.raises(AssimilearnError, match="another run of this study is at work"):
            one_at_a_time(folder)
        one_at_a_time(tmp_path / "another study")
    finally:
        first.kill()
        first.wait()
        first.stdout.close()
    one_at_a_time(folder)
    for file in held[-2:]:
        os.close(file)
    del held[-2:]
