"""Blocked k-fold cross-validation with gaps: the only split of a time series that does not flatter.

Neighbouring analyses are nearly equal, so a fold drawn at random is known already. Here the training period is cut into
contiguous blocks; each is held out once, with a gap on either side that is used for nothing
(Roberts et al. 2017, Ecography 40, 913-929; Racine 2000, J. Econometrics 99, 39-61: hv-block cross-validation).
"""

import numpy as np

from assimilearn.errors import SettingsError
from assimilearn.periods import GAP, TEST, TRAIN


def fold_flags(flags: np.ndarray, folds: int, gap: int) -> list[np.ndarray]:
    """Period flags of every fold.

    Parameters
    ----------
    flags : ndarray (time,)
        Period flags of the study, without its test period.
    folds : int
        Number of blocks, at least 2.
    gap : int
        Analysis times left out before and after the held-out block.

    Returns
    -------
    list of ndarray (time,), one a fold
        The held-out block is the fold's test period; what is near it is a gap; all else is as in ``flags``.

    Raises
    ------
    ValueError
        If the test period is still there: a search must not see it.
    SettingsError
        If a fold leaves nothing to train on.
    """
    if np.any(flags == TEST):
        raise ValueError("drop the test period before the training period is split: a search must not see it")
    training = np.flatnonzero(flags == TRAIN)
    if training.size < folds:
        raise SettingsError(f"folds: {folds} blocks cannot be cut from {training.size} training times")
    return [one_fold(flags, block, gap) for block in np.array_split(training, folds)]


def one_fold(flags: np.ndarray, block: np.ndarray, gap: int) -> np.ndarray:
    """Flags with ``block`` held out and a gap around it."""
    result = flags.copy()
    near = slice(max(block[0] - gap, 0), block[-1] + gap + 1)
    result[near] = np.where(result[near] == TRAIN, GAP, result[near])
    result[block] = TEST
    if not np.any(result == TRAIN):
        raise SettingsError(f"gap: {gap} analysis times around a held-out block leave nothing to train on")
    return result
