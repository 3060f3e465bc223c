"""What happens to an ensemble after its update."""

import numpy as np
import pytest

from assimilearn.assimilation.algebra.rotations import rotation_noise
from assimilearn.assimilation.cycling.inflation import relax_and_inflate


@pytest.fixture
def ensembles():
    rng = np.random.default_rng(0)
    prior = 3 + rng.standard_normal((10, 5)) * np.arange(1, 6)
    return prior, 2 + 0.3 * rng.standard_normal((10, 5)), rng


def inflated(analysis, prior, inflation=1.0, rtps=0.0, rtpp=0.0, noise=()):
    E = analysis.copy()
    spread = prior.std(axis=0, ddof=1)
    relax_and_inflate(E, prior.copy(), spread, np.array([inflation, rtps, rtpp]), np.array(noise, dtype=float))
    np.testing.assert_allclose(E.mean(axis=0), analysis.mean(axis=0), atol=1e-12)
    return E - E.mean(axis=0)


def anomalies(E):
    return E - E.mean(axis=0)


def test_inflation_multiplies_the_anomalies(ensembles):
    prior, analysis, _ = ensembles
    np.testing.assert_allclose(inflated(analysis, prior, inflation=1.5), 1.5 * anomalies(analysis), atol=1e-12)


def test_rtps_mixes_the_spreads(ensembles):
    prior, analysis, _ = ensembles
    expected = 0.6 * prior.std(axis=0, ddof=1) + 0.4 * analysis.std(axis=0, ddof=1)
    np.testing.assert_allclose(inflated(analysis, prior, rtps=0.6).std(axis=0, ddof=1), expected, rtol=1e-12)


def test_rtpp_mixes_the_anomalies(ensembles):
    prior, analysis, _ = ensembles
    expected = 0.7 * anomalies(prior) + 0.3 * anomalies(analysis)
    np.testing.assert_allclose(inflated(analysis, prior, rtpp=0.7), expected, atol=1e-12)


def test_a_rotation_keeps_the_covariance_and_moves_the_members(ensembles):
    prior, analysis, rng = ensembles
    turned = inflated(analysis, prior, noise=rng.standard_normal(rotation_noise(10)))
    np.testing.assert_allclose(np.cov(turned.T), np.cov(analysis.T), atol=1e-12)
    assert np.abs(turned - anomalies(analysis)).max() > 0.1


def test_relaxation_comes_before_inflation(ensembles):
    prior, analysis, _ = ensembles
    both = inflated(analysis, prior, inflation=1.2, rtpp=0.7)
    np.testing.assert_allclose(both, 1.2 * inflated(analysis, prior, rtpp=0.7), atol=1e-12)
