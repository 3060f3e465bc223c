"""An emulator file is run only if its weights are those of its settings and its size; else it is refused at once."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter
from training_sets import lorenz96_analysis

from assimilearn.emulators import AnyEmulator, open_emulator, train
from assimilearn.errors import FileError

SETTINGS = {
    "persistence": {},
    "climatology": {},
    "ridge": {"radius": 1, "degree": 2},
    "polynomial": {"radius": 1},
    "lim": {"modes": 5},
    "sparse": {"radius": 1},
    "analogs": {"entries": 500, "radius": 1},
    "random-features": {"features": 10, "radius": 1, "samples": 500},
    "reservoir": {"units": 10, "radius": 1},
    "boosting": {"n_estimators": 3, "radius": 1},
    "forest": {"n_estimators": 2, "max_depth": 4, "radius": 1},
    "mlp": {"hidden": [3], "radius": 1, "epochs": 1},
    "cnn": {"epochs": 1},
}


@pytest.fixture(scope="module")
def files():
    analysis = lorenz96_analysis()
    kind = TypeAdapter(AnyEmulator)
    return {
        method: train(analysis, kind.validate_python({"method": method, **changes}), np.random.default_rng(0))
        for method, changes in SETTINGS.items()
    }


def with_settings(dataset, **changes):
    return dataset.assign_attrs(settings=json.dumps(json.loads(dataset.attrs["settings"]) | changes))


def with_value(dataset, name, index, value):
    changed = dataset.copy(deep=True)
    values = changed[name].values.astype(type(value)) if isinstance(value, float) else changed[name].values
    values[index] = value
    changed[name] = (changed[name].dims, values)
    return changed


def weights(dataset):
    return [name for name in dataset if name.startswith("weight_")]


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("ridge", {"radius": 300}),
        ("ridge", {"radius": 2}),
        ("ridge", {"degree": 1}),
        ("ridge", {"radius": 10**15, "degree": 3}),
        ("sparse", {"radius": 2}),
        ("sparse", {"radius": 100}),
        ("polynomial", {"radius": 4}),
        ("polynomial", {"degree": 3}),
        ("polynomial", {"radius": 10**9}),
        ("forest", {"radius": 0}),
        ("forest", {"n_estimators": 10**9}),
        ("forest", {"max_depth": 1}),
        ("mlp", {"radius": 300}),
        ("mlp", {"radius": 4}),
        ("mlp", {"hidden": [10**9]}),
        ("mlp", {"hidden": []}),
        ("mlp", {"hidden": [3, 3]}),
        ("mlp", {"hidden": [-3]}),
    ],
)
def test_settings_that_are_not_those_of_the_weights_are_refused(files, method, changes):
    with pytest.raises(FileError, match=r"do not fit its 12 sites|are not those of its settings|cannot be used"):
        open_emulator(with_settings(files[method], **changes))


@pytest.mark.parametrize(
    ("method", "name", "index", "value"),
    [
        ("ridge", "weight_factor", (0, 0), 10**9),
        ("ridge", "weight_factor", (3, 1), -1),
        ("ridge", "weight_std", 0, 0.0),
        ("polynomial", "weight_factor", (0, 0), 10**9),
        ("polynomial", "weight_factor", (1, 0), 2),
        ("sparse", "weight_factor", (1, 0), 2),
        ("boosting", "weight_child", 0, 10**6),
        ("forest", "weight_child", 0, 10**6),
        ("forest", "weight_child", 0, -1),
        ("forest", "weight_child", 1, 0),
        ("forest", "weight_feature", 0, 3),
        ("forest", "weight_feature", 0, 255),
        ("forest", "weight_threshold", -1, 0.5),
        ("forest", "weight_root", 1, 10**6),
        ("forest", "weight_depth", (), 10**6),
        ("mlp", "weight_increment_std", (), -1.0),
    ],
)
def test_an_index_that_leads_elsewhere_is_refused_before_it_is_used(files, method, name, index, value):
    with pytest.raises(FileError, match=name.removeprefix("weight_")):
        open_emulator(with_value(files[method], name, index, value))


@pytest.mark.parametrize("method", SETTINGS)
def test_every_weight_is_needed_and_must_be_finite_and_of_its_shape(files, method):
    for name in weights(files[method]):
        with pytest.raises(FileError, match=f"lacks {name}"):
            open_emulator(files[method].drop_vars(name))
        doubled = files[method].copy()
        doubled[name] = (("one_more", *doubled[name].dims), np.stack([doubled[name].values] * 2))
        with pytest.raises(FileError, match=f"{name} has the shape"):
            open_emulator(doubled)
        broken = files[method].copy()
        broken[name] = (broken[name].dims, np.full(broken[name].shape, np.nan))
        with pytest.raises(FileError, match=f"{name} is not finite"):
            open_emulator(broken)


@pytest.mark.parametrize("method", SETTINGS)
def test_a_weight_that_the_method_does_not_know_is_refused(files, method):
    with pytest.raises(FileError, match="weight_more has no place"):
        open_emulator(files[method].assign(weight_more=1.0))


def test_a_mean_of_12_sites_is_none_of_50(files):
    with pytest.raises(FileError, match=r"weight_mean has the shape \(12,\), not \(50,\)"):
        open_emulator(files["climatology"].assign_attrs(size=50))


@pytest.mark.parametrize("method", ["ridge", "sparse", "polynomial", "forest", "mlp", "cnn"])
def test_a_ring_smaller_than_the_stencil_is_refused(files, method):
    with pytest.raises(FileError, match="do not fit its 2 sites"):
        open_emulator(files[method].assign_attrs(size=2))


@pytest.mark.parametrize(
    "attributes",
    [
        {"size": "many"},
        {"size": 0},
        {"size": -12},
        {"time_step": 0.0},
        {"time_step": float("nan")},
        {"layout": "x"},
        {"residual_std": "small"},
        {"method": "windows", "settings": "{}"},
        {"method": "nothing"},
        {"settings": "not json"},
        {"settings": 3},
    ],
)
@pytest.mark.parametrize("method", SETTINGS)
def test_attributes_that_cannot_be_are_refused_in_one_line(files, method, attributes):
    with pytest.raises(FileError) as refusal:
        open_emulator(files[method].assign_attrs(attributes))
    assert "\n" not in str(refusal.value)
