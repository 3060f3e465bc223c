"""Local particle filter: Bayes' rule at each site, and no collapse where the bootstrap filter collapses."""

import numpy as np
import pytest
from pydantic import ValidationError
from twins import climatology_file, linear_model, lorenz96_climatology, lorenz96_truth, observe_states

from assimilearn.assimilation import METHODS, assimilate
from assimilearn.assimilation.algebra.weights import effective_size, weighted_moments
from assimilearn.assimilation.local.domain import encoded
from assimilearn.assimilation.local.taper_functions import gaspari_cohn
from assimilearn.assimilation.methods.lpf import fill, lpf_update, temper, transport, weigh

NO_NOISE = np.empty(0)


def weighted(N=50, seed=0):
    """Values and weights."""
    rng = np.random.default_rng(seed)
    w = rng.uniform(0, 1, N) ** 3
    return rng.standard_normal(N), w / w.sum()


def ring(n, radius):
    """No smallest share, and a ring of n sites; a radius of 0.1 reaches the site itself, of 0.5 its neighbours too."""
    return np.concatenate([[0.0], encoded("gaspari_cohn", radius, np.arange(float(n))[:, None], np.array([float(n)]))])


def updated(E, sites, y, variance, radius):
    """E after one update."""
    E, sites = E.copy(), np.asarray(sites)
    y, variance = np.asarray(y, dtype=float), np.asarray(variance, dtype=float)
    lpf_update(E, E[:, sites].copy(), y, variance, sites, ring(E.shape[1], radius), NO_NOISE)
    return E


def test_the_transport_keeps_order_mean_and_variance_of_the_weighted_members():
    x, w = weighted()
    mean, variance = weighted_moments(x[:, None], w)
    moved = x.copy()
    transport(moved, w)
    assert moved.mean() == pytest.approx(mean[0])
    assert moved.var(ddof=1) == pytest.approx(variance[0])
    assert (np.diff(moved[np.argsort(x)]) > -1e-12).all()  # equal where one member is so heavy that several follow it


def test_the_pieces_are_those_of_the_optimal_transport_found_by_linear_programming():
    from scipy.optimize import linprog

    x, w = weighted(N=7)
    moved, N = np.zeros(7), 7
    fill(x, w, np.argsort(x), moved)
    cost = (x[:, None] - x) ** 2
    rows, columns = np.kron(np.eye(N), np.ones(N)), np.kron(np.ones(N), np.eye(N))
    found = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([w, np.full(N, 1 / N)]))
    np.testing.assert_allclose(moved, N * found.x.reshape(N, N).T @ x, atol=1e-7)


def test_equal_weights_leave_the_members_as_they_are():
    x, _ = weighted()
    moved = x.copy()
    transport(moved, np.full(50, 1 / 50))
    np.testing.assert_allclose(moved, x, atol=1e-12)


def test_one_member_with_all_the_weight_takes_the_others_along():
    x, w = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0])
    transport(x, w)
    np.testing.assert_allclose(x, 1.0)


def test_many_members_find_the_gaussian_posterior():
    prior, y, r = np.random.default_rng(0).normal(1.0, 2.0, (20_000, 1)), 3.0, 1.5
    moved = updated(prior, [0], [y], [r], 0.1)
    gain = 4 / (4 + r)
    assert moved.mean() == pytest.approx(1 + gain * (y - 1), abs=0.03)
    assert moved.var() == pytest.approx(4 * (1 - gain), rel=0.03)


def test_the_posterior_may_have_two_peaks():
    """What is seen is the square: members stay on both sides, where a Kalman filter would fill the middle."""
    x = np.random.default_rng(1).normal(0.2, 1.5, (20_000, 1))
    grid = np.linspace(-8, 8, 4001)
    density = np.exp(-((grid - 0.2) ** 2) / (2 * 1.5**2) - (4 - grid**2) ** 2 / (2 * 0.5))
    density /= density.sum()
    E = x.copy()
    lpf_update(E, x**2, np.array([4.0]), np.array([0.5]), np.array([0]), ring(1, 0.1), NO_NOISE)
    for low, high in ((-3, -1), (-1, 1), (1, 3)):
        inside = ((low < E[:, 0]) & (E[:, 0] < high)).mean()
        assert inside == pytest.approx(density[(low < grid) & (grid < high)].sum(), abs=0.02)


def test_an_observation_acts_only_where_its_taper_reaches_around_the_ring():
    E = np.random.default_rng(2).standard_normal((30, 10))
    moved = updated(E, [9], [2.0], [0.5], 0.5)
    changed = np.abs(moved - E).max(axis=0) > 1e-9
    np.testing.assert_array_equal(np.flatnonzero(changed), [0, 8, 9])


def test_a_taper_enlarges_the_error_variance():
    E = np.repeat(np.random.default_rng(3).standard_normal((30, 1)), 4, axis=1)  # every site is the same
    near = updated(E, [0], [1.0], [0.5 / gaspari_cohn(1.0, 0.5)], 0.1)
    far = updated(E, [0], [1.0], [0.5], 0.5)
    np.testing.assert_allclose(far[:, 1], near[:, 0])


def test_the_error_variance_is_enlarged_until_enough_effective_members_are_left():
    log_factor, w = -50.0 * np.random.default_rng(4).uniform(size=40), np.empty(40)
    assert weigh(log_factor, 1.0, w) < 8
    temper(log_factor, 8.0, w)
    assert effective_size(w) == pytest.approx(8, rel=1e-3)
    temper(0.01 * log_factor, 8.0, w)
    np.testing.assert_allclose(w, np.exp(0.01 * log_factor) / np.exp(0.01 * log_factor).sum())


def test_the_local_filter_tracks_lorenz96_with_forty_members_and_the_bootstrap_filter_does_not():
    model, truth = lorenz96_truth(250)
    observations = observe_states(truth, 0.05, 1.0, np.random.default_rng(1))
    climate, score = lorenz96_climatology(), {}
    for method in ("lpf", "particle"):
        settings = METHODS[method](members=40)
        run = assimilate(observations, model, settings, climate, np.random.default_rng(0))
        score[method] = float(np.sqrt(((run["mean"] - truth) ** 2).mean("site"))[100:].mean())
        if method == "lpf":
            assert run.attrs["lost_fraction"] == 0
            assert 0.7 < float(run["spread"][100:].mean()) / score["lpf"] < 1.5
    assert score["lpf"] < 0.32
    assert score["lpf"] < 0.15 * score["particle"]


def test_the_local_filter_gives_the_same_compiled_and_interpreted_and_for_the_same_seed():
    model, rng = linear_model(), np.random.default_rng(0)
    observations = observe_states(rng.standard_normal((12, 4)), 0.1, 0.8, rng)
    observations["valid"][5] = 0
    climate, settings = climatology_file(np.zeros(4), np.eye(4)), METHODS["lpf"](members=9)
    compiled, again, interpreted = (
        assimilate(observations, form, settings, climate, np.random.default_rng(2))
        for form in (model, model, model.interpreted())
    )
    assert compiled.identical(again)
    for name in compiled:
        np.testing.assert_allclose(compiled[name], interpreted[name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("name", "value"),
    [("members", 1), ("smallest_share", 1.0), ("smallest_share", -0.1), ("localization_radius", 0.0)],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValidationError):
        METHODS["lpf"](**{name: value})
