"""The cycle: one result whatever runs it, against the Kalman filter, with gaps, moving networks and divergence."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from twins import climatology_file, kalman_filter, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.cycling.filtering import Filter, ensemble_filter, prepare, run_filter
from assimilearn.assimilation.cycling.start import first_ensemble
from assimilearn.assimilation.methods.enkf import enkf_update
from assimilearn.assimilation.methods.etkf import etkf_update
from assimilearn.assimilation.problem import pose
from assimilearn.models.called import called_step
from assimilearn.models.integrate import advance

CYCLED = {
    "denkf": METHODS["denkf"](members=6, relaxation_to_prior_spread=0.3, relaxation_to_prior_perturbations=0.2),
    "enkf-n": METHODS["enkf-n"](members=6, certainty=2.0),
    "letkf": METHODS["letkf"](members=6, localization_radius=0.4),
    "ekf": METHODS["ekf"](inflation=1.1),
    "eakf": METHODS["eakf"](members=6, localization_radius=0.4),
    "3dvar": METHODS["3dvar"](background_scale=0.5),
    "enkf": METHODS["enkf"](members=6, keep_members="all", model_error=0.1),
    "esrf": METHODS["esrf"](members=6, inflation="adaptive", model_error=0.2, model_error_treatment="square_root"),
    "etkf": METHODS["etkf"](members=6, keep_members="test", rotation=True, background_check=2.5),
}


@pytest.fixture
def twin():
    """Linear twin with moving sites, missing values and irregular times."""
    model, rng = linear_model(), np.random.default_rng(11)
    sites = np.array([rng.permutation(4)[:3] for _ in range(30)])
    observations = observe_states(rng.standard_normal((30, 4)), 0.1, 0.6, rng, sites)
    observations["valid"][:] = np.arange(3) < rng.integers(1, 4, (30, 1))
    observations["valid"][5] = 0
    observations = observations.assign_coords(time=0.1 * np.cumsum(rng.integers(1, 4, 30)))
    return model, observations, climatology_file(np.zeros(4), np.eye(4) + 0.3)


@pytest.mark.parametrize("settings", CYCLED.values(), ids=CYCLED)
def test_the_cycle_gives_the_same_compiled_and_interpreted(twin, settings):
    model, observations, climate = twin
    compiled = assimilate(observations, model, settings, climate, np.random.default_rng(2))
    interpreted = assimilate(observations, model.interpreted(), settings, climate, np.random.default_rng(2))
    assert set(compiled) == set(interpreted)
    for name in compiled:
        np.testing.assert_allclose(compiled[name], interpreted[name], atol=1e-5, err_msg=name)


def test_a_step_in_python_has_the_same_bits_in_the_compiled_cycle_and_in_the_interpreted_one(twin):
    model, observations, climate = twin
    problem, settings = pose(observations, model.interpreted(), climate), METHODS["etkf"](members=6, model_error=0.1)
    method = ensemble_filter(etkf_update, settings)
    assert prepare(problem, method, settings).kernels.step is called_step
    forms = (method, replace(method, compiled=False))
    compiled, interpreted = (run_filter(problem, form, settings, np.random.default_rng(2)) for form in forms)
    for name in ("mean", "spread", "forecast_mean", "forecast_spread", "innovation", "innovation_std"):
        np.testing.assert_array_equal(getattr(compiled, name), getattr(interpreted, name))


@pytest.mark.parametrize("error", [ValueError("too deep"), KeyboardInterrupt()])
def test_what_a_step_in_python_raises_ends_the_compiled_cycle(twin, error):
    _, observations, climate = twin
    steps = []

    class Failing(type(linear_model())):
        def step(self, states):
            steps.append(1)
            if len(steps) == 4:
                raise error
            return super().step(states)

    model = Failing(linear_model().M, with_kernel=False)
    with pytest.raises(type(error)):
        assimilate(observations, model, METHODS["etkf"](members=6), climate, np.random.default_rng(2))
    assert len(steps) == 4


@pytest.mark.parametrize("settings", CYCLED.values(), ids=CYCLED)
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(twin, settings):
    model, observations, climate = twin
    first, again, other = (
        assimilate(observations, model, settings, climate, np.random.default_rng(seed)) for seed in (2, 2, 3)
    )
    assert first.identical(again)
    assert first.equals(other) == (settings.method in ("3dvar", "ekf"))


@pytest.mark.parametrize("settings", [CYCLED["enkf"], CYCLED["etkf"]], ids=["enkf", "etkf"])
def test_results_do_not_depend_on_how_many_random_numbers_are_drawn_at_once(twin, settings):
    problem = pose(*[twin[i] for i in (1, 0, 2)])
    method = Filter(enkf_update, np.empty(0), partial(first_ensemble, members=6), noise=18)
    whole, pieces = (run_filter(problem, method, settings, np.random.default_rng(4), size) for size in (10**9, 1))
    for name in ("mean", "spread", "forecast_mean", "innovation", "used", "members", "forecast_members"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))


@pytest.mark.parametrize("method", ["etkf", "enkf", "esrf", "enkf-n"])
def test_ensemble_filters_converge_to_the_kalman_filter(method):
    model, rng = linear_model(), np.random.default_rng(0)
    mean, B = np.ones(4), np.eye(4) + 0.5
    observations = observe_states(rng.standard_normal((25, 4)), 0.1, 0.8, rng, [0, 3])
    observations["valid"][7] = 0
    exact, covariances = kalman_filter(model, observations, mean, B, model_error=0.3)
    errors = []
    for members in (40, 1600):
        settings = METHODS[method](members=members, inflation=1.0, model_error=0.3)
        seeds = [np.random.default_rng(seed) for seed in range(4)]
        runs = [assimilate(observations, model, settings, climatology_file(mean, B), seed) for seed in seeds]
        errors.append(np.sqrt(np.mean([((run["mean"] - exact) ** 2).mean() for run in runs])))
    spread = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    np.testing.assert_allclose(np.mean([run["spread"] for run in runs], axis=0), spread, rtol=0.06)
    assert errors[1] < 2 / np.sqrt(1600)
    assert 3 < errors[0] / errors[1] < 12  # six, for forty times the members


@pytest.mark.parametrize("with_kernel", [True, False])
def test_the_extended_kalman_filter_is_the_kalman_filter_for_a_linear_model(with_kernel):
    model, rng = linear_model(), np.random.default_rng(0)
    mean, B = np.ones(4), np.eye(4) + 0.5
    observations = observe_states(rng.standard_normal((25, 4)), 0.1, 0.8, rng, [0, 3])
    observations["valid"][7] = 0
    exact, covariances = kalman_filter(model, observations, mean, B)
    model = model if with_kernel else model.interpreted()
    settings = METHODS["ekf"](inflation=1.0)
    analysis = assimilate(observations, model, settings, climatology_file(mean, B), rng)
    np.testing.assert_allclose(analysis["mean"], exact, atol=1e-5)
    spread = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    np.testing.assert_allclose(analysis["spread"], spread, rtol=1e-5)


def test_irregular_times_take_as_many_model_steps_as_they_are_apart(twin):
    model, observations, climate = twin
    analysis = assimilate(observations, model, METHODS["3dvar"](), climate, np.random.default_rng(0))
    steps = np.rint(np.diff(observations["time"]) / model.time_step).astype(int)
    assert set(steps) == {1, 2, 3}
    for k, count in enumerate(steps):
        expected = advance(model, analysis["mean"].values[k], count)
        np.testing.assert_allclose(analysis["forecast_mean"][k + 1], expected, atol=1e-5)


def test_a_time_without_valid_observations_leaves_the_forecast(twin):
    model, observations, climate = twin
    analysis = assimilate(observations, model, METHODS["etkf"](inflation=1.2), climate, np.random.default_rng(0))
    np.testing.assert_array_equal(analysis["mean"][5], analysis["forecast_mean"][5])
    np.testing.assert_array_equal(analysis["spread"][5], analysis["forecast_spread"][5])


def test_the_order_of_the_observations_does_not_matter(twin):
    model, observations, climate = twin
    complete = observations.isel(time=(observations["valid"] == 1).all("observation").values)
    backwards = complete.isel(observation=slice(None, None, -1))
    one, other = (
        assimilate(o, model, METHODS["3dvar"](), climate, np.random.default_rng(0)) for o in (complete, backwards)
    )
    np.testing.assert_allclose(one["mean"], other["mean"], atol=1e-5)
    np.testing.assert_allclose(one["innovation"], other["innovation"][:, ::-1], atol=1e-5)


def test_innovations_are_observation_minus_forecast_with_their_expected_spread(twin):
    model, observations, climate = twin
    analysis = assimilate(observations, model, METHODS["etkf"](members=6), climate, np.random.default_rng(0))
    sites, valid = observations["site_index"].values, observations["valid"].values != 0
    forecast = np.take_along_axis(analysis["forecast_mean"].values, sites, 1)
    spread = np.take_along_axis(analysis["forecast_spread"].values, sites, 1)
    np.testing.assert_allclose(
        analysis["innovation"].values[valid], (observations["value"].values - forecast)[valid], atol=1e-5
    )
    np.testing.assert_allclose(analysis["innovation_std"].values[valid], np.sqrt(spread**2 + 0.36)[valid], rtol=1e-5)
    assert np.isnan(analysis["innovation"].values[~valid]).all()


def test_kept_members_have_the_recorded_moments(twin):
    model, observations, climate = twin
    analysis = assimilate(observations, model, CYCLED["etkf"], climate, np.random.default_rng(0))
    at = {"time": analysis["ensemble_time"].values}
    assert (observations["period"].sel(at) == 3).all()
    assert analysis.sizes["ensemble_time"] == int((observations["period"] == 3).sum())
    for members, mean, spread in (
        ("members", "mean", "spread"),
        ("forecast_members", "forecast_mean", "forecast_spread"),
    ):
        np.testing.assert_allclose(analysis[members].mean("member"), analysis[mean].sel(at), atol=1e-5)
        np.testing.assert_allclose(analysis[members].std("member", ddof=1), analysis[spread].sel(at), atol=1e-5)


def test_the_background_check_rejects_a_gross_error_and_only_that(twin):
    model, truth = lorenz96_truth(300)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1))
    observations["value"][250, 7] += 40
    climate = lorenz96_climatology()
    settings = METHODS["etkf"](background_check=6.0)
    checked = assimilate(observations, model, settings, climate, np.random.default_rng(0))
    trusting = assimilate(observations, model, METHODS["etkf"](), climate, np.random.default_rng(0))
    assert int(checked["rejected"].sum()) == 1
    assert checked["rejected"][250, 7] == 1
    assert checked["innovation"][250, 7] > 30
    error = {name: abs(float(run["mean"][250, 7] - truth[250, 7])) for name, run in (("c", checked), ("t", trusting))}
    assert error["c"] < 1 < error["t"]


@dataclass(frozen=True)
class Exploding:
    """Grows tenfold at every step."""

    size: int = 4
    time_step: float = 0.1
    compiled: None = None

    def step(self, states):
        return 10 * states


def test_divergence_is_recorded_and_nothing_after_it_stands_as_a_result():
    rng = np.random.default_rng(0)
    observations = observe_states(np.zeros((20, 4)), 0.1, 1.0, rng)
    observations["valid"][3:] = 0
    climate = climatology_file(np.ones(4), np.eye(4))
    analysis = assimilate(observations, Exploding(), METHODS["etkf"](members=5), climate, rng)
    assert analysis.attrs["status"] == "diverged"
    assert "forecast" in analysis.attrs["reason"]
    k = int(np.searchsorted(analysis["time"], analysis.attrs["diverged_at"]))
    assert 3 < k < 19
    assert np.isfinite(analysis["mean"][:k]).all()
    for name in ("mean", "spread", "forecast_mean", "forecast_spread", "innovation"):
        assert np.isnan(analysis[name][k:]).all()


@pytest.mark.parametrize("method", ["etkf", "hybrid"])
@pytest.mark.parametrize("unit", [1e-5, 1e5])
def test_what_counts_as_divergence_follows_the_units_of_the_state(method, unit):
    """The same experiment in other units has the same fate: nothing is absurd at 100,000 that is not at 1."""
    model, rng = linear_model(), np.random.default_rng(0)
    states = np.array([np.linalg.matrix_power(model.M, k) @ np.ones(4) for k in range(20)])
    observations = observe_states(unit * states, 0.1, unit, rng)
    climate = climatology_file(np.zeros(4), unit**2 * np.eye(4))
    analysis = assimilate(observations, model, METHODS[method](), climate, np.random.default_rng(1))
    assert analysis.attrs["status"] == "ok"
    observations["value"][12:15] *= 1e6
    analysis = assimilate(observations, model, METHODS[method](), climate, np.random.default_rng(1))
    assert analysis.attrs["status"] == "diverged"
    assert "more than 50 climatological standard deviations" in analysis.attrs["reason"]


def test_a_filter_that_lost_the_truth_is_flagged_and_a_sound_one_is_not():
    model, truth = lorenz96_truth(600)
    observations, climate = observe_states(truth, 0.05, 1.0, np.random.default_rng(1)), lorenz96_climatology()
    lost, sound = (
        assimilate(observations, model, METHODS["etkf"](members=N), climate, np.random.default_rng(0)) for N in (5, 40)
    )
    assert lost.attrs["status"] == "lost" and "worse than those of climatology" in lost.attrs["reason"]
    assert lost.attrs["lost_fraction"] > 0.5 and np.isfinite(lost["mean"]).all()
    assert sound.attrs["status"] == "ok" and "reason" not in sound.attrs
    assert sound.attrs["lost_fraction"] == 0


@pytest.mark.parametrize("error_std", [1.0, 4.0])
def test_a_method_that_is_far_surer_than_right_is_lost_also_below_climatology(error_std):
    """A window of 4D-Var that trusts its background too much follows a trajectory of its own."""
    model, truth = lorenz96_truth(300, n=20)
    rng = np.random.default_rng(1)
    sites = np.argsort(rng.random((300, 20)), axis=1)[:, :10]
    observations = observe_states(truth, 0.05, error_std, rng, sites)
    settings = METHODS["4dvar"](background_scale=0.0005)
    analysis = assimilate(observations, model, settings, lorenz96_climatology(n=20), rng)
    assert analysis.attrs["status"] == "lost" and "times the spread" in analysis.attrs["reason"]
    assert 8 * float(analysis["spread"].mean()) < float(np.sqrt(((analysis["mean"] - truth) ** 2).mean()))


def test_an_assumed_observation_error_that_is_too_small_is_no_loss_of_the_truth():
    model, truth = lorenz96_truth(300, n=20)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1))
    observations["error_std"][:] = 0.3
    settings = METHODS["letkf"](members=10, inflation=1.1)
    analysis = assimilate(observations, model, settings, lorenz96_climatology(n=20), np.random.default_rng(0))
    excess = ((analysis["innovation"] / analysis["innovation_std"]) ** 2).mean()
    assert excess > 4 and analysis.attrs["status"] == "ok"


def test_etkf_on_lorenz96_reaches_its_score_with_every_site_and_with_moving_sites():
    model, truth = lorenz96_truth(1000)
    rng, climate = np.random.default_rng(1), lorenz96_climatology()
    moving = np.array([rng.choice(40, 20, replace=False) for _ in range(1000)])
    for sites, settings, expected in (
        (None, METHODS["etkf"](members=20, inflation=1.04), 0.20),
        (moving, METHODS["etkf"](members=30, inflation=1.02), 0.28),
        (None, METHODS["3dvar"](), 0.41),
        (None, METHODS["enkf"](members=40, inflation=1.06), 0.22),
    ):
        observations = observe_states(truth, 0.05, 1.0, rng, sites)
        analysis = assimilate(observations, model, settings, climate, np.random.default_rng(0))
        rmse = np.sqrt(((analysis["mean"] - truth) ** 2).mean("site"))[200:]
        assert float(rmse.median()) == pytest.approx(expected, abs=0.025)
