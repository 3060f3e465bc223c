"""A file that is not what a verb needs is refused in one sentence that names it, and nothing is written."""

import itertools
import os

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from small_chain import KINDS, RIDGE, make

from assimilearn import store
from assimilearn.cli import group
from assimilearn.contents import CONTENTS
from assimilearn.errors import AssimilearnError
from assimilearn.study.artifacts import ARTIFACTS

OUT = "OUT"
VERBS = {
    "simulate": (["{model}", OUT], "model"),
    "observe": (["{truth}", OUT], "truth"),
    "ingest": (["{brought}", OUT, "--model", "{model}"], "model", "brought"),
    "ingest-truth": (
        ["{brought}", OUT, "--observations", "{observations}", "--model", "{model}"],
        *("observations", "model", "brought"),
    ),
    "assimilate": (["{observations}", OUT, "--model", "{model}", "--climate", "{model}"], "observations", "model"),
    "sweep": ([OUT, "--model", "{model}", "--truth-model", "{model}", "--climate", "{model}"], "model"),
    "tune": (["{analyses}", OUT], "analyses"),
    "tune-analysis": (
        [
            *("{observations}", OUT, "--climate", "{model}", "--analysis", "{analyses}", "--truth", "{truth}"),
        ],
        *("observations", "model", "analyses", "truth"),
    ),
    "best": (["{tuning}"], "tuning"),
    "train": (
        [
            "{analyses}",
            OUT,
            "--settings",
            RIDGE,
            "--tuned",
            "{tuning}",
            "--observations",
            "{observations}",
            "--previous",
            "{emulators}",
        ],
        *("analyses", "tuning", "observations", "emulators"),
    ),
    "train-assimilator": (
        ["{observations}", OUT, "--model", "{model}", "--climate", "{model}", "--truth", "{truth}"],
        *("observations", "model", "truth"),
    ),
    "learn-again": (
        ["{analyses}", OUT, "--observations", "{observations}", "--previous", "{emulators}", "--cycle", "2"],
        *("analyses", "observations", "emulators"),
    ),
    "assimilate-again": (
        [
            "{observations}",
            OUT,
            "--emulator",
            "{emulators}",
            "--previous",
            "{analyses}",
            "--cycle",
            "2",
        ],
        *("observations", "emulators", "analyses"),
    ),
    "score-analysis": (
        ["{analyses}", OUT, "--observations", "{observations}", "--truth", "{truth}"],
        *("analyses", "observations", "truth"),
    ),
    "score-forecasts": (
        [
            "{emulators}",
            OUT,
            "--analysis",
            "{analyses}",
            "--observations",
            "{observations}",
            "--climate",
            "{model}",
            "--truth",
            "{truth}",
        ],
        *("emulators", "analyses", "observations", "model", "truth"),
    ),
    "explain": (["{analyses}", "{observations}", "--time", "3"], "analyses", "observations"),
    "figure": (
        ["hovmoller", OUT, "{observations}", "{analyses}", "{truth}", "{model}"],
        *("observations", "analyses", "truth", "model"),
    ),
    "scorecard": ([OUT, "{analysis_scores}", "{sweeps}"], "analysis_scores", "sweeps"),
    "table": (["{scorecard}"], "scorecard"),
}
CASES = [(verb, role) for verb, (_, *roles) in VERBS.items() for role in roles]
ENDINGS = {"figure": "out.pdf", "scorecard": "out.csv"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    make(folder)
    brought = xr.Dataset({"observations": (("time", "site"), np.ones((3, 12)))}, coords={"time": [0.0, 0.05, 0.1]})
    brought.to_netcdf(folder / "brought.nc", engine="netcdf4")
    return {kind: folder / f"{kind}.nc" for kind in (*KINDS, "brought")} | {"scorecard": folder / "scorecard.csv"}


def refusal(verb, files, folder, **others):
    """The one sentence with which a verb refuses ``others`` in the place of some files."""
    given = {role: str(path) for role, path in (files | others).items()}
    output = folder / "new" / ENDINGS.get(verb, "out.nc")
    arguments = [
        str(output)
        if text == OUT
        else text.format_map(given)
        if text[0] + text[-1] == "{}" and text[1:-1] in given
        else text
        for text in VERBS[verb][0]
    ]
    result = CliRunner().invoke(group, [verb, *arguments])
    assert isinstance(result.exception, AssimilearnError), (verb, others, result.exception, result.output)
    assert not output.parent.exists(), (verb, others)
    return str(result.exception)


@pytest.fixture(scope="module")
def wrong(files, tmp_path_factory):
    """Files that are none: path -> what the sentence says."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "text.nc").write_text("a,b\n1,2\n")
    (folder / "binary.nc").write_bytes(bytes(range(256)) * 20)
    (folder / "empty.nc").write_bytes(b"")
    (folder / "folder.nc").mkdir()
    return {
        folder / "none.nc": "no such file",
        folder / "text.nc": "cannot be read|is not a scorecard",
        folder / "binary.nc": "cannot be read|is not a scorecard",
        folder / "empty.nc": "is empty",
        folder / "folder.nc": "is a folder",
    }


@pytest.mark.parametrize(("verb", "role"), CASES)
def test_what_is_no_file_of_results_is_refused_by_name(files, wrong, tmp_path, verb, role):
    for path, message in wrong.items():
        said = refusal(verb, files, tmp_path, **{role: path})
        assert str(path) in said and "\n" not in said, said
        assert any(part in said for part in message.split("|")), said


@pytest.mark.parametrize(("verb", "role"), [case for case in CASES if case[1] not in ("brought", "scorecard")])
def test_a_file_of_another_kind_is_refused_by_its_kind(files, tmp_path, verb, role):
    allowed = {
        ("tune-analysis", "model"): {"analyses"},  # which has a climatology too
        ("score-forecasts", "emulators"): {"model"},
        ("figure", role): set(CONTENTS),
        ("scorecard", role): {"model", "analysis_scores", "forecast_scores", "sweeps", "tuning"},
    }.get((verb, role), set())
    for kind in set(KINDS) - allowed - {role}:
        said = refusal(verb, files, tmp_path, **{role: files[kind]})
        assert str(files[kind]) in said and "\n" not in said, said
        assert f"is a file of {CONTENTS[kind].title}" in said and "is needed" in said, said


@pytest.mark.parametrize(("verb", "role"), [case for case in CASES if case[1] != "scorecard"])
def test_a_file_that_was_cut_is_refused_by_name(files, tmp_path, verb, role):
    content = files[role].read_bytes()
    for part in (0.02, 0.5, 0.99):
        cut = tmp_path / "cut.nc"
        cut.write_bytes(content[: int(part * len(content))])
        said = refusal(verb, files, tmp_path, **{role: cut})
        assert str(cut) in said and "\n" not in said, said


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_kind_must_hold_is_missed(files, tmp_path, kind):
    whole, contents = store.read(files[kind]), CONTENTS[kind]
    assert store.read(files[kind], kind).identical(whole)
    spoilt = {name: whole.drop_vars(name) for name in contents.needed}
    spoilt |= {name: without(whole, name) for name in ("kind", "study", "scenario", "node")}
    spoilt |= {name: without(whole, name) for name in contents.attributes}
    for name, dims in {**contents.needed, **contents.possible}.items():
        if name in whole.variables:
            spoilt[f"{name} of other dimensions"] = whole.drop_vars(name).assign(
                {name: ((*dims, "more"), one_more(whole[name]))}
            )
    for what, dataset in spoilt.items():
        path = tmp_path / "spoilt.nc"
        store.write(dataset, path)
        with pytest.raises(AssimilearnError, match=what.split(" of ")[0]) as said:
            store.read(path, kind)
        assert str(path) in str(said.value) and "\n" not in str(said.value)


def without(dataset, attribute):
    return (
        dataset.assign_attrs({})
        .drop_attrs(deep=False)
        .assign_attrs({name: value for name, value in dataset.attrs.items() if name != attribute})
    )


def one_more(variable):
    return variable.values[..., None]


def test_every_kind_of_file_that_a_study_makes_says_what_it_holds():
    assert set(CONTENTS) == set(ARTIFACTS)


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("site_index", (5, 0), 12, "site_index is not one of the sites 0 to 11"),
        ("site_index", (5, 0), -1, "site_index is not one of the sites"),
        ("valid", (5, 0), 7, "valid is neither 0 nor 1"),
        ("error_std", (5, 0), 0.0, "error_std is not a positive"),
        ("value", (5, 0), np.inf, "value is not finite"),
        ("time", 5, np.nan, "times do not increase"),
        ("time", 5, 0.0, "times do not increase"),
        ("period", 5, 9, "a period that there is not"),
    ],
)
@pytest.mark.parametrize("verb", [verb for verb, role in CASES if role == "observations"])
def test_entries_of_observations_that_lead_elsewhere_are_refused(files, tmp_path, verb, name, index, value, message):
    dataset = store.read(files["observations"])
    values = dataset[name].values.copy()
    values[index] = value
    dataset[name] = (dataset[name].dims, values)
    spoilt = tmp_path / "spoilt.nc"
    store.write(dataset, spoilt)
    said = refusal(verb, files, tmp_path, observations=spoilt)
    assert message in said and str(spoilt) in said


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """The same files of another seed."""
    return make(tmp_path_factory.mktemp("others"), seed=1)


@pytest.mark.parametrize(
    ("verb", "role"),
    [
        ("score-analysis", "observations"),
        ("score-analysis", "truth"),
        ("score-analysis", "analyses"),
        ("score-forecasts", "observations"),
        ("score-forecasts", "truth"),
        ("score-forecasts", "analyses"),
        ("train", "observations"),
        ("train", "tuning"),
        ("learn-again", "observations"),
        ("assimilate-again", "observations"),
        ("assimilate-again", "emulators"),
        ("explain", "observations"),
        ("figure", "observations"),
        ("figure", "truth"),
        ("figure", "analyses"),
    ],
)
def test_files_that_do_not_belong_together_are_refused_with_both_names(files, others, tmp_path, verb, role):
    said = refusal(verb, files, tmp_path, **{role: others[role]})
    assert "was not made from" in said and "\n" not in said
    assert str(others[role]) in said and any(str(path) in said for path in files.values())


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(files, tmp_path):
    (tmp_path / "file").write_text("")
    for verb, output, message in itertools.product(
        [verb for verb, (arguments, *_) in VERBS.items() if OUT in arguments],
        [tmp_path, tmp_path / "file" / "out.pdf"],
        ["is a folder|is a file, not a folder"],
    ):
        arguments = [
            str(output) if text == OUT else "none.nc" if text[0] == "{" and text != RIDGE else text
            for text in VERBS[verb][0]
        ]
        result = CliRunner().invoke(group, [verb, *arguments])
        assert isinstance(result.exception, AssimilearnError), (verb, result.output, result.exception)
        assert str(output) in str(result.exception) and any(p in str(result.exception) for p in message.split("|"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(files, tmp_path):
    tmp_path.chmod(0o500)
    try:
        assert "may not be written to" in refusal("observe", files, tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("output", ["f.txt", "f.PDFX", "f", "f.nc"])
def test_a_figure_of_another_ending_is_refused(files, tmp_path, output):
    arguments = ["hovmoller", tmp_path / output, files["observations"], files["analyses"]]
    result = CliRunner().invoke(group, ["figure", *map(str, arguments)])
    assert isinstance(result.exception, AssimilearnError) and ".pdf or .svg or .png" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["not json", "{not: [json", "{\x00}", "", "[" * 3000, "/", "none.yaml"])
def test_settings_that_are_neither_json_nor_a_file_are_refused(tmp_path, text):
    result = CliRunner().invoke(group, ["climate", str(tmp_path / "out.nc"), "--model", text])
    assert isinstance(result.exception, AssimilearnError), result.exception
    assert "--model" in str(result.exception) or "/" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "name,value\na,1\n",
        "name,value,uncertainty,bound,published,tolerance,source,passed\na\n",
        "name,value,uncertainty,bound,published,tolerance,source,passed\na,one,,,,,,\n",
        "name,value,uncertainty,bound,published,tolerance,source,passed\na,1,,[2,,,,\n",
        "name,value,uncertainty,bound,published,tolerance,source,passed\na,1,,,,,,maybe\n",
        "name,value,uncertainty,bound,published,tolerance,source,passed\na,1,,,,,,,more\n",
    ],
)
def test_a_table_of_what_is_no_scorecard_is_refused(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    result = CliRunner().invoke(group, ["table", str(tmp_path / "x.csv")])
    assert isinstance(result.exception, AssimilearnError), (result.output, result.exception)
    assert str(tmp_path / "x.csv") in str(result.exception)
