"""Functions of a matrix on one vector, without eigenvectors."""

import numpy as np
import pytest

from assimilearn.assimilation.algebra.krylov import inverse_and_root

LANES = 5


@pytest.mark.parametrize("observations", [0, 1, 3, 20])
@pytest.mark.parametrize("members", [2, 3, 7, 20])
def test_inverse_and_inverse_root_equal_those_by_eigenvectors(members, observations):
    rng = np.random.default_rng(members)
    S, a = rng.standard_normal((LANES, members, observations)), rng.standard_normal((LANES, members))
    S *= 10.0 ** (np.arange(LANES) - 6)[:, None, None]
    C, inverse, root = S @ S.swapaxes(1, 2), np.empty((members, LANES)), np.empty((members, LANES))
    inverse_and_root(C.transpose(1, 2, 0).copy(), a.T.copy(), inverse, root)
    for lane in range(LANES):
        values, V = np.linalg.eigh(np.eye(members) + C[lane])
        np.testing.assert_allclose(inverse[:, lane], V / values @ V.T @ a[lane], atol=1e-12)
        np.testing.assert_allclose(root[:, lane], V / np.sqrt(values) @ V.T @ a[lane], atol=1e-10)


def test_a_vector_of_zeros_stays_zero():
    inverse, root = np.ones((3, LANES)), np.ones((3, LANES))
    C = np.repeat(np.eye(3)[:, :, None], LANES, axis=2)
    inverse_and_root(C, np.zeros((3, LANES)), inverse, root)
    assert not inverse.any()
    assert not root.any()
