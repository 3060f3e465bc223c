"""Learned analysis steps in a study: what each is made from, and what is wrong with it."""

import pytest

from assimilearn.study.plan import Plan
from assimilearn.study.problems import ConfigurationError
from assimilearn.study.scenarios import resolve

STUDY = {
    "study": "example",
    "analyses": {"learned": {"method": "learned", "assimilator": "step"}, "etkf": {"method": "etkf"}},
    "assimilators": {"step": {"method": "recurrent-gain"}},
}


def planned(**step):
    return Plan(resolve(STUDY | {"assimilators": {"step": {"method": "recurrent-gain", **step}}})).scenarios["base"]


def test_the_truth_is_an_input_of_training_only_where_it_is_asked_for():
    assert set(planned(learns_from="truth").assimilator_inputs("step")) == {"observations", "climate", "model", "truth"}
    assert set(planned(learns_from="observations").assimilator_inputs("step")) == {"observations", "climate", "model"}


def test_an_analysis_needs_the_step_that_it_names_and_no_other_does():
    plan = planned()
    assert plan.analysis_assimilator("learned") == ["results/example/base/assimilators/step.nc"]
    assert plan.analysis_assimilator("etkf") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"assimilators": {}}, "analyses.learned.assimilator: there is no assimilator 'step'"),
        ({"models": {"l63": {"method": "lorenz63"}}}, "convolves along one axis"),
        ({"assimilators": {"step": {"method": "recurrent-gain", "kernel": 4}}}, "the kernel must be odd"),
        ({"data": {"observations": "brought.nc"}}, "no truth is known of the data"),
    ],
)
def test_what_cannot_be_is_told(change, message):
    with pytest.raises(ConfigurationError, match=message):
        resolve(STUDY | change)
