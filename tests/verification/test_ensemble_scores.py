"""Scores of ensembles against closed forms and brute force."""

import numpy as np
import pytest

from assimilearn.verification.ensembles import (
    crps_ensemble,
    crps_gaussian,
    flatness,
    log_score_gaussian,
    rank_histogram,
    spread_skill,
)


def integrated_crps(members, verifying):
    """CRPS by its definition: the integral of the squared difference of two distribution functions."""
    points = np.sort(np.append(members, verifying))
    middle = (points[1:] + points[:-1]) / 2
    cdf = (members[:, None] <= middle).mean(axis=0)
    return (((cdf - (verifying <= middle)) ** 2) * np.diff(points)).sum()


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_crps_by_sorting_equals_the_integral_of_its_definition(size):
    rng = np.random.default_rng(size)
    members, verifying = rng.standard_normal((size, 3, 4)), rng.standard_normal((3, 4))
    expected = [[integrated_crps(members[:, i, j], verifying[i, j]) for j in range(4)] for i in range(3)]
    np.testing.assert_allclose(crps_ensemble(members, verifying), expected, rtol=1e-12, atol=1e-14)


def test_crps_of_one_member_is_the_absolute_error():
    assert crps_ensemble(np.array([3.0]), np.array(1.0)) == 2.0


def test_crps_of_a_large_gaussian_ensemble_tends_to_the_gaussian_crps():
    members = 1.0 + 2.0 * np.random.default_rng(0).standard_normal(200_000)
    assert crps_ensemble(members, np.array(0.3)) == pytest.approx(float(crps_gaussian(1.0, 2.0, 0.3)), rel=5e-3)


def test_fair_crps_does_not_depend_on_the_ensemble_size_and_the_plain_one_does():
    rng = np.random.default_rng(5)
    draws, verifying = rng.standard_normal((40, 40_000)), rng.standard_normal(40_000)
    fair = [crps_ensemble(draws[:n], verifying, fair=True).mean() for n in (3, 40)]
    plain = [crps_ensemble(draws[:n], verifying).mean() for n in (3, 40)]
    assert fair[0] == pytest.approx(fair[1], rel=0.01)
    assert fair[1] == pytest.approx(1 / np.sqrt(np.pi), rel=0.01)  # closed form of a calibrated unit normal
    assert plain[0] == pytest.approx(fair[0] * (1 + 1 / 3), rel=0.02)  # Ferro (2014): bias E|x - x'| / 2N


def test_gaussian_crps_equals_numerical_integration_and_is_the_error_without_spread():
    from scipy.stats import norm

    x = np.linspace(-40, 40, 400_001)
    expected = ((norm.cdf(x, 1.0, 2.0) - (x >= 2.5)) ** 2).sum() * (x[1] - x[0])
    assert crps_gaussian(1.0, 2.0, 2.5) == pytest.approx(expected, abs=1e-3)
    assert crps_gaussian(1.0, 0.0, 2.5) == 1.5


def test_gaussian_log_score_equals_the_density_and_refuses_zero_spread():
    from scipy.stats import norm

    np.testing.assert_allclose(log_score_gaussian(1.0, 2.0, np.array([0.0, 4.0])), -norm.logpdf([0.0, 4.0], 1.0, 2.0))
    with pytest.raises(ValueError, match="above 0"):
        log_score_gaussian(0.0, 0.0, 1.0)


def test_a_calibrated_ensemble_has_a_flat_rank_histogram():
    rng = np.random.default_rng(2)
    counts = rank_histogram(rng.standard_normal((9, 20_000)), rng.standard_normal(20_000), rng)
    assert counts.sum() == 20_000 and counts.size == 10
    assert flatness(counts).p_value > 0.05


def test_an_overconfident_ensemble_has_a_u_shaped_histogram():
    rng = np.random.default_rng(2)
    counts = rank_histogram(0.7 * rng.standard_normal((9, 5_000)), rng.standard_normal(5_000), rng)
    assert flatness(counts).p_value < 1e-10
    assert counts[0] > 1.5 * counts[5] and counts[-1] > 1.5 * counts[5]


def test_ranks_are_counted_as_by_hand_and_ties_are_broken_evenly():
    rng = np.random.default_rng(0)
    members = np.array([[1.0, 2.0, 3.0]]).T
    assert list(rank_histogram(members, np.array([2.5]), rng)) == [0, 0, 1, 0]
    tied = rank_histogram(np.zeros((4, 10_000)), np.zeros(10_000), rng)
    assert flatness(tied).p_value > 0.01


def test_cases_with_a_nan_are_left_out_of_the_histogram():
    members = np.array([[1.0, 1.0], [np.nan, 2.0]])
    assert rank_histogram(members, np.array([0.0, 0.0]), np.random.default_rng(0)).sum() == 1


def test_flatness_of_an_empty_histogram_is_unknown():
    assert np.isnan(flatness(np.zeros(5))).all()


def test_flatness_is_the_chi_square_test_of_scipy():
    from scipy.stats import chisquare

    counts = np.array([12, 7, 9, 15, 11])
    np.testing.assert_allclose(flatness(counts), chisquare(counts))


def test_spread_matches_error_in_every_bin_of_a_calibrated_forecast():
    rng = np.random.default_rng(4)
    spread = rng.uniform(0.5, 3.0, 100_000)
    bins = spread_skill(spread, spread * rng.standard_normal(100_000), bins=5)
    np.testing.assert_allclose(bins.error, bins.spread, rtol=0.03)
    assert (np.diff(bins.spread) > 0).all() and bins.cases.sum() == 100_000


def test_wrong_shapes_are_one_clear_error():
    with pytest.raises(ValueError, match="member"):
        crps_ensemble(np.zeros((5, 3)), np.zeros(4))
    with pytest.raises(ValueError, match="one shape"):
        spread_skill(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="cannot fill"):
        spread_skill(np.ones(3), np.ones(3), bins=5)
    with pytest.raises(ValueError, match="two members"):
        crps_ensemble(np.zeros((1, 3)), np.zeros(3), fair=True)
