"""What is compiled ahead is what the study uses."""

from assimilearn.study.scenarios import resolve
from assimilearn.study.warm import compile_kernels


def test_every_method_of_a_study_is_run_once():
    study = {
        "study": "example",
        "analyses": {"a": {"method": "blue"}, "b": {"method": "etkf"}, "c": {"method": "etkf", "members": 9}},
        "emulators": {"d": {"method": "ridge", "trained_on": "b"}},
    }
    (scenario,) = resolve(study).scenarios.values()
    assert compile_kernels(scenario) == ["blue", "etkf", "ridge"]
