"""On wrong files every verb ends with status 1 and one line that says ``error``: no traceback, nothing written."""

import json
import os
import shutil
import sys
from types import SimpleNamespace

import pytest
from small_chain import NETWORK, make, run

from assimilearn import cli, store

STUDIES = ("check", "compile", "plan", "reference", "parts")
NETCDF = {
    "climate": ["OUT"],
    "simulate": ["IN", "OUT"],
    "observe": ["IN", "OUT"],
    "ingest": ["IN", "OUT", "--model", "IN"],
    "climatology": ["IN", "OUT"],
    "ingest-truth": ["IN", "OUT", "--observations", "IN", "--model", "IN"],
    "assimilate": ["IN", "OUT", "--model", "IN", "--climate", "IN"],
    "sweep": ["OUT", "--model", "IN", "--truth-model", "IN", "--climate", "IN"],
    "train-assimilator": ["IN", "OUT", "--model", "IN", "--climate", "IN"],
    "explain-model": ["IN", "OUT", "--analysis", "IN", "--climate", "IN"],
    "tune": ["IN", "OUT"],
    "tune-analysis": ["IN", "OUT", "--climate", "IN", "--model", "IN"],
    "train": ["IN", "OUT"],
    "train-classifier": ["IN", "OUT"],
    "score-classifier": ["IN", "OUT", "--analysis", "IN"],
    "measure-cost": ["IN", "OUT", "--analysis", "IN"],
    "learn-again": ["IN", "OUT", "--observations", "IN", "--cycle", "1"],
    "assimilate-again": ["IN", "OUT", "--emulator", "IN", "--previous", "IN", "--cycle", "1"],
    "best-cycle": ["OUT", "OUT", "IN"],
    "score-analysis": ["IN", "OUT", "--observations", "IN"],
    "score-forecasts": ["IN", "OUT", "--analysis", "IN", "--observations", "IN", "--climate", "IN"],
}
OTHER = {
    "figure": (["hovmoller", "OUT", "IN"], "out.pdf"),
    "scorecard": (["OUT", "IN"], "out.csv"),
    "explain": (["IN", "IN", "--time", "1"], ""),
    "table": (["IN"], ""),
    "best": (["IN"], ""),
}
READING = {verb: (words, "out.nc") for verb, words in NETCDF.items() if verb != "climate"} | OTHER
READING |= {verb: (["IN"], "") for verb in STUDIES}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    return make(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def wrong(tmp_path_factory, chain):
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "text").write_text("time,site\n0,1\n")
    (folder / "binary").write_bytes(bytes(range(256)) * 20)
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    (folder / "cut").write_bytes(chain["observations"].read_bytes()[:5000])
    shutil.copy(chain["tuning"], folder / "another kind")  # `best` and `scorecard` take it
    return {path.name: path for path in folder.iterdir()} | {"missing": folder / "missing"}


@pytest.fixture
def told(monkeypatch, capsys):
    """The error of the command line in the words of the terminal."""

    def of(*words):
        monkeypatch.setattr(sys, "argv", ["assimilearn", *map(str, words)])
        monkeypatch.delenv(cli.DEBUG, raising=False)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = [line for line in capsys.readouterr().err.splitlines() if "processor time" not in line]
        assert ended.value.code == 1, (words, said)
        assert said and said[0].startswith("error: ") and "unexpected" not in said[0], (words, said)
        return said

    return of


def test_every_verb_is_here():
    assert {*READING, "climate"} == set(cli.VERBS)


@pytest.mark.parametrize("verb", READING)
@pytest.mark.parametrize("kind", ["text", "binary", "empty", "folder", "cut", "another kind", "missing"])
def test_every_verb_says_one_line_on_a_wrong_file(told, wrong, chain, tmp_path, verb, kind):
    words, name = READING[verb]
    output = tmp_path / "new" / name
    if verb in ("best", "scorecard") and kind == "another kind":
        wrong = wrong | {kind: chain["observations"]}
    said = told(verb, *[{"IN": wrong[kind], "OUT": output}.get(word, word) for word in words])
    assert len(said) == 1 or verb in STUDIES, said
    about_content = kind in ("text", "empty") if verb in STUDIES else (verb, kind) == ("figure", "another kind")
    assert str(wrong[kind]) in said[0] or about_content, said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", [*NETCDF, "scorecard", "figure"])
def test_an_output_of_another_ending_is_refused_before_anything_is_read(told, tmp_path, verb):
    words = NETCDF[verb] if verb in NETCDF else OTHER[verb][0]
    output = tmp_path / "out.txt"
    (said,) = told(verb, *[{"IN": tmp_path / "none", "OUT": output}.get(word, word) for word in words])
    assert said.startswith(f"error: {output}: the name of what is written here ends in .")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", [*NETCDF, "scorecard", "figure"])
def test_a_folder_that_may_not_be_written_to_is_refused_before_anything_is_read(told, tmp_path, verb, monkeypatch):
    words, name = READING.get(verb, (NETCDF.get(verb), "out.nc"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    output = tmp_path / name
    (said,) = told(verb, *[{"IN": tmp_path / "none", "OUT": output}.get(word, word) for word in words])
    assert said.startswith(f"error: {output}: cannot be written: the folder") and list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_a_verb_with_one_line(told, chain, tmp_path, monkeypatch):
    def full(file, dataset):
        raise RuntimeError("NetCDF: HDF error")  # as the library does

    monkeypatch.setattr(store, "_write_contents", full)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    (said,) = told("observe", chain["truth"], tmp_path / "out.nc", "--settings", NETWORK)
    assert said.startswith(f"error: {tmp_path / 'out.nc'}: no space left: 0 MB are free")
    assert list(tmp_path.iterdir()) == []


def test_the_best_cycle_of_what_is_no_loop_is_refused(told, chain, tmp_path):
    (tmp_path / "1").mkdir()
    shutil.copy(chain["analyses"], tmp_path / "1" / "analysis.nc")
    (said,) = told("best-cycle", tmp_path / "a.nc", tmp_path / "e.nc", tmp_path / "1")
    assert str(tmp_path / "1" / "analysis.nc") in said and "not made in a cycle of a loop" in said
    last = store.read(chain["analyses"]).assign_attrs(innovation_scores="[2.0, 1.0]")
    store.write(last, tmp_path / "1" / "analysis.nc")
    (said,) = told("best-cycle", tmp_path / "a.nc", tmp_path / "e.nc", tmp_path / "1")
    assert "the best cycle is number 2, and 1 folders are given" in said
    (tmp_path / "2").mkdir()
    store.write(last, tmp_path / "2" / "analysis.nc")
    (said,) = told("best-cycle", tmp_path / "a.nc", tmp_path / "e.nc", tmp_path / "1", tmp_path / "2")
    assert "emulator.nc: no such file" in said
    assert not (tmp_path / "a.nc").exists() and not (tmp_path / "e.nc").exists()


def test_a_file_that_does_not_say_what_it_was_made_from_is_taken(chain, tmp_path):
    analysis = store.read(chain["analyses"])
    assert "observations" in json.loads(analysis.attrs.pop("inputs"))
    store.write(analysis, tmp_path / "analysis.nc")
    observed = ["--observations", chain["observations"], "--truth", chain["truth"]]
    run("score-analysis", tmp_path / "analysis.nc", tmp_path / "scores.nc", *observed)
    assert (tmp_path / "scores.nc").exists()
