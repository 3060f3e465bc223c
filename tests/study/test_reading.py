"""Study files are read strictly: what YAML would take for something else is a problem, with its line."""

import json

import pytest

from assimilearn.errors import AssimilearnError, FileError
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.reading import DEEPEST, read_config
from assimilearn.study.scenarios import load, together

PLAIN = """study: tiny
forecasts: {lead: 1, free_run: 60, starts: 5}
models: {lorenz96: {method: lorenz96, size: 40}}
periods: {spinup: 5, train: 200, gap: 5, validation: 50, test: 100}
analyses:
  etkf: {method: etkf, members: 10, inflation: 1.02}
emulators:
  ridge: {method: ridge, trained_on: etkf}
"""
ETKF = "  etkf: {method: etkf, members: 10, inflation: 1.02}\n"
RIDGE = "{method: ridge, trained_on: etkf}"


@pytest.fixture
def written(tmp_path):
    def write(text: str | bytes, name: str = "study.yaml"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def told(path) -> list[str]:
    """The lines that say what is wrong with a file."""
    with pytest.raises(AssimilearnError) as caught:
        load(path)
    return caught.value.problems if isinstance(caught.value, ConfigurationError) else [str(caught.value)]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ((ETKF, ETKF + ETKF), "analyses.etkf: stands twice, in line 6 and in line 7: keep one"),
        (("", "analyses: {blue: {method: blue}}\n"), "analyses: stands twice, in line 5 and in line 9: keep one"),
        (("1.02}", "1.02, inflation: 1.5}"), "analyses.etkf.inflation: stands twice, in line 6 and in line 6: keep"),
        (
            ("  etkf: {m", '  etkf: {method: blue}\n  "etkf": {m'),
            "analyses.etkf: stands twice, in line 6 and in line 7",
        ),
    ],
)
def test_a_key_that_stands_twice_is_told_with_both_lines(written, more, problem):
    old, new = more
    text = PLAIN.replace(old, new) if old else PLAIN + new
    assert any(line.startswith(problem) for line in told(written(text)))


def test_a_key_that_stands_twice_in_json_is_told(written):
    text = json.dumps({"study": "tiny", "analyses": {"blue": {"method": "blue"}}})
    assert load(written(text, "study.json"))
    (found,) = told(written(text.replace("{", '{"study": "other", ', 1), "study.json"))
    assert found == "study: stands twice in one mapping: keep one"


def test_merge_keys_and_anchors_stay(written):
    more = """analyses:
  etkf: &x {method: etkf, members: 10}
  b: &y {method: etkf, inflation: 1.1}
  c: {<<: [*x, *y], model: lorenz96}
  d: {<<: *x, members: 20}
"""
    text = PLAIN.replace("analyses:\n" + ETKF, more)
    analyses = load(written(text)).scenarios["base"].analyses
    assert (analyses["c"].members, analyses["c"].inflation, analyses["c"].model) == (10, 1.1, "lorenz96")
    assert analyses["d"].members == 20


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            ("# Bjørn\n" + PLAIN).encode("latin-1"),
            "line 1: the byte 0xf8 is not UTF-8, perhaps Latin-1",
        ),
        (PLAIN.encode("utf-16"), "the file is UTF-16: save it as UTF-8"),
        (PLAIN.encode("utf-16-le"), "the file is a binary file, or UTF-16: save it as UTF-8"),
        (b"CDF\x01\0\0\0\0", "the file is a binary file, or UTF-16: save it as UTF-8"),
        (PLAIN.replace("  ridge", "\tridge"), "line 8, column 1"),
        (PLAIN.replace("  ridge", "\tridge"), "indent with spaces, not with tabs"),
        (PLAIN + "---\nstudy: other\n", "a second document begins here: give each study a file of its own"),
        ("study: &s [*s]\n", "line 1: an alias stands inside what it stands for"),
        ("study: " + "[" * (DEEPEST + 5) + "]" * (DEEPEST + 5), "mappings and lists are nested too deeply"),
        ("study: " + "[" * 20_000, "mappings and lists are nested too deeply"),
        ("? [a, b]\n: 1\n", "line 1: a list or mapping cannot be a name"),
        ("study: !!python/object/apply:os.system ['touch X']\n", "is not YAML"),
    ],
)
def test_a_text_that_cannot_be_read_is_one_sentence(written, content, sentence):
    (found,) = told(written(content))
    assert sentence in found and found.startswith(str(written(content))) and "\n" not in found


def test_aliases_that_make_very_much_of_little_are_refused(written):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 10)]
    (found,) = told(written("\n".join(lines)))
    assert "aliases and merges make more than 200000 values" in found


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing(written, mark, ends):
    other = written(mark + PLAIN.encode().replace(b"\n", ends))
    assert read_config(other) == read_config(written(PLAIN, "plain.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("members: 10", "members: 1:30", "analyses.etkf.members: line 6: 1:30 could be a number in base 60 or a time"),
        ("members: 10", "members: 010", "analyses.etkf.members: line 6: 010 could be a number with a leading zero"),
        ("study: tiny", "study: 2026-11-25", "study: line 1: 2026-11-25 could be a date"),
        ("study: tiny", "study: 007", "study: line 1: 007 could be a number with a leading zero"),
        ("  etkf: {", "  no: {", 'analyses.no: line 6: names are texts, and no without quotes is not: write "no"'),
        ("  etkf: {", "  10: {", 'analyses.10: line 6: names are texts, and 10 without quotes is not: write "10"'),
        ("study: tiny", "scenarios: {on: {}}\nstudy: tiny", "scenarios.on: line 1: names are texts, and on without"),
        ("study: tiny", "study: 2026", "study: expected a text: put it in quotes (got 2026)"),
        ("study: tiny", "seed: true\nstudy: tiny", "seed: expected integer >= 0"),
        ("study: tiny", "seed: 36893488147419103232\nstudy: tiny", "seed: "),
        ("study: tiny", "seed: -1\nstudy: tiny", "seed: input should be greater than or equal to 0 (got -1)"),
        ("study: tiny", "study: !mine tiny", "study: line 1: !mine is no kind of setting"),
        ("study: tiny", f"study: {'a' * 300}", "study: string should have at most 100 characters"),
        ("  etkf: {", f"  {'b' * 300}: {{method: blue}}\n  etkf: {{", "analyses.bbb"),
        ("study: tiny", "study: étude", "study: names are of lower-case letters and digits"),
        ("study: tiny", 'study: "tiny "', "study: names are of lower-case letters and digits"),
        ("members: 10", "members: 10.5", "analyses.etkf.members: "),
        ("members: 10", 'members: "ten"', "analyses.etkf.members: "),
        ("1.02", '"1,02"', "analyses.etkf.inflation: "),
        ("1.02", ".inf", "analyses.etkf.inflation: "),
        ("1.02", "1.02, tune: {inflation: []}", "analyses.etkf.tune: grid: no values for inflation"),
        (RIDGE, f"{RIDGE[:-1]}, tune: {{folds: 4, gap: 200, grid: {{alpha: [1, 10]}}}}}}", "emulators.ridge.tune.gap"),
        (RIDGE, f"{RIDGE[:-1]}, tune: {{folds: 100, lead: 10, grid: {{alpha: [1]}}}}}}", "emulators.ridge.tune.lead"),
        ("validation: 50", "validation: 1", "periods.validation: "),
        ("train: 200", "train: 1", "periods.train: "),
        ("free_run: 60", "free_run: 20", "forecasts.free_run: shorter than a segment of the power spectrum"),
        ("study: tiny", "observations: {every: 0}\nstudy: tiny", "observations.every"),
        ("study: tiny", "observations: {error_std: .nan}\nstudy: tiny", "observations.error_std: "),
        ("study: tiny", "observations: {error_std: null}\nstudy: tiny", "observations.error_std: "),
        ("study: tiny", "observations: {error_std: 1e200}\nstudy: tiny", "observations.error_std: its square"),
        ("study: tiny", "observations: {error_std: 1e-200}\nstudy: tiny", "observations.error_std: its square"),
        ("study: tiny", "observations: {network: {method: every, offset: 100}}\nstudy: tiny",
         "observations.network.offset: the model has the sites 0 to 39 (got 100)"),
    ],
)  # fmt: skip
def test_what_could_be_taken_for_something_else_or_cannot_be_is_told(written, old, new, problem):
    assert old in PLAIN
    found = told(written(PLAIN.replace(old, new, 1)))
    assert any(line.startswith(problem) for line in found), found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.02", "1e0"),
        ("members: 10", "members: 10.0"),
        ("members: 10", "members: 1_0"),
        ("study: tiny", 'study: "2026"'),
        ("study: tiny", "seed: 4294967297\nstudy: tiny"),
        ("study: tiny", "seed: 1e3\nstudy: tiny"),
        ("study: tiny", 'scenarios: {"on": {}, "10": {seed: 3}}\nstudy: tiny'),
        ("1.02}", "1.02, rotation: off}"),
    ],
)
def test_what_can_be_taken_in_one_way_only_stays_right(written, old, new):
    assert load(written(PLAIN.replace(old, new, 1)))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "3\n", "null\n"])
def test_what_is_no_mapping_is_no_study(written, text):
    assert "a study file is a mapping of settings" in told(written(text))[0]


def test_problems_of_the_text_and_of_what_it_says_are_told_together(written):
    text = PLAIN.replace("members: 10", "members: 1:30").replace("trained_on: etkf", "trained_on: etkff")
    found = told(written(text + "seed: -1\nsede: 1\n"))
    for place in ("analyses.etkf.members", "emulators.ridge.trained_on", "seed", "sede"):
        assert any(line.startswith(f"{place}: ") for line in found)
    assert len(found) == len(set(found))


def test_a_file_that_is_not_there_or_is_a_folder_is_one_sentence(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(FileError, match=f"{path}: cannot be read"):
            read_config(path)


def test_later_files_and_changes_are_put_over_earlier_ones(written):
    first, second = written(PLAIN), written("seed: 5\nperiods: {train: 300}\n", "second.yaml")
    content = together([first, second], {"study": "mine"}).content
    assert (content["study"], content["seed"], content["periods"]["train"]) == ("mine", 5, 300)
    assert content["periods"]["test"] == 100
