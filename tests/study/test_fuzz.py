"""Studies drawn at random: a valid one is planned, a broken one is explained in lines, and nothing else is raised."""

import copy
import datetime

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from assimilearn.errors import AssimilearnError
from assimilearn.registry import registry
from assimilearn.study.plan import Plan
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.scenarios import load, resolve

repeatable = settings(derandomize=True, deadline=None, database=None)
METHODS = sorted(registry().parts("method"))
EMULATORS = sorted(set(registry().parts("emulator", "network")) - {"hybrid"})  # which names a model too

# ---- valid studies ---------------------------------------------------------------------------------------------------


ALONE = [method for method in METHODS if method not in ("enoi", "learned")]  # these need more than their settings
METHOD = st.sampled_from([{"method": method} for method in ALONE])
LEARNER = st.sampled_from([{"method": method} for method in EMULATORS])
NETWORKS = ["all", "checkerboard", "half", "every", "fixed_random", "moving_random"]


@st.composite
def studies(draw):
    """A study in which every section can stand, with nodes that name each other."""
    size, first = 4 * draw(st.integers(5, 15)), draw(METHOD)  # networks and blocks halve a ring
    analyses = {"first": first} | {
        f"a-{k}": {**draw(METHOD), "model": "biased"} for k in range(draw(st.integers(0, 2)))
    }
    named = st.sampled_from(list(analyses))
    emulators = {f"e{k}": {**draw(LEARNER), "trained_on": draw(named)} for k in range(draw(st.integers(0, 2)))}
    if emulators:
        analyses["learned"] = {"method": "etkf", "model": "e0"}
    loops = {
        f"l{k}": {"start": draw(named), "cycles": 2, "emulator": draw(LEARNER), "analysis": draw(METHOD)}
        for k in range(draw(st.integers(0, 1)))
    }
    over = {"inflation": draw(st.lists(st.floats(1, 2), min_size=1, max_size=3)), "members": [5, size]}
    return {
        "study": draw(st.sampled_from(["s", "2026", "a-long-name"])),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "models": {"truth": {"method": "lorenz96", "size": size}, "biased": {"method": "lorenz96", "size": size}},
        "climate": {"duration": draw(st.floats(60, 500)), "lyapunov_count": draw(st.sampled_from([None, 1, size]))},
        "periods": {"spinup": 5, "gap": 5, "train": draw(st.integers(150, 999)), "validation": 60, "test": 60},
        "observations": {
            "network": {"method": draw(st.sampled_from(NETWORKS))},
            "every": draw(st.one_of(st.integers(1, 4), st.lists(st.integers(1, 4), min_size=1, max_size=3))),
            "error_std": draw(st.floats(1e-3, 10)),
        },
        "analyses": analyses,
        "emulators": emulators,
        "loops": loops,
        "sweeps": {f"s{k}": {"analysis": {"method": "etkf"}, "over": over} for k in range(draw(st.integers(0, 1)))},
        "forecasts": {"lead": draw(st.floats(0.05, 2)), "free_run": draw(st.sampled_from([0, 50, 60.5]))},
        "scenarios": draw(
            st.sampled_from([{}, {"one": {}}, {"one": {"seed": 1}, "two": {"observations": {"bias": 1}}}])
        ),
    }


def planned(resolved) -> int:
    """Ask the plan for all that Snakemake asks it for; the number of targets."""
    plan = Plan(resolved)
    for scenario in plan.scenarios.values():
        nodes = scenario.settings
        for name in nodes.models:
            assert scenario.model_settings(name) and scenario.climatology_file(name) and scenario.forecast_start
        for name in nodes.analyses:
            assert scenario.analysis_settings(name) and scenario.model_of(name)
        for name in nodes.emulators:
            assert scenario.emulator_settings(name) and scenario.training_inputs(name)
            assert scenario.training_threads(name) >= 1 and isinstance(scenario.training_options(name), list)
        for name, loop in nodes.loops.items():
            assert scenario.cycle_emulator_settings(name, 1) and len(scenario.cycle_folders(name)) == loop.cycles
        for name in nodes.sweeps:
            assert scenario.sweep_settings(name) and scenario.sweep_threads(name) >= 1
        assert scenario.part("periods") and scenario.every and scenario.truth_settings
        assert all(scenario.figure_inputs(name) for name in scenario.figure_names)
    assert plan.claims and plan.variations and plan.names("analyses") and plan.pattern(brought=False)
    return len(plan.targets)


# ---- what can be done to them ----------------------------------------------------------------------------------------

WEIRD = [
    "", " ", "\0", "\ud800", "é", "$(touch X)", "a b", "'", '"', "-x", "1:30", "no", "../up", "a" * 300, "{}",
    "{input}", "%s", "\n", "two\nlines", "etkf", "ridge", "truth", "a", "lorenz96", "lorenz63", "file", "adaptive",
]  # fmt: skip
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**18, 10**400, -(10**400)]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 5e-324, 1e-200, 1e200, 1.797e308, float("inf"), float("nan")]),
    st.text(max_size=5),
    st.sampled_from(WEIRD + METHODS + EMULATORS),
    st.sampled_from([b"bytes", datetime.date(2026, 11, 25), {1, 2}, (1, 2), 1j]),
)
keys = st.one_of(
    st.sampled_from(
        ["method", "model", "size", "members", "tune", "inflation", "grid", "trained_on", "path", "network"]
    ),
    st.sampled_from(WEIRD),
    st.integers(),
    st.none(),
    st.booleans(),
)
values = st.recursive(
    plain, lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3), max_leaves=6
)


def places(node, above=()):
    """Every place in nested mappings and lists."""
    yield above
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, below in parts:
        yield from places(below, (*above, key))


def at(node, place):
    for key in place:
        node = node[key]
    return node


@st.composite
def broken(draw):
    """A study with one change to five: a value replaced, removed, moved, renamed or added."""
    study = copy.deepcopy(draw(studies()))
    for _ in range(draw(st.integers(1, 5))):
        found = [place for place in places(study) if place]
        if not found:
            break
        *above, last = draw(st.sampled_from(found))
        holder = at(study, above)
        what = draw(st.sampled_from(["replace", "remove", "rename", "add", "move"]))
        if what == "replace":
            holder[last] = draw(values)
        elif what == "move":
            holder[last] = copy.deepcopy(at(study, draw(st.sampled_from(found))))
        elif isinstance(holder, dict):
            value = holder.pop(last)
            if what == "rename":
                holder[draw(keys)] = value
            elif what == "add":
                holder |= {last: value, draw(keys): draw(values)}
    return study


def explained(error: AssimilearnError) -> None:
    """Each problem is one line: where, and what to do."""
    lines = error.problems if isinstance(error, ConfigurationError) else str(error).splitlines()
    assert lines
    for line in lines:
        assert line.strip() and len(line.splitlines()) == 1, repr(line)
        assert len(line) < 2000, line
        assert "Traceback" not in line and "pydantic" not in line
        line.encode()  # it can be printed
    if isinstance(error, ConfigurationError):
        assert all(": " in line and not line.startswith(":") for line in lines), lines


# ---- claims ----------------------------------------------------------------------------------------------------------


@settings(repeatable, max_examples=50)
@given(studies())
def test_a_valid_study_is_planned(study):
    before = copy.deepcopy(study)
    try:
        assert planned(resolve(study)) > 0
    except ConfigurationError as error:  # a clash that the strategy leaves in is told
        explained(error)
        raise
    assert study == before


@settings(repeatable, max_examples=200)
@given(broken())
def test_a_broken_study_is_explained_or_planned_and_nothing_else_is_raised(study):
    try:
        resolved = resolve(study)
    except AssimilearnError as error:
        explained(error)
    else:
        planned(resolved)


TEXT = yaml.safe_dump({"study": "s", "analyses": {"a": {"method": "etkf", "tune": {"inflation": [1.0, 1.1]}}}})
SNIPPETS = [
    "*a", "&a", "<<: *a", "!!binary x", "!x ", "---\n", "...\n", "\t", ": ", "- ", "{", "}", "[", "? ", "|\n", ">\n",
    "#", "%YAML 9.9\n", "1:30", "0o7", "007", "2026-11-25", "no: ", "10: ", "null: ", "\x85", "\u2028", "\ufeff",
    "\x00", "é", '"', "'", "\\x", "=: 1", "!!float x", "!!int ''",
]  # fmt: skip


@settings(repeatable, max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, len(TEXT)), st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=3))), max_size=4
    )
)
def test_a_broken_text_is_explained_and_nothing_else_is_raised(tmp_path_factory, changes):
    text = TEXT
    for place, change in changes:
        text = text[:place] + change + text[place:]
    path = tmp_path_factory.getbasetemp() / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        planned(load(path))
    except AssimilearnError as error:
        explained(error)


@settings(repeatable, max_examples=100)
@given(st.binary(max_size=40), st.sampled_from(["yaml", "json"]))
def test_bytes_that_are_no_study_are_explained(tmp_path_factory, content, kind):
    path = tmp_path_factory.getbasetemp() / f"study.{kind}"
    path.write_bytes(content)
    try:
        planned(load(path))
    except AssimilearnError as error:
        explained(error)
