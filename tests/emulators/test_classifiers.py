"""Classifiers: labels from analyses, one neuron is logistic regression, scores as defined."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from training_sets import lorenz96_analysis

from assimilearn.emulators.classifiers import AnyClassifier, open_classifier, train_classifier
from assimilearn.errors import FileError
from assimilearn.periods import Periods
from assimilearn.verification.classifiers import score_classifier

PERIODS = Periods(spinup=0, train=400, gap=10, validation=100, test=300)
EVENT = {"quantiles": [0.8], "lead": 2, "within": True}


def settings(**given):
    return TypeAdapter(AnyClassifier).validate_python(given)


@pytest.fixture(scope="module")
def analysis():
    return lorenz96_analysis(noise=0, periods=PERIODS)


@pytest.fixture(scope="module")
def logistic(analysis):
    exact = {"C": 1e6, "tol": 1e-8, "max_iter": 1000}
    chosen = settings(method="sklearn-classifier", radius=2, parameters=exact, event=EVENT)
    return train_classifier(analysis, chosen, np.random.default_rng(0))


def test_one_linear_neuron_with_cross_entropy_is_logistic_regression(analysis, logistic):
    neuron = {"method": "mlp", "radius": 2, "hidden": [], "optimizer": "l-bfgs", "batch_size": None, "epochs": 5}
    network = settings(method="network-classifier", network=neuron, event=EVENT)
    found = train_classifier(analysis, network, np.random.default_rng(0))
    assert found["probability"].values == pytest.approx(logistic["probability"].values, abs=0.01)
    assert np.isfinite(found["loss"]).all()


def test_labels_are_what_the_analysis_says_up_to_the_lead(analysis, logistic):
    test = analysis["mean"].values[analysis["period"].values == 3]
    happens = np.maximum(test[1:-1], test[2:]) > float(logistic["boundary"][0])
    scores = score_classifier(logistic, analysis)
    p = logistic["probability"].values[:-2, :, 1]
    assert scores.attrs["brier_score"] == pytest.approx(np.mean((p - happens) ** 2), rel=1e-5)
    assert scores["confusion"].values[1, 1] == np.sum(happens & (p > 0.5))
    assert scores.attrs["brier_skill"] > 0.5 and scores.attrs["accuracy"] > scores.attrs["base_accuracy"]


def test_frequencies_have_no_skill_and_are_reliable(analysis, logistic):
    rates = logistic.copy()
    rates["probability"] = (rates["probability"].dims, np.broadcast_to(rates["base_rate"], rates["probability"].shape))
    scores = score_classifier(rates, analysis)
    assert scores.attrs["brier_skill"] == pytest.approx(0, abs=1e-12)
    assert scores.attrs["reliability"] < 0.003


def test_terciles_by_softmax_are_sharper_than_chance(analysis):
    chosen = settings(
        method="network-classifier", network={"method": "resnet", "width": 8, "epochs": 6}, event={"lead": 2}
    )
    found = train_classifier(analysis, chosen, np.random.default_rng(0))
    assert found["base_rate"].values == pytest.approx(1 / 3, abs=0.01)
    assert found["probability"].sum("category").values == pytest.approx(1, abs=1e-6)
    assert score_classifier(found, analysis).attrs["accuracy"] > 0.6
    states = analysis["mean"].values[-3:]
    again = open_classifier(found).probability(states)
    assert again == pytest.approx(found["probability"].values[-3:], abs=1e-6)


def test_what_cannot_be_learned_is_refused(analysis):
    with pytest.raises(FileError, match="all of one category"):
        train_classifier(analysis, settings(method="sklearn-classifier", event={"thresholds": [99]}), None)
    with pytest.raises(ValidationError, match="scikit-learn has no 'Ridge' here"):
        settings(method="sklearn-classifier", estimator="Ridge")
    with pytest.raises(ValidationError, match="leave out lead"):
        settings(method="network-classifier", network={"method": "mlp", "lead": 4})
