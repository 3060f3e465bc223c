"""Functions of a matrix on one vector, without eigenvectors."""

import numpy as np
import pytest

from assimilearn.assimilation.krylov import inverse_and_root, inverse_root_poles

LANES = 5


@pytest.mark.parametrize(("interval", "error"), [(0, 1e-14), (4, 1e-13), (6, 1e-10), (10, 1e-6), (19, 1e-3)])
def test_poles_give_the_inverse_root_on_their_interval(interval, error):
    z = np.geomspace(1, 4.0 ** (interval + 1), 500)
    shift, weight = inverse_root_poles()[interval]
    np.testing.assert_allclose((weight / (z[:, None] + shift)).sum(axis=1), z**-0.5, rtol=error)


@pytest.mark.parametrize("observations", [0, 1, 3, 20])
@pytest.mark.parametrize("members", [2, 3, 7, 20])
def test_inverse_and_inverse_root_equal_those_by_eigenvectors(members, observations):
    rng = np.random.default_rng(members)
    S, a = rng.standard_normal((LANES, members, observations)), rng.standard_normal((LANES, members))
    S *= 10.0 ** (np.arange(LANES) - 6)[:, None, None]
    C, inverse, root = S @ S.swapaxes(1, 2), np.empty((members, LANES)), np.empty((members, LANES))
    inverse_and_root(C.transpose(1, 2, 0).copy(), a.T.copy(), inverse_root_poles(), inverse, root)
    for lane in range(LANES):
        values, V = np.linalg.eigh(np.eye(members) + C[lane])
        np.testing.assert_allclose(inverse[:, lane], V / values @ V.T @ a[lane], atol=1e-12)
        np.testing.assert_allclose(root[:, lane], V / np.sqrt(values) @ V.T @ a[lane], atol=1e-10)


def test_a_vector_of_zeros_stays_zero():
    inverse, root = np.ones((3, LANES)), np.ones((3, LANES))
    C = np.repeat(np.eye(3)[:, :, None], LANES, axis=2)
    inverse_and_root(C, np.zeros((3, LANES)), inverse_root_poles(), inverse, root)
    assert not inverse.any()
    assert not root.any()
