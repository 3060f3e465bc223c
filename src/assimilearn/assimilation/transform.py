"""The symmetric ensemble transform, from the eigenvectors of the smaller of S S^T and S^T S.

With anomalies A (member, site), scaled observed anomalies S = A_y R^-1/2 / sqrt(N-1) and scaled innovation d = R^-1/2
(y - H x_f):

    x_a = x_f + A^T w / sqrt(N-1),  w = (I + S S^T)^-1 S d,      A_a = (I + S S^T)^-1/2 A
"""

import numpy as np
from numba import njit

from assimilearn.assimilation.algebra import column_products, row_products


@njit(cache=True, error_model="numpy")
def eigenvectors(S):
    """Eigenvalues, not negative, and eigenvectors of S S^T, or of S^T S where that is smaller."""
    C = column_products(S) if S.shape[1] < S.shape[0] else row_products(S)
    eigenvalues, V = np.linalg.eigh(C)
    return np.maximum(eigenvalues, 0.0), V


@njit(cache=True, error_model="numpy")
def transform(A, mean, S, d, eigenvalues, V):
    """Update the anomalies A and the mean in place."""
    root, scale = np.sqrt(1 + eigenvalues), np.sqrt(A.shape[0] - 1)
    if S.shape[1] < S.shape[0]:
        observed = np.dot(V.T, np.dot(S.T, A))  # (eigenvector, site)
        mean += np.dot(np.dot(V.T, d) / root**2, observed) / scale
        # (I + S S^T)^-1/2 = I - S V g V^T S^T, where g = (1 - 1/root) / eigenvalue, written so that it may vanish
        A -= np.dot(np.dot(S, V / (root * (1 + root))), observed)
    else:
        T = np.dot(V / root, V.T)
        mean += np.dot(np.dot(T, np.dot(T, np.dot(S, d))), A) / scale
        A[:] = np.dot(T, A)


@njit(cache=True, error_model="numpy")
def explained_squares(S, d, eigenvalues, V):
    """Squares of the components of d along the right singular vectors of S, each times its eigenvalue."""
    if S.shape[1] < S.shape[0]:
        return eigenvalues * np.dot(V.T, d) ** 2
    return np.dot(V.T, np.dot(S, d)) ** 2
