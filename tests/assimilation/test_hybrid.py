"""The hybrid of ensemble and 3D-Var: its two ends, its formula, and what a blend gains for a small ensemble."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.local.taper_functions import gaspari_cohn


def linear_twin():
    rng = np.random.default_rng(0)
    observations = observe_states(rng.standard_normal((15, 4)), 0.1, 0.7, rng, [0, 2])
    observations["valid"][6] = 0
    return observations, linear_model(), climatology_file(np.ones(4), np.diag([1.0, 2, 3, 4]) + 0.5)


def run(twin, method, **settings):
    observations, model, climate = twin
    return assimilate(observations, model, METHODS[method](**settings), climate, np.random.default_rng(1))


@pytest.mark.parametrize("background", ["climatology", "identity"])
def test_with_all_weight_on_the_static_covariance_the_mean_is_that_of_3dvar(background):
    static = {"background": background, "background_scale": 0.3}
    hybrid = run(linear_twin(), "hybrid", static_weight=1.0, members=5, **static)
    threedvar = run(linear_twin(), "3dvar", **static)
    for name in ("mean", "forecast_mean", "forecast_spread", "innovation_std"):
        np.testing.assert_allclose(hybrid[name], threedvar[name], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(hybrid["spread"][1:], threedvar["spread"][1:], rtol=1e-5)


@pytest.mark.parametrize("rotation", [False, True])
def test_without_weight_on_the_static_covariance_it_is_the_etkf(rotation):
    model, truth = lorenz96_truth(30)
    twin = observe_states(truth, 0.05, 1.0, np.random.default_rng(3)), model, lorenz96_climatology()
    common = {"members": 12, "inflation": 1.03, "rotation": rotation, "model_error": 0.05, "keep_members": "all"}
    hybrid, etkf = run(twin, "hybrid", static_weight=0.0, **common), run(twin, "etkf", **common)
    for name in ("mean", "members", "forecast_spread", "innovation_std"):
        np.testing.assert_allclose(hybrid[name], etkf[name], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(hybrid["spread"][1:] * 1.03, etkf["spread"][1:], rtol=1e-4)


def test_one_update_is_the_gain_of_the_blended_covariance():
    model, truth = lorenz96_truth(2)
    observations = observe_states(truth, 0.05, 0.8, np.random.default_rng(3), np.arange(0, 40, 3))
    climate = lorenz96_climatology()
    settings = {"static_weight": 0.4, "background_scale": 0.1, "localization_radius": 3.0, "keep_members": "all"}
    analysis = run((observations, model, climate), "hybrid", members=8, inflation=1.0, **settings)
    E = analysis["forecast_members"].values[1].astype(float)
    A, sites = E - E.mean(axis=0), np.arange(0, 40, 3)
    apart = np.abs(np.arange(40)[:, None] - np.arange(40))
    taper = gaspari_cohn(np.minimum(apart, 40 - apart), 3.0)
    P = 0.4 * 0.1 * climate["covariance"].values + 0.6 * taper * (A.T @ A / 7)
    K = P[:, sites] @ np.linalg.inv(P[np.ix_(sites, sites)] + 0.64 * np.eye(len(sites)))
    mean = E.mean(axis=0) + K @ (observations["value"].values[1] - E.mean(axis=0)[sites])
    np.testing.assert_allclose(analysis["mean"][1], mean, atol=1e-4)
    np.testing.assert_allclose(analysis["members"][1].mean("member"), mean, atol=1e-4)
    np.testing.assert_allclose(analysis["spread"][1] ** 2, np.diag(P - K @ P[sites]), rtol=1e-3)
    np.testing.assert_allclose(analysis["forecast_spread"][1] ** 2, np.diag(P), rtol=1e-3)


def test_a_blend_lets_a_small_ensemble_beat_both_of_its_parts():
    # Hamill & Snyder (2000): with few members a mixture is better than the ensemble alone and than 3D-Var alone
    model, truth = lorenz96_truth(500)
    twin = observe_states(truth, 0.05, 1.0, np.random.default_rng(1)), model, lorenz96_climatology()
    score = [
        float(
            np.sqrt(((run(twin, "hybrid", members=10, static_weight=w)["mean"] - truth) ** 2).mean("site"))[100:].mean()
        )
        for w in (0.0, 0.3, 1.0)
    ]
    assert score[0] > 1  # ten members do not span the thirteen growing directions
    assert 0.38 < score[2] < 0.43  # 3D-Var
    assert score[1] < 0.85 * score[2]


@pytest.mark.parametrize(
    "wrong", [{"static_weight": 1.2}, {"localization_radius": 0}, {"background_scale": -1}, {"members": 1}]
)
def test_settings_out_of_bounds_are_refused(wrong):
    with pytest.raises(ValidationError):
        METHODS["hybrid"](**wrong)
