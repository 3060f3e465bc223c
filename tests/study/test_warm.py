"""What is compiled ahead is what the study uses."""

import gc

import numpy as np
from numba.core.dispatcher import Dispatcher

from assimilearn.assimilation import assimilate
from assimilearn.assimilation.methods.interpolation import InterpolationSettings
from assimilearn.emulators import open_emulator, train
from assimilearn.models import Lorenz96, Lorenz96Settings
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.truth import TruthSettings, simulate
from assimilearn.observations import ObservationSettings, observe
from assimilearn.periods import Periods, period_flags
from assimilearn.study.scenarios import resolve
from assimilearn.study.warm import analyses_of, compile_kernels, emulators_of


def scenario(**nodes):
    (only,) = resolve({"study": "example", **nodes}).scenarios.values()
    return only


def loop(method="etkf", **settings):
    learner = {"method": "ridge", "radius": 1}
    return {"start": "a", "emulator": learner, "analysis": {"method": method, "model_error": "residual", **settings}}


def test_every_method_of_a_study_is_run_once():
    study = scenario(
        analyses={"a": {"method": "blue"}, "b": {"method": "etkf"}, "c": {"method": "etkf", "members": 9}},
        emulators={"d": {"method": "ridge", "trained_on": "b"}},
    )
    assert compile_kernels(study) == ["blue", "etkf", "ridge"]
    assert len(analyses_of(study)) == 2


def test_methods_of_loops_and_sweeps_are_among_them():
    study = scenario(
        analyses={"a": {"method": "blue"}},
        loops={"learned": loop("letkf")},
        sweeps={"s": {"analysis": {"method": "denkf"}, "over": {"members": [20, 30]}}},
    )
    assert [settings.method for settings in analyses_of(study)] == ["blue", "letkf", "denkf"]
    (learner,) = emulators_of(study)
    assert (learner.method, learner.radius) == ("ridge", 1)


def test_networks_have_no_kernels_to_compile():
    assert not emulators_of(
        scenario(emulators={"d": {"method": "cnn", "trained_on": "b"}}, analyses={"b": {"method": "blue"}})
    )


def test_settings_that_choose_other_kernels_are_run_too():
    plain, turned = {"method": "etkf"}, {"method": "etkf", "rotation": True}
    core = {"method": "etkf", "model_error": 0.1, "model_error_treatment": "square_root"}
    nodes = {"a": plain, "b": turned, "c": {**turned, "members": 9}, "d": core}
    study = scenario(analyses=nodes)
    assert [settings.rotation for settings in analyses_of(study)] == [False, True, False]
    assert [settings.model_error for settings in analyses_of(study)] == [None, None, 0.1]


def test_of_model_errors_only_that_of_a_trained_emulator_is_left_out():
    nodes = {"a": {"method": "enkf", "model_error": "residual"}, "b": {"method": "etkf", "model_error": "estimated"}}
    study = scenario(analyses={**nodes, "c": {"method": "lpf"}, "d": {"method": "blue"}})
    assert [getattr(settings, "model_error", "none") for settings in analyses_of(study)] == [
        None,
        "estimated",
        0.05,
        "none",
    ]


def compiled():
    """How many forms of each kernel there are."""
    return {id(kernel): len(kernel.signatures) for kernel in gc.get_objects() if isinstance(kernel, Dispatcher)}


def test_nothing_is_left_to_compile_when_a_learned_model_with_its_error_takes_the_place_of_the_physical_one():
    study = scenario(
        analyses={"a": {"method": "interpolation"}, "b": {"method": "enks", "lag": 2, "model_error": "residual"}},
        loops={"learned": {**loop(), "emulator": {"method": "ridge"}}},
    )
    compile_kernels(study)
    rng, model = np.random.default_rng(0), Lorenz96(Lorenz96Settings(size=20))
    flags = period_flags(Periods(spinup=0, train=120, gap=0, validation=60, test=20))
    reference = climate(model, ClimateSettings(duration=60, lyapunov_duration=1), rng)
    truth = simulate(model, TruthSettings(), np.arange(flags.size) * model.time_step, flags, rng)
    observations = observe(truth, ObservationSettings(), rng)
    analysis = assimilate(observations, model, InterpolationSettings(), reference, rng)
    learned = open_emulator(train(analysis, study.loops["learned"].emulator, rng))
    before = compiled()
    for settings in (study.loops["learned"].analysis, study.analyses["b"]):
        assert settings.model_error == "residual"
        assert assimilate(observations, learned, settings, reference, rng).attrs["status"] == "ok"
    after = compiled()
    assert after == before
