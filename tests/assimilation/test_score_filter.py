"""The score filter: what it draws is the posterior where that is known, and it follows a nonlinear model."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.methods.score_filter import Likelihood, ScoreFilterSettings, drawn
from assimilearn.observations.rows import DIRECT

P = np.array([[2.0, 0.8, 0.1], [0.8, 1.5, -0.4], [0.1, -0.4, 1.0]])
MEAN, SITES, Y, VARIANCE = np.array([1.0, -0.5, 2.0]), np.array([0, 2]), np.array([2.0, 1.0]), np.array([0.5, 0.2])


def exact_posterior():
    H = np.eye(3)[SITES]
    K = P @ H.T @ np.linalg.inv(H @ P @ H.T + np.diag(VARIANCE))
    return MEAN + K @ (Y - H @ MEAN), P - K @ H @ P


def forecast(members, rng):
    """Members whose mean and covariance are exactly those of the prior."""
    E = rng.standard_normal((members, 3))
    E = (E - E.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(E.T))).T
    return MEAN + E @ np.linalg.cholesky(P).T


@pytest.mark.parametrize("sampler", ["sde", "flow"])
def test_on_a_linear_gaussian_case_the_members_are_draws_from_the_exact_posterior(sampler):
    rng = np.random.default_rng(0)
    settings = ScoreFilterSettings(
        prior="gaussian", likelihood="matched", sampler=sampler, pseudo_steps=300, last_scale=0.01
    )
    E = drawn(forecast(4000, rng), Likelihood(Y, VARIANCE, SITES, DIRECT), settings, rng)
    mean, covariance = exact_posterior()
    np.testing.assert_allclose(E.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(E.T), covariance, atol=0.07)  # three standard errors of 4000 draws


def test_without_information_in_the_observations_members_are_draws_from_the_forecast():
    rng = np.random.default_rng(1)
    E = forecast(500, rng)
    told = Likelihood(Y, 1e8 * np.ones(2), SITES, DIRECT)
    A = drawn(E, told, ScoreFilterSettings(pseudo_steps=300), rng)
    np.testing.assert_allclose(A.mean(axis=0), E.mean(axis=0), atol=0.2)
    np.testing.assert_allclose(np.cov(A.T), np.cov(E.T), atol=0.35)


def test_it_follows_lorenz_96_closer_than_its_observations_are():
    model, truth = lorenz96_truth(120, n=12)
    observations = observe_states(truth, model.time_step, 0.5, np.random.default_rng(2))
    settings = METHODS["score-filter"](members=20, pseudo_steps=40, relaxation_to_prior_spread=0.3)
    analysis = assimilate(observations, model, settings, lorenz96_climatology(12), np.random.default_rng(3))
    error = np.sqrt(((analysis["mean"].values - truth)[40:] ** 2).mean())
    assert error < 0.45


def test_moments_are_matched_for_a_gaussian_prior_only():
    with pytest.raises(ValidationError, match="matched moments"):
        ScoreFilterSettings(likelihood="matched")
