"""Rank histogram filter: Bayes' rule in one variable, ranks and bounds in the others."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import norm
from twins import observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.algebra.normal import quantile, quantile_above
from assimilearn.assimilation.algebra.rank_histogram import posterior, probit_of, probits, spread, value_of
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.methods.rhf import rhf_update
from assimilearn.models.climate import ClimateSettings
from assimilearn.models.climate import climate as climatology
from assimilearn.models.integrate import spun_up_state, trajectory
from assimilearn.models.lorenz63 import Lorenz63, Lorenz63Settings

FREE = (-np.inf, np.inf)


def ensemble(N=9, seed=0):
    return np.random.default_rng(seed).gamma(2.0, 1.0, N)


def quantiles_on_a_grid(x, y, variance, low, high):
    """Those of the posterior, by integrating prior times likelihood from member to member."""
    s, N = np.sort(x), x.size
    q, std = 1 / (N + 1), x.std(ddof=1)
    edges = np.concatenate([[max(low, s[0] - 15 * std)], s, [min(high, s[-1] + 15 * std)]])
    tails = {0: norm(s[0] - std * norm.ppf(q), std), N: norm(s[-1] + std * norm.ppf(q), std)}
    at = np.exp(-((y - s) ** 2) / (2 * variance))
    grid, below = [], [0.0]
    for k in range(N + 1):
        values = np.linspace(edges[k], edges[k + 1], 20_001)
        if k in tails:
            tail = tails[k]
            density = tail.pdf(values) * np.exp(-((y - values) ** 2) / (2 * variance))
            density /= tail.cdf(edges[k + 1]) - tail.cdf(edges[k])
        else:
            density = np.full(values.size, (at[k - 1] + at[k]) / 2 / (s[k] - s[k - 1]))
        steps = (density[1:] + density[:-1]) / 2 * np.diff(values)
        grid.append(values[1:])
        below.extend(below[-1] + np.cumsum(steps))
    below = np.array(below) / below[-1]
    return np.interp((1 + np.argsort(np.argsort(x))) * q, below, np.concatenate([edges[:1], *grid]))


@pytest.mark.parametrize(("low", "high"), [FREE, (0.0, np.inf), (-0.5, 7.0)])
@pytest.mark.parametrize(("y", "variance"), [(1.5, 0.5), (6.0, 1.0), (-4.0, 2.0)])
def test_the_members_stand_at_the_quantiles_of_prior_times_likelihood(y, variance, low, high):
    x = ensemble()
    np.testing.assert_allclose(
        posterior(x, y, variance, low, high), quantiles_on_a_grid(x, y, variance, low, high), atol=1e-5
    )


def test_of_many_normal_members_mean_and_variance_are_those_of_kalman():
    x = np.random.default_rng(0).standard_normal(20_000)
    moved = posterior(x, 1.0, 0.5, *FREE)
    assert moved.mean() == pytest.approx(1 / 1.5, abs=0.02)
    assert moved.var() == pytest.approx(0.5 / 1.5, abs=0.02)


def test_a_worthless_observation_moves_nothing_and_one_beyond_all_members_stays_finite():
    x = ensemble()
    np.testing.assert_allclose(posterior(x, 3.0, 1e12, *FREE), x, atol=1e-6)
    assert np.isfinite(posterior(x, 1e4, 1e-6, *FREE)).all()
    moved = posterior(x, -50.0, 0.1, 0.0, np.inf)
    assert (moved >= 0).all()
    assert moved.max() < x.min()


@pytest.mark.parametrize(("low", "high"), [FREE, (0.0, np.inf), (-0.5, 7.0)])
def test_normal_quantiles_lead_back_to_the_values_that_they_are_of(low, high):
    s = np.sort(ensemble())
    std = spread(s)
    values = np.concatenate([s, (s[1:] + s[:-1]) / 2, [s[0] / 2, s[-1] + 0.3]])
    back = [value_of(s, std, probit_of(s, std, value, low, high), low, high) for value in values]
    np.testing.assert_allclose(back, values, atol=1e-9)
    np.testing.assert_allclose(probits(s), norm.ppf(np.arange(1, 10) / 10), atol=1e-12)


def test_normal_quantiles_are_accurate_in_the_tails():
    p = np.array([1e-250, 1e-30, 1e-6, 0.02425, 0.3, 0.5, 0.9, 1 - 1e-9])
    np.testing.assert_allclose([quantile(value) for value in p], norm.ppf(p), rtol=1e-9, atol=1e-15)
    assert quantile_above(8.0, norm.sf(8.0) / 2) == pytest.approx(norm.isf(norm.sf(8.0) / 2), rel=1e-9)


def update(E, y, variance, sites, low, high, probit=True, inflation=1.0, radius=2.0):
    E, n = E.copy(), E.shape[1]
    domain = encoded("gaspari_cohn", radius, np.arange(float(n))[:, None], np.array([float(n)]))
    parameters = np.concatenate([[float(probit), low, high, inflation], domain])
    rhf_update(E, E[:, sites].copy(), y, variance, sites, parameters, np.empty(0))
    return E


def test_no_analysis_is_outside_the_bounds_and_one_that_is_unbounded_would_be():
    rng, sites = np.random.default_rng(1), np.arange(8)
    E = np.exp(rng.standard_normal((15, 1)) + 0.5 * rng.standard_normal((15, 8)))
    E[:4, 3] = 0.0  # several members on the bound
    y, variance = np.full(8, -0.5), np.full(8, 0.01)
    assert (update(E, y, variance, sites, *FREE) < 0).any()
    bounded = update(E, y, variance, sites, 0.0, np.inf, inflation=1.2)
    assert (bounded >= 0).all()
    assert bounded.mean() < E.mean()


def test_probit_regression_follows_a_relation_that_is_monotonic_where_linear_regression_leaves_it():
    x = np.random.default_rng(2).standard_normal(40)
    E = np.stack([x, np.exp(2 * x)], axis=1)
    y, variance, sites = np.array([1.5]), np.array([0.05]), np.array([0])
    gap = {}
    for probit in (False, True):
        moved = update(E, y, variance, sites, *FREE, probit=probit, radius=100.0)
        gap[probit] = np.abs(np.log(np.maximum(moved[:, 1], 1e-3)) - 2 * moved[:, 0]).mean()
    assert gap[True] < 0.2 * gap[False]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bounds": [0, None]}, "regression: probit"),
        ({"bounds": [2, 1], "regression": "probit"}, "below"),
        ({"regression": "probit", "rotation": True}, "nothing else"),
    ],
)
def test_settings_that_could_leave_the_bounds_are_refused(settings, words):
    with pytest.raises(ValidationError, match=words):
        METHODS["rhf"](**settings)


# DAPPER 1.8, mods/Lorenz63/anderson2010rhf.py: all three variables every 0.12, error variance 8, rotated. It states
# 1.07 (N=20) and 0.94 (N=50) for its own filter, with deflation and a likelihood in steps, and 0.87 for the serial one.
# Here: 0.83 and 0.79, medians of five realizations, as good as the serial filter.
@pytest.mark.slow
@pytest.mark.parametrize(("members", "inflation", "published"), [(20, 1.02, 1.07), (50, 1.0, 0.94)])
def test_the_error_on_lorenz63_is_at_most_the_published_one(members, inflation, published):
    model, scores = Lorenz63(Lorenz63Settings()), []
    climate = climatology(model, ClimateSettings(duration=1000, lyapunov_duration=1), np.random.default_rng(0))
    settings = METHODS["rhf"](members=members, inflation=inflation, rotation=True)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        truth = trajectory(model, spun_up_state(model, 20.0, rng), 12 * 2000)[::12]
        observations = observe_states(truth, model.time_step, np.sqrt(8), rng, every=12)
        analysis = assimilate(observations, model, settings, climate, rng)
        scores.append(float(np.sqrt(((analysis["mean"] - truth) ** 2).mean("site"))[100:].mean()))
    assert 0.7 < np.median(scores) < published
