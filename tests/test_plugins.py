"""Parts of users: what a plug-in may hold, and the one sentence that each wrong one gets."""

import pickle
import re
import sys
import warnings
from importlib import metadata

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from assimilearn import plugins
from assimilearn.errors import FileError, PluginError
from assimilearn.models import AnyModel, build, open_model
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.registry import Registry, installed, registry, use

POND = '''
from assimilearn.plugins import model

@model("pond", fields={"height": (4, 6), "flow": (4, 6)}, spacing=1.0, periodic=True, time_step=0.1)
def pond(fields, *, damping: float = 0.1, kind: str = "shallow"):
    """A pond with waves."""
    height, flow = fields["height"], fields["flow"]
    return {"height": height - 0.1 * flow, "flow": (1 - damping) * flow + 0.1 * height}
'''
HEAD = "import numpy as np\nfrom assimilearn.plugins import model\n"
MODEL = '@model("pond", fields={"x": (4,)}, time_step=0.1)\n'


@pytest.fixture(autouse=True)
def registry_of_the_package():
    """Each test ends with the registry that it began with."""
    before = registry()
    yield
    use(before)


def loaded(tmp_path, text, name="my_parts.py"):
    (tmp_path / name).write_text(text)
    return plugins.load([name], tmp_path)


def settings(**values):
    return TypeAdapter(AnyModel).validate_python(values)


def test_keyword_parameters_of_a_model_are_its_settings(tmp_path):
    part = loaded(tmp_path, POND)["model", "pond"]
    assert settings(method="pond", damping=0.2).canonical() == '{"damping":0.2,"kind":"shallow","method":"pond"}'
    assert part.settings.__doc__ == "A pond with waves."
    assert part.source.files == (tmp_path / "my_parts.py",)
    with pytest.raises(ValidationError, match="damping"):
        settings(method="pond", damping="strong")


def test_a_model_of_a_user_steps_flat_states_as_named_fields(tmp_path):
    loaded(tmp_path, POND)
    model, states = build(settings(method="pond", damping=0.5)), np.arange(96.0).reshape(2, 48)
    height, flow = states[:, :24], states[:, 24:]
    expected = np.concatenate([height - 0.1 * flow, 0.5 * flow + 0.1 * height], axis=-1)
    np.testing.assert_allclose(model.step(states), expected, rtol=1e-15)
    np.testing.assert_allclose(model.step(states[0]), expected[0], rtol=1e-15)
    assert (model.size, model.time_step) == (48, 0.1)


def test_a_file_of_a_model_opens_only_where_its_plugin_is_loaded(tmp_path):
    before = registry()
    loaded(tmp_path, POND)
    model = build(settings(method="pond", damping=0.3))
    options = ClimateSettings(duration=60, spinup=1, segment=20, lyapunov_duration=1, lyapunov_count=1)
    file = climate(model, options, np.random.default_rng(0))
    assert open_model(file).settings == model.settings
    use(before)
    with pytest.raises(
        FileError, match=r"^the model 'pond' comes from the plug-in my_parts\.py, which is not loaded: "
    ):
        open_model(file.assign_attrs(plugin="my_parts.py"))


def test_loading_another_study_forgets_the_plugins_of_the_last(tmp_path):
    loaded(tmp_path, POND)
    assert "pond" in registry().parts("model")
    loaded(tmp_path, POND.replace('"pond"', '"lake"'), "others.py")
    assert "pond" not in registry().parts("model")


def test_an_edited_file_is_loaded_anew(tmp_path):
    assert settings_with_default(tmp_path, "0.1") == 0.1
    assert settings_with_default(tmp_path, "0.2") == 0.2


HELPED = """
import math

import my_helpers
from assimilearn.plugins import model

@model("pond", fields={"x": (4,)}, time_step=0.1)
def pond(fields, *, damping: float = my_helpers.DAMPING):
    from my_scales import halved

    return {"x": halved(fields["x"]) * math.cos(0.0)}
"""
HELPER = "from my_scales import ONE\n\nDAMPING = {} * ONE\n"


def helped(folder, damping):
    folder.mkdir(exist_ok=True)
    (folder / "my_helpers.py").write_text(HELPER.format(damping))
    (folder / "my_scales.py").write_text("ONE = 1.0\n\ndef halved(x):\n    return x / 2\n")
    found = loaded(folder, HELPED)["model", "pond"]
    return found, settings(method="pond")


def test_a_file_imports_others_of_its_folder_and_of_no_other_one(tmp_path):
    path, before = list(sys.path), {name for name in sys.modules if not name.startswith("assimilearn_plugin_")}
    one, first = helped(tmp_path / "one", 0.1)
    other, second = helped(tmp_path / "other", 0.2)
    assert (first.damping, second.damping) == (0.1, 0.2)
    np.testing.assert_array_equal(build(second).step(np.ones(4)), 0.5)  # also what it imports inside a function
    assert [file.name for file in one.source.files] == ["my_parts.py", "my_helpers.py", "my_scales.py"]
    assert {file.parent.name for file in other.source.files} == {"other"}
    assert helped(tmp_path / "one", 0.3)[1].damping == 0.3
    assert sys.path == path and {"my_helpers", "my_scales"}.isdisjoint(set(sys.modules) - before)
    (tmp_path / "one" / "my_helpers.py").write_text("1 / 0\n")
    with pytest.raises(PluginError, match=r"^my_helpers\.py, line 1: ZeroDivisionError"):
        loaded(tmp_path / "one", HELPED)


def settings_with_default(tmp_path, value):
    loaded(tmp_path, POND.replace("0.1, kind", f"{value}, kind"))
    return settings(method="pond").damping


def test_settings_and_models_can_be_sent_to_a_process_that_has_not_loaded_the_plugin(tmp_path):
    loaded(tmp_path, POND)
    sent = pickle.dumps(build(settings(method="pond", damping=0.3)))
    use(Registry())
    received = pickle.loads(sent)
    assert received.settings.damping == 0.3
    assert received.step(np.zeros(48)).shape == (48,)


def test_a_module_can_be_named_instead_of_a_file(tmp_path, monkeypatch):
    package = tmp_path / "pond_package"
    package.mkdir()
    (package / "__init__.py").write_text("from pond_package import parts\n")
    (package / "parts.py").write_text(POND)
    monkeypatch.syspath_prepend(tmp_path)
    part = plugins.load(["pond_package"])["model", "pond"]
    assert [path.name for path in part.source.files] == ["__init__.py", "parts.py"]


WRONG = {
    "a setting without type": (
        MODEL + "def pond(fields, *, damping=0.1):\n    return fields\n",
        "my_parts.py, line 3: the model 'pond' has a setting 'damping' without a type: give it type and default",
    ),
    "a setting without default": (
        MODEL + "def pond(fields, *, damping: float):\n    return fields\n",
        "my_parts.py, line 3: the model 'pond' has a setting 'damping' without a default: give it type and default",
    ),
    "settings that cannot be told": (
        MODEL + "def pond(fields, **settings):\n    return fields\n",
        "my_parts.py, line 3: the model 'pond' takes **settings: name each setting, with type and default",
    ),
    "a default of another type": (
        MODEL + "def pond(fields, *, damping: float = 'strong'):\n    return fields\n",
        "my_parts.py, line 3: the model 'pond' has the default 'strong' for 'damping': input should be a valid number",
    ),
    "a type that no file can hold": (
        MODEL + "def pond(fields, *, rng: np.random.Generator = None):\n    return fields\n",
        "my_parts.py, line 3: the model 'pond' has a parameter that cannot be a setting: ",
    ),
    "a setting with a name that is taken": (
        MODEL + "def pond(fields, *, method: str = 'x'):\n    return fields\n",
        "my_parts.py, line 3: the model 'pond' cannot have a setting 'method': every model has one of that name",
    ),
    "a name that is taken by the package": (
        '@model("lorenz96", fields={"x": (4,)}, time_step=0.1)\ndef pond(fields):\n    return fields\n',
        "my_parts.py, line 3: the model 'lorenz96' takes the name of a built-in model: give it another one",
    ),
    "a name that is taken twice": (
        2 * (MODEL + "def pond(fields):\n    return fields\n"),
        "my_parts.py, line 6: the model 'pond' takes the name of that in my_parts.py, line 3: give it another one",
    ),
    "a name that no study can write": (
        '@model("My Pond", fields={"x": (4,)}, time_step=0.1)\ndef pond(fields):\n    return fields\n',
        "my_parts.py, line 3: the model 'My Pond' must have a name of lower-case letters, digits and hyphens",
    ),
    "a keyword that the decorator does not know": (
        '@model("pond", field={"x": (4,)}, time_step=0.1)\ndef pond(fields):\n    return fields\n',
        "my_parts.py, line 3: the model 'pond' has the keyword 'field'; there are fields, ",
    ),
    "no time step": (
        '@model("pond", fields={"x": (4,)})\ndef pond(fields):\n    return fields\n',
        "my_parts.py, line 3: the model 'pond' needs the keyword 'time_step'",
    ),
    "fields that are none": (
        '@model("pond", fields={"x": (0, 4)}, time_step=0.1)\ndef pond(fields):\n    return fields\n',
        "my_parts.py, line 3: the model 'pond' has fields that cannot be used: ",
    ),
    "no part": ("x = 1\n", "my_parts.py: holds no part: mark a function or class, for example with @model(...)"),
    "bad syntax": ("def pond(:\n", "my_parts.py, line 3: is not Python: invalid syntax"),
    "a failing import": ("\nimport no_such_package\n", "my_parts.py, line 4: ModuleNotFoundError: No module named "),
    "an error at import": ("\n\n1 / 0\n", "my_parts.py, line 5: ZeroDivisionError: division by zero"),
    "an exit at import": ("raise SystemExit(3)\n", "my_parts.py, line 3: SystemExit: 3"),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_wrong_plugin_is_told_in_one_sentence_with_file_and_line(tmp_path, text):
    before = registry()
    with pytest.raises(PluginError, match="^" + re.escape(text[1])) as error:
        loaded(tmp_path, HEAD + text[0])
    assert "\n" not in str(error.value)
    assert registry() is before


def test_all_wrong_plugins_are_told_at_once(tmp_path):
    (tmp_path / "one.py").write_text("1 / 0\n")
    with pytest.raises(PluginError) as error:
        plugins.load(["one.py", "two.py", "no_such_module", "one"], tmp_path)
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [
        "one.py, line 1",
        f"there is no plug-in two.py in {tmp_path}",
        "there is no plug-in no_such_module",
        "there is no plug-in one",
    ]


WRONG_STEPS = {
    "another shape": ('{"x": fields["x"][..., 1:]}', "returns 'x' of the shape (2, 3) from its step, given (2, 4)"),
    "another field": ('{"y": fields["x"]}', "has the fields x, and its step returns y"),
    "no fields": ('fields["x"]', "returns ndarray from its step, not fields by name"),
    "an error": ('{"x": fields["z"]}', "fails: KeyError: 'z'"),
    "changes its input": (
        'fields.update(x=np.add(fields["x"], 1, out=fields["x"])) or fields',
        "changes what it is given",
    ),
}


@pytest.mark.parametrize("case", WRONG_STEPS.values(), ids=WRONG_STEPS)
def test_a_wrong_step_is_told_in_one_sentence_with_file_and_line(tmp_path, case):
    loaded(tmp_path, HEAD + MODEL + f"def pond(fields):\n    return {case[0]}\n")
    with pytest.raises(PluginError, match=r"^my_parts\.py, line [35]: the model 'pond' " + re.escape(case[1])):
        build(settings(method="pond")).step(np.zeros((2, 4)))


def test_the_input_of_a_step_is_left_as_it_was(tmp_path):
    changing = "def pond(fields):\n    fields['x'] = fields['x'] + 1\n    return fields\n"
    loaded(tmp_path, HEAD + MODEL + changing)
    states = np.zeros((2, 4))
    assert (build(settings(method="pond")).step(states) == 1).all() and not states.any()


def test_installed_packages_offer_parts_and_a_broken_one_warns(tmp_path, monkeypatch):
    (tmp_path / "good_parts.py").write_text(POND)
    (tmp_path / "bad_parts.py").write_text("1 / 0\n")
    points = [metadata.EntryPoint(n, f"{n}_parts", plugins.__name__) for n in ("bad", "good")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: [p for p in points if p.group == group])
    monkeypatch.syspath_prepend(tmp_path)
    installed.cache_clear()
    with pytest.warns(UserWarning, match="the plug-in bad of an installed package is left aside: division by zero"):
        assert settings(method="pond").damping == 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "pond" in registry().parts("model")
    installed.cache_clear()


def test_parts_of_the_package_are_imported_only_when_they_are_used():
    import subprocess
    import sys

    program = """
import sys
from assimilearn.registry import registry
found = registry().find("letkf", "method")
assert found.files[0].name == "letkf.py" and "assimilearn.figures" not in sys.modules
print(registry()["model", "lorenz96"].settings.__name__, "assimilearn.models.lorenz96" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Lorenz96Settings True", done.stderr
