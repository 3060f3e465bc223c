"""What a model of a user may have besides its step: numba, chance, memory, an error that depends on the state."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from assimilearn import plugins
from assimilearn.errors import PluginError
from assimilearn.models import AnyModel, Lorenz96, Lorenz96Settings, build
from assimilearn.models.integrate import advance
from assimilearn.models.protocol import WithErrorStd, draws_of, memory_of, with_memory
from assimilearn.registry import registry, use

PARTS = """
import numpy as np
from numba import njit
from assimilearn.plugins import model

@model("euler", fields={"u": (6,)}, time_step=0.01)
@njit
def euler(rows, forcing: float = 8.0, damping: float = 1.0):
    n = rows.shape[1]
    for x in rows:
        old = x.copy()
        for i in range(n):
            x[i] += 0.01 * ((old[(i + 1) % n] - old[i - 2]) * old[i - 1] - damping * old[i] + forcing)

def begin(fields, *, phi: float = 0.8):
    return 2 * fields["x"] + 0 * fields["y"]

def wrong(fields, *, phi: float = 0.8):
    return {"x": 0.1 * np.abs(fields["x"]), "y": 0.2 + 0 * fields["y"]}

@model("closure", fields=["x", "y"], time_step=0.1, draws=2, memory=1, remember=begin, error_std=wrong)
def closure(fields, memory, noise, *, phi: float = 0.8):
    x, y = fields["x"], fields["y"]
    return {"x": 0.5 * x + memory, "y": 0.5 * y + 0.3 * noise[:, :1]}, phi * memory + noise[:, 1:]
"""


@pytest.fixture(scope="module", autouse=True)
def parts(tmp_path_factory):
    before, folder = registry(), tmp_path_factory.mktemp("parts")
    (folder / "parts.py").write_text(PARTS)
    yield plugins.load(["parts.py"], folder)
    use(before)


def model_of(**given):
    return build(TypeAdapter(AnyModel).validate_python(given))


def test_a_numba_step_is_compiled_and_has_its_settings():
    model, x = model_of(method="euler", forcing=5.0), np.random.default_rng(0).standard_normal((3, 6))
    ours = Lorenz96(Lorenz96Settings(size=6, forcing=5.0)).tendency(x, 5.0)
    assert model.compiled is not None
    np.testing.assert_allclose(model.step(x), x + 0.01 * ours, atol=1e-12)
    np.testing.assert_array_equal(advance(model, x, 1), model.step(x))
    damped = model_of(method="euler", forcing=0.0, damping=2.0).step(x)
    np.testing.assert_allclose(damped, x + 0.01 * (Lorenz96(Lorenz96Settings(size=6)).tendency(x, 0.0) - x), atol=1e-12)


def test_chance_and_memory_reach_the_function_by_name():
    model = model_of(method="closure", phi=0.5)
    assert (model.size, draws_of(model), memory_of(model)) == (2, 2, 1)
    begun = with_memory(model, np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(begun, [[1, 2, 2], [3, 4, 6]])
    np.testing.assert_allclose(model.step(begun), [[2.5, 1.0, 1.0], [7.5, 2.0, 3.0]])
    np.testing.assert_allclose(model.step(begun[0], np.array([10.0, 1.0])), [2.5, 4.0, 2.0])
    assert advance(model, begun, 3, np.random.default_rng(0)).shape == (2, 3)


def test_the_error_of_a_step_is_a_function_of_the_fields():
    model = model_of(method="closure")
    assert isinstance(model, WithErrorStd) and not isinstance(model_of(method="euler"), WithErrorStd)
    np.testing.assert_allclose(model.error_std(np.array([[-3.0, 1.0, 9.0]])), [[0.3, 0.2]])


HEAD = "from assimilearn.plugins import model\nimport numpy as np\n"
MISTAKES = {
    "draws=1)\ndef step(fields):\n    return fields": "must ask for its fields and for noise",
    "draws=-1)\ndef step(fields, noise):\n    return fields": "whole number as its draws",
    "memory=2)\ndef step(fields, memory):\n    return fields": "return its fields and then its memory",
    "remember=3)\ndef step(fields):\n    return fields": "remember that is no function",
    "error_std=lambda fields: np.ones(5))\ndef step(fields):\n    return fields": "no fields from its error_std",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_one_sentence(tmp_path, parts, text):
    (tmp_path / "bad.py").write_text(f'{HEAD}@model("bad", fields=["x"], time_step=0.1, {text}\n')

    def tried():
        part = plugins.load(["bad.py"], tmp_path).find("bad", "model")
        part.implementation.try_out(part.settings())

    try:
        with pytest.raises(PluginError, match=f"bad.py, line .*{MISTAKES[text]}"):
            tried()
    finally:
        use(parts)
