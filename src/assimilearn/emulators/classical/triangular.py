"""Ridge regression by a triangular factor that grows batch by batch: for features that are nearly collinear.

Normal equations would square the condition number; memory does not grow with the number of samples.
"""

from collections.abc import Iterable

import numpy as np


def ridge(
    batches: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]], features: int, outputs: int, alpha: float
) -> np.ndarray:
    """Coefficients (feature, output) minimising sum w |wanted - features C|^2 + alpha |C|^2.

    Parameters
    ----------
    batches : iterable of (features (row, feature), wanted (row, output), weights (row,))
    features, outputs : int
    alpha : float
    """
    from scipy.linalg import LinAlgError, lstsq, qr, solve_triangular

    factor = np.zeros((features, features + outputs))
    factor[np.diag_indices(features)] = np.sqrt(alpha)  # the rows of the penalty
    for given, wanted, weights in batches:
        samples = np.concatenate([given, wanted], axis=1) * np.sqrt(weights)[:, None]
        (factor,) = qr(np.concatenate([factor, samples]), mode="r", overwrite_a=True, check_finite=False)
        factor = factor[:features]
    try:
        return solve_triangular(factor[:, :features], factor[:, features:])
    except LinAlgError:  # features that say the same, and no penalty
        return lstsq(factor[:, :features], factor[:, features:])[0]
