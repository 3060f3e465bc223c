"""Functions of a matrix on one vector, without eigenvectors."""

import numpy as np
import pytest

from assimilearn.assimilation.krylov import inverse_and_root, inverse_root_poles


@pytest.mark.parametrize(("interval", "error"), [(0, 1e-14), (4, 1e-13), (6, 1e-10), (10, 1e-6), (19, 1e-3)])
def test_poles_give_the_inverse_root_on_their_interval(interval, error):
    z = np.geomspace(1, 4.0 ** (interval + 1), 500)
    shift, weight = inverse_root_poles()[interval]
    np.testing.assert_allclose((weight / (z[:, None] + shift)).sum(axis=1), z**-0.5, rtol=error)


@pytest.mark.parametrize("observations", [0, 1, 3, 20])
@pytest.mark.parametrize("members", [2, 3, 7, 20])
def test_inverse_and_inverse_root_equal_those_by_eigenvectors(members, observations):
    rng = np.random.default_rng(members)
    S = rng.standard_normal((members, observations))
    a, inverse, root = rng.standard_normal(members), np.empty(members), np.empty(members)
    inverse_and_root(S @ S.T, a, inverse_root_poles(), inverse, root)
    values, V = np.linalg.eigh(np.eye(members) + S @ S.T)
    np.testing.assert_allclose(inverse, V / values @ V.T @ a, atol=1e-12)
    np.testing.assert_allclose(root, V / np.sqrt(values) @ V.T @ a, atol=1e-11)


def test_a_vector_of_zeros_stays_zero():
    inverse, root = np.ones(3), np.ones(3)
    inverse_and_root(np.eye(3), np.zeros(3), inverse_root_poles(), inverse, root)
    assert inverse.tolist() == root.tolist() == [0, 0, 0]
