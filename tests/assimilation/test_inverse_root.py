"""Inverse square roots without eigenvectors."""

import numpy as np
import pytest

from assimilearn.assimilation.algebra.inverse_root import inverse_root, tridiagonal
from assimilearn.assimilation.algebra.poles import (
    FEW,
    FEW_COUNTS,
    MANY,
    MANY_COUNTS,
    elliptic,
    inverse_root_poles,
    quarter_period,
)


@pytest.mark.parametrize("m1", [1e-12, 1e-3, 0.25, 0.9])
def test_elliptic_functions_satisfy_their_differential_equation_and_end_at_the_quarter_period(m1):
    K = quarter_period(m1)
    u = np.linspace(0.05, 0.95, 50) * K
    h = 1e-4
    _, cn, dn = elliptic(u, m1)
    np.testing.assert_allclose((elliptic(u + h, m1)[0] - elliptic(u - h, m1)[0]) / (2 * h), cn * dn, atol=1e-7)
    np.testing.assert_allclose(elliptic(np.array([0.0, K]), m1)[0], [0, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("interval", "few", "many"),
    [
        *((0, 1e-14, 1e-14), (1, 1e-11, 1e-14), (5, 1e-11, 1e-11), (6, 1e-10, 1e-14)),
        *((10, 1e-6, 1e-12), (14, 1e-4, 1e-11), (19, 1e-3, 1e-8)),
    ],
)
def test_poles_give_the_inverse_root_on_their_interval(interval, few, many):
    z = np.geomspace(1, 4.0 ** (interval + 1), 500)
    for table, bound in ((FEW, few), (MANY, many)):
        shift, weight = table[interval]
        np.testing.assert_allclose((weight / (z[:, None] + shift)).sum(axis=1), z**-0.5, rtol=bound)


def test_narrow_intervals_take_fewer_poles_and_the_weights_of_the_others_are_zero():
    for counts, table, least, most in ((FEW_COUNTS, FEW, 8, 16), (MANY_COUNTS, MANY, 8, 32)):
        assert counts[0] == least and counts[-1] == most and (np.diff(counts) >= 0).all()
        for count, (_, weight) in zip(counts, table, strict=True):
            assert (weight[:count] > 0).all() and (weight[count:] == 0).all()


def test_the_error_falls_with_the_number_of_poles_as_published():
    interval, errors = 9, []
    z = np.geomspace(1, 4.0 ** (interval + 1), 2000)
    for poles in (6, 12):
        shift, weight = inverse_root_poles(interval, poles)
        errors.append(np.abs((weight / (z[:, None] + shift)).sum(axis=1) * np.sqrt(z) - 1).max())
    expected = np.exp(-2 * np.pi**2 * 6 / (3 + (interval + 1) * np.log(4)))
    assert 0.3 < errors[1] / errors[0] / expected < 3


def reduced(C, a):
    work = C.copy()
    return (work, *tridiagonal(work, a))


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("rank", [1, 3, 20])
@pytest.mark.parametrize("N", [1, 2, 3, 20])
def test_inverse_root_and_its_defect_equal_those_by_eigenvectors(N, rank, size):
    rng = np.random.default_rng(N)
    S = np.sqrt(size) * rng.standard_normal((N, rank))
    C, a = S @ S.T, rng.standard_normal(N)
    values, V = np.linalg.eigh(C)
    values = np.maximum(values, 0)
    for scale in (1.0, 1.7):
        root = np.sqrt(1 + scale * values)
        np.testing.assert_allclose(inverse_root(*reduced(C, a), scale, False), V / root @ V.T, atol=1e-12)
        defect = V / (root * (1 + root)) @ V.T
        np.testing.assert_allclose(inverse_root(*reduced(C, a), scale, True), defect, atol=1e-12)


def test_the_tridiagonal_form_has_the_spectrum_of_the_matrix_and_the_vector_on_its_last_axis():
    rng = np.random.default_rng(0)
    S, a = rng.standard_normal((7, 9)), rng.standard_normal(7)
    C = S @ S.T
    _, _, diagonal, beside = reduced(C, a)
    T = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
    np.testing.assert_allclose(np.linalg.eigvalsh(T), np.linalg.eigvalsh(C), rtol=1e-12)
    for power in (1, 2, 3):
        through = a @ np.linalg.matrix_power(C, power) @ a
        np.testing.assert_allclose(np.linalg.matrix_power(T, power)[-1, -1] * (a @ a), through, rtol=1e-12)


def test_a_matrix_of_zeros_and_a_vector_of_zeros_give_the_identity():
    C, a = np.zeros((4, 4)), np.zeros(4)
    np.testing.assert_allclose(inverse_root(*reduced(C, a), 1.0, False), np.eye(4), atol=1e-14)
