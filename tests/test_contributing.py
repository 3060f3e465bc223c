"""The examples of CONTRIBUTING.md run as they stand."""

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from assimilearn.assimilation import AnyAnalysis, assimilate
from assimilearn.emulators import AnyEmulator, open_emulator, train
from assimilearn.models import AnyModel, build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags
from assimilearn.plugins import load

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    names = [f"part_{k}.py" for k in range(len(EXAMPLES))]
    for name, text in zip(names, EXAMPLES, strict=True):
        (folder / name).write_text(text)
    yield load(names, folder)
    load([])


def settings_of(union, **given):
    return TypeAdapter(union).validate_python(given)


def test_the_parts_of_the_page_go_through_the_chain(parts):
    model = build(settings_of(AnyModel, method="decay", rate=0.2))
    assert model.geometry.positions.shape == (48, 2) and not model.geometry.homogeneous
    flags, rng = period_flags(Periods(spinup=1, train=20, gap=0, validation=5, test=5)), np.random.default_rng(0)
    truth = simulate(model, TruthSettings(spinup=0), 0.1 * np.arange(flags.size), flags, rng)
    seen = {"network": {"method": "all"}, "operator": {"method": "sensor", "saturation": 40.0}, "error_std": 0.1}
    observations = observe(truth, ObservationSettings(**seen), rng)
    reference = climate(model, ClimateSettings(duration=40, spinup=0, segment=5, lyapunov_duration=1), rng)
    nudging = settings_of(AnyAnalysis, method="nudging", members=10, strength=2.0)
    analysis = assimilate(observations, model, nudging, reference, rng)
    before, after = (
        np.sqrt(np.mean((analysis[name] - truth["state"].values) ** 2)) for name in ("forecast_mean", "mean")
    )
    assert np.isfinite(analysis["mean"]).all() and after < before
    network = settings_of(AnyEmulator, method="pointwise", width=4, epochs=2)
    emulator = open_emulator(train(analysis, network, rng))
    assert emulator.step(truth["state"].values[:3]).shape == (3, 48)
    damped = open_emulator(train(analysis, settings_of(AnyEmulator, method="damped", ridge=0.1), rng))
    again = open_emulator(train(analysis, settings_of(AnyEmulator, method="damped", ridge=0.1), rng))
    np.testing.assert_array_equal(damped.step(truth["state"].values[:3]), again.step(truth["state"].values[:3]))
    states = truth["state"].values[-5:]
    climatology = np.abs(analysis["mean"].values.mean(axis=0) - states[1:]).mean()
    assert np.abs(damped.step(states[:-1]) - states[1:]).mean() < climatology
    hybrid = settings_of(AnyEmulator, method="hybrid", model="decay", correction=network.model_dump())
    assert np.isfinite(open_emulator(train(analysis, hybrid, rng, model=model)).step(truth["state"].values[:2])).all()


def test_every_kind_of_the_page_is_there(parts):
    kinds = [("model", "decay"), ("method", "nudging"), ("network", "pointwise"), ("operator", "sensor")]
    kinds += [("emulator", "damped")]
    assert all(parts.find(name, kind) is not None for kind, name in kinds)
