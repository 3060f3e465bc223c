"""Any scikit-learn regressor as an emulator: on a stencil or the whole state, stored without pickle."""

import io
import zipfile

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError
from training_sets import lorenz96_analysis

from assimilearn import store
from assimilearn.assimilation import METHODS, assimilate
from assimilearn.emulators import open_emulator, train
from assimilearn.emulators.classical.regressor import RegressorSettings, restored, stored
from assimilearn.emulators.fields import view
from assimilearn.errors import FileError, SettingsError
from assimilearn.models import build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.geometry import grid
from assimilearn.models.lorenz63 import Lorenz63Settings
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags

KINDS = {
    "boosting": {"estimator": "HistGradientBoostingRegressor", "parameters": {"max_iter": 20}, "stride": 3},
    "pipeline": {"estimator": ["PolynomialFeatures", "Ridge"], "parameters": {"ridge__alpha": 1e-3}},
    "neighbours": {"estimator": "KNeighborsRegressor"},
    "one output at a time": {"estimator": "SVR", "radius": None, "stride": 20},
    "whole state": {"estimator": "Ridge", "radius": None},
    "random": {"estimator": "ExtraTreesRegressor", "parameters": {"n_estimators": 3}, "stride": 5},
}


@pytest.fixture(scope="module")
def analysis():
    return lorenz96_analysis()


@pytest.mark.parametrize("kind", KINDS)
def test_a_regressor_is_trained_stored_and_opened_to_the_same_bytes_and_forecasts(analysis, kind, tmp_path):
    settings = RegressorSettings(**KINDS[kind])
    first, again = (train(analysis, settings, np.random.default_rng(0)) for _ in range(2))
    xr.testing.assert_identical(first, again)
    store.write(first, tmp_path / "emulator.nc")
    emulator = open_emulator(store.read(tmp_path / "emulator.nc"))
    states = analysis["mean"].values[10:14].astype(float)
    np.testing.assert_array_equal(emulator.step(states), open_emulator(first).step(states))
    np.testing.assert_allclose(emulator.step(states[1]), emulator.step(states)[1], rtol=1e-12)
    persistence = np.sqrt(np.mean(np.diff(analysis["mean"].values, axis=0) ** 2))
    assert emulator.compiled is None and emulator.residual_std < persistence


def test_the_pipeline_learns_what_scikit_learn_alone_learns(analysis):
    from sklearn.linear_model import Ridge

    settings = RegressorSettings(estimator="Ridge", radius=1)
    emulator = open_emulator(train(analysis, settings, np.random.default_rng(0)))
    mean = analysis["mean"].values.astype(float)[analysis["period"].values == 1]
    z = (mean[:-1] - mean[:-1].mean()) / mean[:-1].std()
    rows = np.stack([np.roll(z, 1, axis=1), z, np.roll(z, -1, axis=1)], axis=-1).reshape(-1, 3)
    increments = np.diff(mean, axis=0)
    scale = np.sqrt(np.mean(increments**2))
    plain = Ridge().fit(rows, (increments / scale).reshape(-1))
    expected = mean[:-1] + scale * plain.predict(rows).reshape(increments.shape)
    np.testing.assert_allclose(emulator.step(mean[:-1]), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("bad", "what"), [
    ({"estimator": "HistGradientBostingRegressor"}, "did you mean 'HistGradientBoostingRegressor'"),
    ({"estimator": ["Ridge", "Ridge"]}, "no transformer 'Ridge'"),
    ({"estimator": []}, "name a regressor"),
    ({"parameters": {"maxiter": 3}}, "no parameter 'maxiter'; did you mean 'max_iter'"),
])  # fmt: skip
def test_what_scikit_learn_does_not_have_is_refused_with_the_nearest_name(bad, what):
    with pytest.raises(ValidationError, match=what):
        RegressorSettings(**bad)


def test_a_value_that_scikit_learn_refuses_is_one_sentence(analysis):
    settings = RegressorSettings(estimator="Ridge", parameters={"alpha": -1.0})
    with pytest.raises(SettingsError, match="scikit-learn cannot fit Ridge: "):
        train(analysis, settings, np.random.default_rng(0))


class Smuggled:
    """Not a type of scikit-learn."""


def test_a_stored_type_that_is_not_trusted_is_refused_and_not_made():
    from sklearn.dummy import DummyRegressor

    estimator = DummyRegressor().fit([[0.0]], [0.0])
    estimator.extra_ = Smuggled()
    with pytest.raises(FileError, match=r"the type .*Smuggled, which is not trusted"):
        restored(stored(estimator).values)


def test_bytes_that_are_no_estimator_are_refused():
    from sklearn.linear_model import Ridge

    whole = stored(Ridge().fit(np.eye(3), np.arange(3))).values
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    for content in (whole[: whole.size // 2], np.zeros(9, np.uint8), np.frombuffer(empty.getvalue(), np.uint8)):
        with pytest.raises(FileError, match="cannot be read"):
            restored(content)


def test_an_estimator_of_other_inputs_is_refused(analysis):
    file = train(analysis, RegressorSettings(estimator="Ridge", radius=1), np.random.default_rng(0))
    file.attrs["settings"] = RegressorSettings(estimator="Ridge", radius=3).canonical()
    with pytest.raises(FileError, match="does not take the 7 inputs"):
        open_emulator(file)


def test_a_view_of_a_plane_gives_every_site_once_and_sees_all_fields():
    seen = view(grid({"a": (4, 5), "b": (4, 5)}), 1)
    assert seen.inputs.shape == (20, 18) and sorted(seen.outputs.ravel()) == list(range(40))
    states = np.random.default_rng(0).standard_normal((3, 40))
    np.testing.assert_array_equal(seen.states(seen.targets(states)), states)


@pytest.fixture(scope="module")
def lorenz63():
    """Observations of a Lorenz-63 truth, its analysis by an ETKF, and the climatology."""
    model, rng = build(Lorenz63Settings()), np.random.default_rng(0)
    flags = period_flags(Periods(spinup=50, train=1200, gap=10, validation=100, test=100))
    truth = simulate(model, TruthSettings(spinup=10), 0.05 * np.arange(flags.size), flags, rng)
    observations = observe(truth, ObservationSettings(network={"method": "all"}, every=5, error_std=0.5), rng)
    reference = climate(model, ClimateSettings(duration=200, segment=20, lyapunov_duration=1), rng)
    etkf = METHODS["etkf"](members=8, inflation=1.02)
    return truth, observations, reference, assimilate(observations, model, etkf, reference, rng)


def test_lorenz63_is_learned_as_a_whole_and_assimilates(lorenz63):
    truth, observations, reference, analysis = lorenz63
    settings = RegressorSettings(
        estimator=["PolynomialFeatures", "Ridge"],
        parameters={"polynomialfeatures__degree": 4, "ridge__alpha": 1e-6},
        radius=None,
    )
    emulator = open_emulator(train(analysis, settings, np.random.default_rng(0)))
    etkf = METHODS["etkf"](members=8, inflation=1.1, model_error="residual")
    again = assimilate(observations, emulator, etkf, reference, np.random.default_rng(1))
    test = again["period"].values == 3
    rmse = np.sqrt(np.mean((again["mean"].values - truth["state"].values)[test] ** 2))
    assert again.attrs["status"] == "ok" and rmse < 0.5


@pytest.mark.parametrize(("method", "what"), [
    ("polynomial", "polynomial learns one function for all sites of a ring, and the sites of this model are not alike"),
    ("cnn", "cnn convolves along one axis or two"),
])  # fmt: skip
def test_one_function_for_all_sites_is_refused_where_sites_are_not_alike(lorenz63, method, what):
    from pydantic import TypeAdapter

    from assimilearn.emulators import AnyEmulator

    settings = TypeAdapter(AnyEmulator).validate_python({"method": method})
    with pytest.raises(SettingsError, match=what):
        train(lorenz63[3], settings, np.random.default_rng(0))
