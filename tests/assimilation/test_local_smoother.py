"""Local smoother: the global one without a taper, the LETKF without a lag, and what localization is for."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate


def twin(times, error_std=1.0):
    """Lorenz-96, observed everywhere, with gaps."""
    model, truth = lorenz96_truth(times)
    observations = observe_states(truth, 0.05, error_std, np.random.default_rng(1))
    observations["valid"][7, 5:] = 0
    observations["valid"][9] = 0
    return truth, observations, model, lorenz96_climatology()


def run(twin, method, **settings):
    _, observations, model, climate = twin
    return assimilate(observations, model, METHODS[method](**settings), climate, np.random.default_rng(0))


@pytest.mark.parametrize("rotation", [False, True])
def test_without_a_taper_it_is_the_global_smoother(rotation):
    options = {"members": 30, "inflation": 1.03, "lag": 4, "rotation": rotation, "keep_members": "all"}
    experiment = twin(20)
    local = run(experiment, "letks", taper="boxcar", localization_radius=1e6, **options)
    whole = run(experiment, "enks", **options)
    for name in ("mean", "spread", "forecast_mean", "members"):
        np.testing.assert_allclose(local[name], whole[name], atol=2e-4, err_msg=name)


def test_without_a_lag_it_is_the_local_filter():
    options = {"members": 10, "inflation": 1.04, "localization_radius": 3.0}
    experiment = twin(20)
    smoother, filter_ = run(experiment, "letks", lag=0, **options), run(experiment, "letkf", **options)
    for name in ("mean", "spread", "forecast_mean", "innovation"):
        np.testing.assert_allclose(smoother[name], filter_[name], atol=2e-4, err_msg=name)


def test_ten_members_smooth_lorenz96_with_localization_and_not_without():
    experiment = twin(250)
    truth, score = experiment[0], {}
    cases = {"letkf": {"localization_radius": 4.0}, "letks": {"localization_radius": 4.0, "lag": 4}, "enks": {"lag": 4}}
    for method, options in cases.items():
        analysis = run(experiment, method, members=10, inflation=1.04, **options)
        score[method] = float(np.sqrt(((analysis["mean"] - truth) ** 2).mean("site"))[80:].mean())
    assert score["letks"] < 0.1 * score["enks"]
    assert score["letks"] < 0.9 * score["letkf"]


def test_an_observation_leaves_past_and_present_alone_where_it_does_not_reach():
    model, rng = linear_model(n=9), np.random.default_rng(0)
    observations = observe_states(rng.standard_normal((4, 9)), 0.1, 0.5, rng, [4])
    climate = climatology_file(np.zeros(9), np.eye(9))
    options = {"members": 8, "inflation": 1.0, "taper": "boxcar", "localization_radius": 0.6, "keep_members": "all"}
    runs = []
    for change in (0.0, 3.0):
        observations["value"][-1] += change
        runs.append(
            assimilate(observations, model, METHODS["letks"](lag=3, **options), climate, np.random.default_rng(0))
        )
    moved = np.abs(runs[1]["members"] - runs[0]["members"]).max(["ensemble_time", "member"]).values > 1e-6
    np.testing.assert_array_equal(np.flatnonzero(moved), [3, 4, 5])


def test_a_negative_lag_is_refused():
    with pytest.raises(ValidationError, match="lag"):
        METHODS["letks"](lag=-1)
