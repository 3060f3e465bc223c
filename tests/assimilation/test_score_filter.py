"""The score filter: what it draws is the posterior where that is known, and it follows a nonlinear model."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.methods.score_filter import Likelihood, ScoreFilterSettings, drawn
from assimilearn.observations.rows import ARCTAN, DIRECT, Operator

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


def test_without_information_in_the_observations_every_member_comes_back_with_the_first_variance_about_it():
    rng = np.random.default_rng(1)
    E = forecast(500, rng)
    told = Likelihood(Y, 1e8 * np.ones(2), SITES, DIRECT)
    A = drawn(E, told, ScoreFilterSettings(pseudo_steps=300, last_scale=0.01), rng)
    np.testing.assert_allclose((A - E).mean(axis=0), 0.0, atol=0.03)
    np.testing.assert_allclose(np.cov((A - E).T), 0.025 * np.eye(3), atol=0.005)


def test_for_a_nonlinear_operator_the_matched_moments_are_those_of_the_function_over_the_prior():
    """At a far point of the arc tangent a tangent sees next to nothing; over the prior's width it sees the truth."""
    operator = Operator(np.array([[0], [2]]), np.ones((2, 1)), np.full(2, ARCTAN))
    told = Likelihood(Y, VARIANCE, np.array([0, 1]), operator)
    U, std = np.array([[6.0, 0.3]]), np.array([3.0, 0.5])
    draws = U + std * np.random.default_rng(4).standard_normal((400_000, 2))
    mean, slope, unexplained = told.expected(U, std)
    f = np.arctan(draws)
    np.testing.assert_allclose(mean[0], f.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(slope[0], (f * (draws - U)).mean(axis=0) / std**2, atol=0.02)
    np.testing.assert_allclose(unexplained[0], f.var(axis=0) - (slope[0] * std) ** 2, atol=0.03)


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
