"""Particle filter: Bayes' rule on the weights, resampling, and the Kalman filter in the limit."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import (
    climatology_file,
    kalman_filter,
    linear_model,
    lorenz96_climatology,
    lorenz96_truth,
    observe_states,
)

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.algebra.weights import (
    effective_size,
    log_likelihood,
    resample,
    reweighted,
    systematic,
    weighted_moments,
)
from assimilearn.assimilation.methods.particle import ParticleSettings, portion, update

PLAIN = {"resampling_threshold": 0.5, "regularization": 0.0, "smallest_share": 0.0}


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    w = rng.uniform(0.1, 1, 50)
    return rng.standard_normal((50, 3)), w / w.sum(), rng


def test_weights_follow_bayes_rule(cloud):
    from scipy.stats import norm

    E, w, rng = cloud
    y, variance, sites = rng.standard_normal(2), np.array([0.5, 2.0]), np.array([2, 0])
    likelihood = norm.pdf(y, E[:, sites], np.sqrt(variance)).prod(axis=1)
    found = reweighted(w, log_likelihood(E[:, sites], y, variance))
    np.testing.assert_allclose(found, w * likelihood / (w * likelihood).sum(), rtol=1e-12)


def test_weights_survive_observations_that_no_member_is_near(cloud):
    E, w, _ = cloud
    found = reweighted(w, log_likelihood(E, np.full(3, 1e4), np.full(3, 1e-2)))
    assert found.sum() == pytest.approx(1)


def test_moments_are_those_of_the_weighted_members_and_the_usual_ones_for_equal_weights(cloud):
    E, w, _ = cloud
    mean, variance = weighted_moments(E, w)
    np.testing.assert_allclose(mean, w @ E)
    np.testing.assert_allclose(variance, np.diag(np.cov(E.T, aweights=w)), rtol=1e-12)
    np.testing.assert_allclose(weighted_moments(E, np.full(50, 0.02))[1], E.var(axis=0, ddof=1), rtol=1e-12)


def test_the_effective_number_of_members_is_n_for_equal_weights_and_one_for_a_single_one():
    assert effective_size(np.full(8, 1 / 8)) == pytest.approx(8)
    assert effective_size(np.eye(8)[3]) == pytest.approx(1)


def test_systematic_resampling_takes_each_member_as_often_as_its_weight_says_up_to_rounding(cloud):
    _, w, rng = cloud
    total = np.zeros(50)
    for _ in range(400):
        counts = np.bincount(systematic(w, rng), minlength=50)
        assert (np.abs(counts - 50 * w) < 1).all()
        total += counts / 400
    np.testing.assert_allclose(total, 50 * w, atol=0.12)


def test_regularized_resampling_moves_members_drawn_more_than_once_with_the_covariance_of_the_cloud():
    rng = np.random.default_rng(1)
    N, n = 40_000, 2
    E = rng.standard_normal((N, n)) @ np.array([[1.0, 0.7], [0.0, 0.4]])
    w = np.where(np.arange(N) < N // 2, 1.9, 0.1) / N
    drawn, equal = resample(E, w, 0.5, np.random.default_rng(2), E.shape[1])
    np.testing.assert_allclose(equal, 1 / N)
    times_drawn = np.bincount(systematic(w, np.random.default_rng(2)), minlength=N)  # 1 or 2 for the heavy members
    np.testing.assert_array_equal(np.isin(E[:, 0], drawn[:, 0]), times_drawn == 1)
    bandwidth = 0.5 * N ** (-1 / (n + 4))
    copied = times_drawn[times_drawn > 1].sum()
    expected = np.cov(E.T, aweights=w) * (1 + bandwidth**2 * copied / N)
    np.testing.assert_allclose(np.cov(drawn.T), expected, rtol=0.04)


def test_a_portion_leaves_as_many_effective_members_as_asked_for(cloud):
    E, w, _ = cloud
    log_factor = log_likelihood(E, np.full(3, 3.0), np.full(3, 0.05))
    now = portion(w, log_factor, 1.0, 10.0)
    assert 0 < now < 1
    assert effective_size(reweighted(w, now * log_factor)) == pytest.approx(10, rel=1e-3)
    assert portion(w, 1e-3 * log_factor, 1.0, 10.0) == 1.0


def test_an_update_in_stages_finds_the_gaussian_posterior():
    """Within some standard deviations of the prior: much further out even 20,000 members hold none to go on from."""
    rng = np.random.default_rng(5)
    N, y = 20_000, np.array([2.5, -2.0])
    E, w = rng.standard_normal((N, 2)), np.full(N, 1 / N)
    settings = ParticleSettings(members=N, smallest_share=0.2, regularization=0.4)
    E, w = update(E, w, y, np.full(2, 0.2), lambda E: E, rng, settings, 2)
    mean, variance = weighted_moments(E, w)
    np.testing.assert_allclose(mean, y / 1.2, atol=0.1)  # the jitter widens each stage a little, so it is drawn to y
    np.testing.assert_allclose(variance, 0.2 / 1.2, rtol=0.15)


def test_the_particle_filter_converges_to_the_kalman_filter():
    model, rng = linear_model(n=2), np.random.default_rng(0)
    mean, B = np.ones(2), np.eye(2) + 0.5
    observations = observe_states(rng.standard_normal((12, 2)), 0.1, 0.8, rng, [1])
    observations["valid"][7] = 0
    exact, covariances = kalman_filter(model, observations, mean, B, model_error=0.5)
    errors = []
    for members in (200, 20_000):
        settings = METHODS["particle"](members=members, model_error=0.5, **PLAIN)
        runs = [
            assimilate(observations, model, settings, climatology_file(mean, B), np.random.default_rng(s))
            for s in range(4)
        ]
        errors.append(np.sqrt(np.mean([((run["mean"] - exact) ** 2).mean() for run in runs])))
    spread = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    np.testing.assert_allclose(runs[0]["spread"], spread, rtol=0.06)
    assert errors[1] < 3 / np.sqrt(20_000)
    assert 5 < errors[0] / errors[1] < 20  # ten, for a hundred times the members


def test_the_particle_filter_gives_the_same_compiled_and_interpreted_and_for_the_same_seed():
    model, rng = linear_model(), np.random.default_rng(0)
    observations = observe_states(rng.standard_normal((12, 4)), 0.1, 0.8, rng)
    observations["valid"][5] = 0
    climate = climatology_file(np.zeros(4), np.eye(4))
    settings = METHODS["particle"](members=60, model_error=0.2, keep_members="all")
    compiled, again = (assimilate(observations, model, settings, climate, np.random.default_rng(2)) for _ in range(2))
    assert compiled.identical(again)
    interpreted = assimilate(observations, model.interpreted(), settings, climate, np.random.default_rng(2))
    for name in compiled:
        np.testing.assert_allclose(compiled[name], interpreted[name], atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(compiled["mean"][5], compiled["forecast_mean"][5])
    np.testing.assert_allclose(compiled["members"].mean("member"), compiled["mean"], atol=0.3)


def test_the_particle_filter_finds_a_ten_site_lorenz96_from_climatology():
    model, truth = lorenz96_truth(200, n=10)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1))
    settings = METHODS["particle"](members=500)
    run = assimilate(observations, model, settings, lorenz96_climatology(n=10), np.random.default_rng(0))
    rmse = np.sqrt(((run["mean"] - truth) ** 2).mean("site"))[50:]
    assert run.attrs["lost_fraction"] == 0
    assert float(rmse.median()) < 0.35


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("members", 1),
        ("resampling_threshold", 0.0),
        ("resampling_threshold", 1.1),
        ("regularization", -0.1),
        ("smallest_share", 1.0),
        ("inflation", 1.02),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValidationError):
        METHODS["particle"](**{name: value})
