"""Particle filters that move members before they are weighted, or draw several around each: exact mixtures, scores."""

import numpy as np
import pytest

from assimilearn.assimilation.algebra.weights import log_likelihood, reweighted, scott, weighted_covariance
from assimilearn.assimilation.methods import optpf, pfxn
from assimilearn.assimilation.methods.optpf import OptPFSettings
from assimilearn.assimilation.methods.pfxn import PFxNSettings
from assimilearn.assimilation.twin import TwinSettings
from assimilearn.models import build
from assimilearn.models.climate import ClimateSettings, climate
from assimilearn.models.lorenz63 import Lorenz63Settings
from assimilearn.models.truth import TruthSettings
from assimilearn.observations.networks import AllSites
from assimilearn.observations.observe import ObservationSettings
from assimilearn.study.twins import twins
from assimilearn.tuning.sweep import sweep

Y, VARIANCE, H = np.array([0.8, -0.5]), np.array([0.3, 0.6]), np.array([[1.0, 0, 0], [0, 0.5, 1.0]])


def see(E):
    return E @ H.T


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    w = rng.uniform(0.2, 1, 12)
    return rng.standard_normal((12, 3)), w / w.sum(), rng


def mixture(E, w, kernel):
    """Mean of the posterior where the prior is a sum of normal kernels around the members: one Kalman update each."""
    Q = (kernel * scott(*E.shape)) ** 2 * weighted_covariance(E, w)
    C = H @ Q @ H.T + np.diag(VARIANCE)
    d = Y - see(E)
    moved = E + d @ np.linalg.solve(C, H @ Q)
    weight = w * np.exp(-0.5 * np.einsum("jo,op,jp->j", d, np.linalg.inv(C), d))
    return weight @ moved / weight.sum(), weight / weight.sum()


def test_without_kernels_the_optimal_proposal_is_the_bootstrap_filter(cloud):
    E, w, rng = cloud
    moved, weights = optpf.update(E, w, Y, VARIANCE, see, rng, kernel=0.0, n=E.shape[1])
    np.testing.assert_array_equal(moved, E)
    np.testing.assert_allclose(weights, reweighted(w, log_likelihood(see(E), Y, VARIANCE)), rtol=1e-12)


def test_the_optimal_proposal_draws_from_the_posterior_of_a_sum_of_kernels(cloud):
    E, w, rng = cloud
    mean, weights = mixture(E, w, 1.2)
    runs = [optpf.update(E, w, Y, VARIANCE, see, rng, kernel=1.2, n=E.shape[1]) for _ in range(3000)]
    np.testing.assert_allclose(runs[0][1], weights, rtol=1e-10)
    np.testing.assert_allclose(np.mean([u @ x for x, u in runs], axis=0), mean, atol=0.015)


def test_many_draws_from_the_kernels_have_the_posterior_of_their_sum_and_few_different_ones_go_on(cloud):
    E, w, rng = cloud
    settings = PFxNSettings(members=12, draws=8000, kernel=1.2, resampling_threshold=1.0)
    drawn, weights = pfxn.update(E, w, Y, VARIANCE, see, rng, settings, E.shape[1])
    assert len(drawn) == 12 * 8000
    np.testing.assert_allclose(weights @ drawn, mixture(E, w, 1.2)[0], atol=0.02)
    kept = [pfxn.renewed(drawn, weights, rng, 12) for _ in range(300)]
    assert all(len(np.unique(x, axis=0)) == 12 for x, _ in kept)
    np.testing.assert_allclose(np.mean([u @ x for x, u in kept], axis=0), weights @ drawn, atol=0.03)


def test_members_that_explain_the_observations_are_not_drawn_anew(cloud):
    E, w, rng = cloud
    settings = PFxNSettings(members=12, resampling_threshold=0.01)
    same, _ = pfxn.update(E, w, Y, VARIANCE, see, rng, settings, E.shape[1])
    assert same is E and pfxn.renewed(E, w, rng, 12)[0] is E


@pytest.mark.slow
def test_particle_filters_reach_the_published_score_of_lorenz63():
    """DAPPER, mods/Lorenz63/sakov2012.py: PFxN with 30 members and 1,000 draws 0.56; the other is no worse."""
    model = build(Lorenz63Settings())
    file = climate(model, ClimateSettings(duration=500, lyapunov_duration=1), np.random.default_rng(0))
    observing = ObservationSettings(every=25, network=AllSites(), error_std=2**0.5)
    length = TwinSettings(steps=1160, burn_in=160)
    for settings in (
        PFxNSettings(members=30, draws=1000, kernel=2.0, resampling_threshold=0.2),
        OptPFSettings(members=100, kernel=0.5, resampling_threshold=0.3, regularization=2.4),
    ):
        realizations = twins(model, length, TruthSettings(), observing, 63, 3)
        scores = sweep(realizations, model, settings, {}, file)
        assert float(scores["rmse_median"]) == pytest.approx(0.55, abs=0.04)
