"""Local nonlinear ensemble transform filter: the moments of the weighted members at each site."""

import numpy as np
import pytest
from twins import lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.algebra.weights import weighted_moments
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.local.taper_functions import gaspari_cohn
from assimilearn.assimilation.methods.lnetf import lnetf_update


def updated(E, sites, y, variance, radius, smallest_share=0.0, error_scale=1.0):
    E, n = E.copy(), E.shape[1]
    domain = encoded("gaspari_cohn", radius, np.arange(float(n))[:, None], np.array([float(n)]))
    parameters = np.concatenate([[smallest_share, error_scale], domain])
    lnetf_update(E, E[:, sites].copy(), y, variance, sites, parameters, np.empty(0))
    return E


def test_each_site_has_mean_and_covariance_of_the_members_weighted_by_the_observations_around_it():
    rng, sites = np.random.default_rng(0), np.array([1, 4, 6])
    E = 2 + rng.standard_normal((12, 8)) @ rng.standard_normal((8, 8))
    y, variance = rng.standard_normal(3) + 2, np.array([4.0, 5.0, 6.0])
    analysis = updated(E, sites, y, variance, radius=1.0, error_scale=1.5)
    for site in range(8):
        distance = np.minimum((sites - site) % 8, (site - sites) % 8)
        taper = gaspari_cohn(distance, 1.0)
        w = np.exp(-0.5 * (taper * (y - E[:, sites]) ** 2 / (1.5**2 * variance)).sum(axis=1))
        w /= w.sum()
        mean, _ = weighted_moments(E[:, [site]], w)
        assert analysis[:, site].mean() == pytest.approx(mean[0], abs=1e-10)
        assert analysis[:, site].var() == pytest.approx(w @ (E[:, site] - mean[0]) ** 2, abs=1e-10)


def test_sites_beyond_the_reach_of_all_observations_keep_their_members():
    E = np.random.default_rng(1).standard_normal((10, 20))
    analysis = updated(E, np.array([3]), np.array([2.0]), np.array([0.5]), radius=0.5)
    np.testing.assert_allclose(analysis[:, 8:], E[:, 8:], atol=1e-14)
    assert not np.allclose(analysis[:, 3], E[:, 3])


# DAPPER 1.8, mods/Lorenz96/todter2015_G.py: 80 sites, every second one observed every 0.1, R = I, radius 5. It enlarges
# R by 1.9: so much in the variance gives its score, in the standard deviation 0.65.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "settings", "published"),
    [
        ("letkf", {"members": 40, "inflation": 1.04}, 0.42),
        ("lnetf", {"members": 40, "inflation": 1.10, "error_scale": 1.9**0.5}, 0.54),
    ],
)
def test_published_error_at_half_of_eighty_sites(method, settings, published):
    scores = []
    for seed in range(3):
        model, truth = lorenz96_truth(1000, seed, n=80, every=2)
        rng = np.random.default_rng(100 + seed)
        observations = observe_states(truth, 0.05, 1.0, rng, sites=np.arange(0, 80, 2), every=2)
        chosen = METHODS[method](rotation=True, localization_radius=5.0, **settings)
        analysis = assimilate(observations, model, chosen, lorenz96_climatology(n=80), np.random.default_rng(seed))
        scores.append(float(np.sqrt(((analysis["mean"] - truth) ** 2).mean("site"))[200:].mean()))
    assert np.median(scores) == pytest.approx(published, abs=0.04)
