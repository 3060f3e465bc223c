"""Emulators of users: what they learned is kept, and what is wrong with them is one sentence with file and line."""

import numpy as np
import pytest
from pydantic import TypeAdapter
from training_sets import lorenz96_analysis

from assimilearn import store
from assimilearn.emulators import AnyEmulator, open_emulator, train
from assimilearn.errors import FileError, PluginError
from assimilearn.models.geometry import ring
from assimilearn.plugins import load

GOOD = """
import numpy as np
from assimilearn.plugins import emulator

@emulator("mine")
class Mine:
    def __init__(self, geometry, *, scale: float = 1.0):
        self.scale = scale

    def fit(self, states, targets, rng):
        self.A_ = np.linalg.lstsq(states, targets, rcond=None)[0]
        self.chance_ = self.scale * rng.standard_normal()

    def predict(self, states):
        return states @ self.A_
"""
BAD = {
    "fails: ZeroDivisionError": ("return states @ self.A_", "return 1 / 0"),
    "changes what it is given": ("return states @ self.A_", "states += 1"),
    "predicts the shape": ("return states @ self.A_", "return states[:, :1]"),
    "learns nothing": ("self.A_ = np", "A = np"),
    "which is no number": ("self.chance_ = self.scale", "self.chance_ = 'no'  #"),
    "has no method predict": ("def predict", "def forecast"),
}


def settings_of(tmp_path, text=GOOD, **given):
    (tmp_path / "mine.py").write_text(text)
    load(["mine.py"], tmp_path)
    return TypeAdapter(AnyEmulator).validate_python({"method": "mine", **given})


@pytest.fixture(autouse=True)
def without_plugins():
    yield
    load([])


def test_what_was_learned_is_kept_and_the_file_gives_it_back(tmp_path):
    analysis, settings = lorenz96_analysis(), settings_of(tmp_path, scale=2.0)
    file = train(analysis, settings, np.random.default_rng(0))
    store.write(file, tmp_path / "emulator.nc")
    states = analysis["mean"].values[:3].astype(float)
    found = open_emulator(store.read(tmp_path / "emulator.nc")).step(states)
    np.testing.assert_array_equal(found, open_emulator(file).step(states))
    inputs, targets = analysis["mean"].values[:299], analysis["mean"].values[1:300]
    np.testing.assert_allclose(found, states @ np.linalg.lstsq(inputs, targets, rcond=None)[0])
    with pytest.raises(FileError, match="cannot be read"):
        open_emulator(file.drop_vars("weight_learned").assign(weight_learned=file["weight_learned"][:50]))


@pytest.mark.parametrize("what", BAD)
def test_a_wrong_emulator_is_one_sentence_with_file_and_line(tmp_path, what):
    text = GOOD.replace(*BAD[what])
    if what == "learns nothing":
        text = text.replace("self.chance_", "chance")
    with pytest.raises(PluginError, match=rf"^mine.py, line \d+: the emulator 'mine' .*{what}"):
        tried(tmp_path, text)


def tried(tmp_path, text):
    """What `check` does with an emulator of a plug-in."""
    settings = settings_of(tmp_path, text)
    settings.part.implementation.try_out(settings, ring(12))
